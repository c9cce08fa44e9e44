//! What the engine says, in the words of the protocols.

use bytes::Bytes;
use skinflint_local_model::{Event, Finish, Generation, TokenUsage};
use skinflint_protocol::{Answer, Emitter, Stop, StopReason, TokenLogprob, ToolCall, Usage};

use super::enter;
use crate::{accounting::Spending, error::LocalError, receipt::Receipt};

/// How many calls of an answer are told.
#[derive(Debug)]
pub(super) struct CallLimit {
    is_parallel: bool,
    has_called: bool,
}

// === impl CallLimit ===

impl CallLimit {
    /// All of them, or only the first.
    pub(super) fn new(is_parallel: bool) -> Self {
        Self {
            is_parallel,
            has_called: false,
        }
    }

    /// Whether a call that comes now is told.
    pub(super) fn admits(&mut self) -> bool {
        !std::mem::replace(&mut self.has_called, true) || self.is_parallel
    }
}

/// Waits for the end of an answer and writes it as one body.
pub(super) async fn whole(
    mut generation: Generation,
    emitter: &Emitter,
    mut limit: CallLimit,
    receipt: &Receipt,
    spending: Spending,
) -> Result<Bytes, LocalError> {
    let mut answer = Answer::default();
    while let Some(event) = receipt.waiting(generation.next()).await {
        match event {
            Event::Text { text, tokens } => {
                receipt.first_token();
                answer.text.push_str(&text);
                answer.tokens.extend(tokens.into_iter().map(token));
            }
            Event::Call(called) => {
                receipt.first_token();
                if limit.admits() {
                    answer.calls.push(call(called));
                }
            }
            Event::Done { finish, usage } => {
                let (stop, reason) = ended(finish);
                let usage = counted(usage);
                enter(receipt, usage, Some(reason));
                spending.settle_local(usage);
                return Ok(emitter.body(&answer, &stop, &usage));
            }
            Event::Failed(fault) => return Err(fault.into()),
        }
    }
    Err(LocalError::Stopping)
}

pub(super) fn token(token: skinflint_local_model::TokenLogprob) -> TokenLogprob {
    TokenLogprob {
        bytes: token.bytes,
        logprob: token.logprob,
        top: token.top,
    }
}

pub(super) fn call(call: skinflint_local_model::ToolCall) -> ToolCall {
    ToolCall {
        name: call.name,
        arguments: call.arguments,
    }
}

/// Why an answer ended: for the client, and for the books.
pub(super) fn ended(finish: Finish) -> (Stop, StopReason) {
    match finish {
        Finish::EndOfTurn => (Stop::EndTurn, StopReason::EndTurn),
        Finish::MaxTokens => (Stop::MaxTokens, StopReason::MaxTokens),
        Finish::StopSequence(text) => (Stop::StopSequence(text), StopReason::StopSequence),
        Finish::ToolCalls => (Stop::ToolCalls, StopReason::ToolUse),
    }
}

pub(super) fn counted(tokens: TokenUsage) -> Usage {
    Usage {
        fresh_input: tokens.prompt_tokens.into(),
        output: tokens.completion_tokens.into(),
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_is_told_where_more_are_not_wanted() {
        let mut one = CallLimit::new(false);
        assert_eq!(
            [one.admits(), one.admits(), one.admits()],
            [true, false, false]
        );
        let mut all = CallLimit::new(true);
        assert_eq!([all.admits(), all.admits()], [true, true]);
    }

    #[test]
    fn ends_have_their_reasons() {
        let reason = |finish| ended(finish).1.as_str();
        assert_eq!(reason(Finish::ToolCalls), StopReason::ToolUse.as_str());
        assert_eq!(reason(Finish::MaxTokens), StopReason::MaxTokens.as_str());
    }
}
