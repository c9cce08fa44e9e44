//! The answer to one call, as it comes.

use tokio::sync::mpsc::UnboundedReceiver;

use super::queue::Ticket;
use crate::error::EngineFault;
use crate::request::ToolCall;

/// A piece of an answer, or its end.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// More text: whole characters, never part of a stop sequence.
    Text {
        /// The text.
        text: String,
        /// The tokens that it is made of; none where the call did not ask for log-probabilities.
        tokens: Vec<TokenLogprob>,
    },
    /// The model calls a tool; its arguments fit the tool's schema.
    Call(ToolCall),
    /// The answer is complete.
    Done {
        /// Why it ended.
        finish: Finish,
        /// Tokens read and generated.
        usage: TokenUsage,
    },
    /// The answer cannot be completed.
    Failed(EngineFault),
}

/// A token of an answer, and what it stood against.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprob {
    /// The token's own bytes, which need not be whole characters.
    pub bytes: Vec<u8>,
    /// Its natural log-probability by the model, before any penalty or form was applied.
    pub logprob: f32,
    /// The likeliest tokens in its place, likeliest first, with their log-probabilities.
    pub top: Vec<(Vec<u8>, f32)>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The model ended its turn.
    EndOfTurn,
    /// The most tokens that the call allowed.
    MaxTokens,
    /// One of the call's stop sequences.
    StopSequence(String),
    /// The model called tools and waits for their results.
    ToolCalls,
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenUsage {
    /// Tokens of the prompt, template included.
    pub prompt_tokens: u32,
    /// Tokens generated, those of a stop sequence or end mark included.
    pub completion_tokens: u32,
}

/// The answer to one call. Dropping it gives the call up, waiting or not.
#[derive(Debug)]
pub struct Generation {
    prompt_tokens: u32,
    // Declared before the ticket, so that the scheduler sees the closed channel first.
    events: UnboundedReceiver<Event>,
    /// Takes the call out of the queue when dropped.
    _ticket: Ticket,
    ended: bool,
}

impl Generation {
    pub(super) fn new(
        prompt_tokens: u32,
        events: UnboundedReceiver<Event>,
        ticket: Ticket,
    ) -> Self {
        Self {
            prompt_tokens,
            events,
            _ticket: ticket,
            ended: false,
        }
    }

    /// Tokens of the prompt, template included.
    pub fn prompt_tokens(&self) -> u32 {
        self.prompt_tokens
    }

    /// Waits for the next event; `None` after [`Event::Done`] or [`Event::Failed`].
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        // The scheduler lets go of a call without a last word only when the engine is stopped.
        let event = self
            .events
            .recv()
            .await
            .unwrap_or(Event::Failed(EngineFault::Stopped));
        self.ended = !matches!(event, Event::Text { .. } | Event::Call(_));
        Some(event)
    }
}
