//! Answers of the messages API.

use super::{Outcome, Progress, StopReason};
use crate::json::Value;

pub(super) fn event(outcome: &mut Outcome, event: Value<'_>) -> Progress {
    let kind = event.get("type").and_then(|kind| kind.as_str());
    match kind.as_deref() {
        Some("content_block_delta") => Progress::Delta,
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
                body(outcome, delta);
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

/// Reads the stop reason, which a message and its delta spell alike.
pub(super) fn body(outcome: &mut Outcome, message: Value<'_>) {
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
