//! Where tokens become the events of an answer: [`Answer`].

use std::mem;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::generation::{Event, Finish, TokenUsage};
use crate::error::EngineFault;
use crate::sampler::Sampler;
use crate::stop::StopFilter;
use crate::tokenizer::{Detokenizer, TokenId, Tokenizer};

/// The answer to one call, while it is made.
#[derive(Debug)]
pub(super) struct Answer {
    sampler: Sampler,
    text: Detokenizer,
    filter: StopFilter<Finish>,
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
        sampler: Sampler,
        filter: StopFilter<Finish>,
        prompt_tokens: u32,
        max_tokens: u32,
        events: UnboundedSender<Event>,
        placed: Instant,
    ) -> Self {
        Self {
            sampler,
            text: Detokenizer::default(),
            filter,
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
    pub(super) fn choose(&mut self, tokenizer: &Tokenizer, logits: &mut [f32]) -> TokenId {
        let token = self.sampler.sample(logits);
        self.usage.completion_tokens += 1;
        let finish = if tokenizer.is_end(token) {
            Some(self.say_rest().unwrap_or(Finish::EndOfTurn))
        } else {
            let piece = self.text.push(tokenizer, token);
            self.say(&piece).or_else(|| {
                let is_full = self.usage.completion_tokens >= self.max_tokens;
                is_full.then(|| self.say_rest().unwrap_or(Finish::MaxTokens))
            })
        };
        self.outcome = finish.map(Ok);
        token
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
        self.send(ready);
        finish
    }

    /// Sends all that was kept back; returns the stop sequence, if the last bytes completed one.
    fn say_rest(&mut self) -> Option<Finish> {
        let last = mem::take(&mut self.text).finish();
        let finish = self.say(&last);
        if finish.is_none() {
            let rest = self.filter.take_rest();
            self.send(rest);
        }
        finish
    }

    fn send(&self, text: String) {
        if !text.is_empty() {
            // Fails only where the client has gone away, which is looked at before each step.
            let _ = self.events.send(Event::Text {
                text,
                tokens: Vec::new(),
            });
        }
    }
}
