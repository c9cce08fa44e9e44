//! Answers of chat completions.

use super::text::Text;
use super::{Outcome, Progress, StopReason, has_text};
use crate::json::Value;

/// Members of a delta that carry a part of the answer as text.
const TEXTS: [&str; 4] = ["content", "reasoning_content", "reasoning", "refusal"];
/// Members of a delta that carry a part of the answer otherwise.
const STRUCTURES: [&str; 4] = ["tool_calls", "function_call", "audio", "reasoning_details"];

/// Which choices have begun and ended, a bit each; OpenAI makes 128 at most. The last bit stands for all
/// from 127 on.
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

    pub(super) const fn have_begun(&self) -> bool {
        self.begun != 0
    }

    /// The choices that have begun and not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = u32> {
        let open = self.begun & !self.ended;
        (0..u128::BITS).filter(move |index| open >> index & 1 == 1)
    }
}

pub(super) fn event(
    outcome: &mut Outcome,
    choices: &mut Choices,
    text: &mut Text,
    chunk: Value<'_>,
) -> Progress {
    if chunk.non_null("error").is_some() {
        outcome.has_error = true;
        return Progress::Error;
    }
    outcome.identify(chunk);
    let mut progress = if outcome.account(chunk.get("usage")) {
        Progress::UsageOnly
    } else {
        // Groq tells it in a member of its own, Moonshot within the choice.
        let own = chunk.get("x_groq").and_then(|own| own.get("usage"));
        let first = elements(chunk, "choices").next();
        if !outcome.account(own) {
            outcome.account(first.and_then(|choice| choice.get("usage")));
        }
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
        if let Some(delta) = choice.get("delta") {
            read_text(text, delta);
            if carries_content(delta) {
                progress = Progress::Delta;
            }
        }
    }
    outcome.is_complete |= choices.are_over();
    progress
}

pub(super) fn body(outcome: &mut Outcome, text: &mut Text, completion: Value<'_>) {
    outcome.stop_reason = elements(completion, "choices").find_map(finish_reason);
    for choice in elements(completion, "choices") {
        if let Some(message) = choice.get("message") {
            read_text(text, message);
        }
    }
}

fn carries_content(delta: Value<'_>) -> bool {
    TEXTS.iter().any(|key| has_text(delta.get(key)))
        || STRUCTURES.iter().any(|key| delta.non_null(key).is_some())
        // Mistral's reasoning models give content as a list of parts.
        || elements(delta, "content").next().is_some()
}

/// Reads the text of a delta or a message.
fn read_text(text: &mut Text, message: Value<'_>) {
    text.read(message.get("content"));
    // Servers that say reasoning under two names say the same twice.
    let reasoning = ["reasoning_content", "reasoning"]
        .into_iter()
        .map(|key| message.get(key))
        .find(|reasoning| has_text(*reasoning))
        .unwrap_or_else(|| message.get("reasoning_details"));
    text.read(reasoning);
    text.read(message.get("refusal"));
    text.read(message.get("tool_calls"));
    text.read(message.get("function_call"));
    text.read(
        message
            .get("audio")
            .and_then(|audio| audio.get("transcript")),
    );
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
