//! Answers of chat completions.

use super::{Outcome, Progress, StopReason, has_text};
use crate::json::Value;

/// Members of a delta that carry a part of the answer as text.
const TEXTS: [&str; 4] = ["content", "reasoning_content", "reasoning", "refusal"];
/// Members of a delta that carry a part of the answer otherwise.
const STRUCTURES: [&str; 4] = ["tool_calls", "function_call", "audio", "reasoning_details"];

/// Which choices have begun and ended, a bit each; the last bit stands for all from 127 on.
#[derive(Debug, Default)]
pub(super) struct Choices {
    begun: u128,
    ended: u128,
}

impl Choices {
    fn bit(choice: Value<'_>) -> u128 {
        let index = choice.get("index").and_then(|index| index.as_u64());
        1 << index.unwrap_or(0).min(127)
    }

    fn are_over(&self) -> bool {
        self.begun != 0 && self.begun == self.ended
    }
}

pub(super) fn event(outcome: &mut Outcome, choices: &mut Choices, chunk: Value<'_>) -> Progress {
    if chunk.non_null("error").is_some() {
        outcome.has_error = true;
        return Progress::Error;
    }
    outcome.identify(chunk);
    let mut progress = if outcome.account(chunk.get("usage")) {
        Progress::UsageOnly
    } else {
        // Moonshot tells it within the choice.
        let first = elements(chunk, "choices").next();
        outcome.account(first.and_then(|choice| choice.get("usage")));
        Progress::Other
    };
    for choice in elements(chunk, "choices") {
        let bit = Choices::bit(choice);
        choices.begun |= bit;
        if progress == Progress::UsageOnly {
            progress = Progress::Other;
        }
        if let Some(reason) = finish_reason(choice) {
            choices.ended |= bit;
            outcome.stop_reason = Some(reason);
        }
        if choice.get("delta").is_some_and(carries_content) {
            progress = Progress::Delta;
        }
    }
    outcome.is_complete |= choices.are_over();
    progress
}

pub(super) fn body(outcome: &mut Outcome, completion: Value<'_>) {
    outcome.stop_reason = elements(completion, "choices").find_map(finish_reason);
}

fn carries_content(delta: Value<'_>) -> bool {
    TEXTS.iter().any(|key| has_text(delta.get(key)))
        || STRUCTURES.iter().any(|key| delta.non_null(key).is_some())
}

fn finish_reason(choice: Value<'_>) -> Option<StopReason> {
    let reason = choice.get("finish_reason")?.as_str()?;
    Some(match reason.as_ref() {
        "stop" => StopReason::EndTurn,
        "length" => StopReason::MaxTokens,
        "tool_calls" | "function_call" => StopReason::ToolUse,
        "content_filter" => StopReason::Refusal,
        _ => StopReason::Other,
    })
}

fn elements<'d>(object: Value<'d>, key: &str) -> impl Iterator<Item = Value<'d>> {
    object
        .get(key)
        .and_then(|value| value.as_array())
        .into_iter()
        .flatten()
}
