//! Answers of the messages API.

use super::text::Text;
use super::{Outcome, Progress, StopReason};
use crate::json::Value;

pub(super) fn event(outcome: &mut Outcome, text: &mut Text, event: Value<'_>) -> Progress {
    let kind = event.get("type").and_then(|kind| kind.as_str());
    match kind.as_deref() {
        Some("content_block_delta") => {
            if let Some(delta) = event.get("delta") {
                for key in ["text", "thinking", "partial_json", "content"] {
                    text.read(delta.get(key));
                }
            }
            Progress::Delta
        }
        Some("content_block_start") => {
            if let Some(block) = event.get("content_block") {
                for key in ["name", "text", "thinking"] {
                    text.read(block.get(key));
                }
            }
            Progress::Other
        }
        Some("message_start") => {
            if let Some(message) = event.get("message") {
                outcome.identify(message);
                outcome.account(message.get("usage"));
            }
            Progress::Other
        }
        Some("message_delta") => {
            outcome.account(event.get("usage"));
            if let Some(delta) = event.get("delta") {
                stop(outcome, delta);
            }
            Progress::Other
        }
        Some("message_stop") => {
            outcome.is_complete = true;
            Progress::Terminal
        }
        Some("error") => error(outcome),
        None if event.non_null("error").is_some() => error(outcome),
        _ => Progress::Other,
    }
}

fn error(outcome: &mut Outcome) -> Progress {
    outcome.has_error = true;
    Progress::Error
}

pub(super) fn body(outcome: &mut Outcome, text: &mut Text, message: Value<'_>) {
    stop(outcome, message);
    let content = message
        .get("content")
        .and_then(|content| content.as_array());
    for block in content.into_iter().flatten() {
        for key in ["text", "thinking", "name"] {
            text.read(block.get(key));
        }
        text.read_raw(block.get("input"));
    }
}

/// Reads the stop reason, which a message and its delta spell alike.
fn stop(outcome: &mut Outcome, message: Value<'_>) {
    let reason = message
        .get("stop_reason")
        .and_then(|reason| reason.as_str());
    let Some(reason) = reason else {
        return;
    };
    outcome.stop_reason = Some(match reason.as_ref() {
        "end_turn" => StopReason::EndTurn,
        "max_tokens" | "model_context_window_exceeded" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopSequence,
        "tool_use" => StopReason::ToolUse,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::Pause,
        _ => StopReason::Other,
    });
}
