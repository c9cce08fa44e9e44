//! Where tokens become the events of an answer: [`Answer`].

use std::mem;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::generation::{Event, Finish, TokenLogprob, TokenUsage};
use crate::error::{EngineFault, StructureFault};
use crate::reply::{Part, Reply};
use crate::sampler::Sampler;
use crate::stop::StopFilter;
use crate::tokenizer::{Detokenizer, TokenId, Tokenizer};

/// What an answer's tokens go through.
#[derive(Debug)]
pub(super) struct Making {
    /// Chooses them.
    pub(super) sampler: Sampler,
    /// Ends their text at stop sequences.
    pub(super) filter: StopFilter<Finish>,
    /// Finds calls of tools in it.
    pub(super) reply: Reply,
}

/// The answer to one call, while it is made.
#[derive(Debug)]
pub(super) struct Answer {
    sampler: Sampler,
    text: Detokenizer,
    filter: StopFilter<Finish>,
    reply: Option<Reply>,
    /// Tokens whose text has not gone out, where the call asks for their log-probabilities.
    unsaid: Vec<TokenLogprob>,
    usage: TokenUsage,
    max_tokens: u32,
    /// Not bounded: it never holds more than `max_tokens` pieces, and a slow client must not stop
    /// the calls beside it. Closed when the client is gone.
    events: UnboundedSender<Event>,
    /// When the call was placed.
    pub(super) placed: Instant,
    /// How the answer ended, once it has.
    pub(super) outcome: Option<Result<Finish, EngineFault>>,
}

impl Answer {
    pub(super) fn new(
        making: Making,
        prompt_tokens: u32,
        max_tokens: u32,
        events: UnboundedSender<Event>,
        placed: Instant,
    ) -> Self {
        Self {
            sampler: making.sampler,
            text: Detokenizer::default(),
            filter: making.filter,
            reply: Some(making.reply),
            unsaid: Vec::new(),
            usage: TokenUsage {
                prompt_tokens,
                completion_tokens: 0,
            },
            max_tokens,
            events,
            placed,
            outcome: (max_tokens == 0).then_some(Ok(Finish::MaxTokens)),
        }
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.events.is_closed()
    }

    /// Tokens generated so far.
    pub(super) fn generated(&self) -> u32 {
        self.usage.completion_tokens
    }

    /// Chooses the next token by its logits, one per token of the vocabulary, and sends the text that
    /// it completes. Sets the outcome where the answer ends with it.
    pub(super) fn choose(
        &mut self,
        tokenizer: &Tokenizer,
        logits: &mut [f32],
    ) -> Result<TokenId, StructureFault> {
        let sampled = self.sampler.sample(logits)?;
        let token = sampled.token;
        self.usage.completion_tokens += 1;
        let finish = if tokenizer.is_end(token) {
            Some(self.say_rest(Finish::EndOfTurn))
        } else {
            self.unsaid.extend(sampled.choice.map(|choice| {
                TokenLogprob {
                    bytes: tokenizer.token_bytes(token),
                    logprob: choice.logprob,
                    top: choice
                        .top
                        .iter()
                        .map(|&(token, logprob)| (tokenizer.token_bytes(token), logprob))
                        .collect(),
                }
            }));
            let piece = self.text.push(tokenizer, token);
            let stopped = self.say(&piece);
            let is_full = self.usage.completion_tokens >= self.max_tokens;
            match stopped {
                Some(stop) => Some(self.finish_reply(stop)),
                None if sampled.is_complete => Some(self.say_rest(Finish::EndOfTurn)),
                None if is_full => Some(self.say_rest(Finish::MaxTokens)),
                None => None,
            }
        };
        self.outcome = finish.map(Ok);
        Ok(token)
    }

    /// Sends the last event.
    pub(super) fn end(self, fault: Option<EngineFault>) {
        let event = match (fault, self.outcome) {
            (Some(fault), _) | (None, Some(Err(fault))) => Event::Failed(fault),
            (None, Some(Ok(finish))) => Event::Done {
                finish,
                usage: self.usage,
            },
            // The receiver takes a closed channel for a stopped engine.
            (None, None) => return,
        };
        // Fails only where the client has gone away.
        let _ = self.events.send(event);
    }

    /// Sends what of `piece` can go out; returns why the answer ends here, if it does.
    fn say(&mut self, piece: &str) -> Option<Finish> {
        let (ready, finish) = self.filter.push(piece);
        self.send(&ready);
        finish
    }

    /// Sends all that was kept back; returns how the answer ends: by the stop sequence that the last
    /// bytes completed, else as it was told.
    fn say_rest(&mut self, otherwise: Finish) -> Finish {
        let last = mem::take(&mut self.text).finish();
        let stopped = self.say(&last);
        if stopped.is_none() {
            let rest = self.filter.take_rest();
            self.send(&rest);
        }
        self.finish_reply(stopped.unwrap_or(otherwise))
    }

    /// Sends what the reply has kept back; an answer that called tools waits for their results.
    fn finish_reply(&mut self, finish: Finish) -> Finish {
        let Some(reply) = self.reply.take() else {
            return finish;
        };
        let has_calls = reply.has_calls();
        for part in reply.finish() {
            self.send_part(part);
        }
        match finish {
            Finish::EndOfTurn if has_calls => Finish::ToolCalls,
            finish => finish,
        }
    }

    fn send(&mut self, text: &str) {
        let Some(reply) = &mut self.reply else { return };
        for part in reply.push(text) {
            self.send_part(part);
        }
    }

    fn send_part(&mut self, part: Part) {
        let event = match part {
            Part::Text(text) if text.is_empty() => return,
            Part::Text(text) => Event::Text {
                text,
                tokens: mem::take(&mut self.unsaid),
            },
            Part::Call(call) => Event::Call(call),
        };
        // Fails only where the client has gone away, which is looked at before each step.
        let _ = self.events.send(event);
    }
}
