//! Answers of the responses API.

use super::text::Text;
use super::{Outcome, Progress, StopReason};
use crate::json::Value;

pub(super) fn event(outcome: &mut Outcome, text: &mut Text, event: Value<'_>) -> Progress {
    let kind = event.get("type").and_then(|kind| kind.as_str());
    let Some(kind) = kind else {
        // OpenAI-compatible servers report some errors in the shape of a body.
        return match event.non_null("error") {
            Some(_) => error(outcome),
            None => Progress::Other,
        };
    };
    match kind.as_ref() {
        "response.completed" | "response.incomplete" | "response.failed" => {
            outcome.is_complete = true;
            if let Some(response) = event.get("response") {
                outcome.identify(response);
                outcome.account(response.get("usage"));
                body(outcome, response);
            }
            outcome.has_error |= kind == "response.failed";
            Progress::Terminal
        }
        "response.created" | "response.queued" | "response.in_progress" => {
            if let Some(response) = event.get("response") {
                outcome.identify(response);
            }
            Progress::Other
        }
        "error" => error(outcome),
        "response.output_item.added" => {
            text.read(event.get("item").and_then(|item| item.get("name")));
            Progress::Other
        }
        _ if kind.ends_with(".delta") => {
            // Sound comes in base64.
            if !kind.ends_with("audio.delta") {
                text.read(event.get("delta"));
            }
            Progress::Delta
        }
        _ => Progress::Other,
    }
}

fn error(outcome: &mut Outcome) -> Progress {
    outcome.has_error = true;
    Progress::Error
}

/// Reads a response that came as one body.
pub(super) fn whole(outcome: &mut Outcome, text: &mut Text, response: Value<'_>) {
    body(outcome, response);
    let output = response.get("output").and_then(|output| output.as_array());
    for item in output.into_iter().flatten() {
        for key in ["content", "summary", "name", "arguments", "input", "code"] {
            text.read(item.get(key));
        }
    }
}

/// Reads how the response ended, in a body or the last event of a stream.
fn body(outcome: &mut Outcome, response: Value<'_>) {
    outcome.stop_reason = stop_reason(response);
    let searches = response
        .get("tool_usage")
        .and_then(|usage| usage.get("web_search"))
        .and_then(|search| search.get("num_requests"))
        .and_then(|count| count.as_u64());
    if searches.is_some() {
        outcome.report.server_tool_uses = searches;
    }
}

fn stop_reason(response: Value<'_>) -> Option<StopReason> {
    let status = response.get("status")?.as_str()?;
    match status.as_ref() {
        "completed" if asks_for_tool(response) => Some(StopReason::ToolUse),
        "completed" => Some(StopReason::EndTurn),
        "incomplete" => {
            let reason = response
                .get("incomplete_details")
                .and_then(|details| details.get("reason"))
                .and_then(|reason| reason.as_str());
            Some(match reason.as_deref() {
                Some("max_output_tokens") => StopReason::MaxTokens,
                Some("content_filter") => StopReason::Refusal,
                _ => StopReason::Other,
            })
        }
        "in_progress" | "queued" => None,
        _ => Some(StopReason::Other),
    }
}

/// Whether the last item is a call that the client has to make.
fn asks_for_tool(response: Value<'_>) -> bool {
    response
        .get("output")
        .and_then(|output| output.as_array())
        .and_then(Iterator::last)
        .and_then(|item| item.get("type"))
        .and_then(|kind| kind.as_str())
        .is_some_and(|kind| {
            matches!(
                kind.as_ref(),
                "function_call"
                    | "custom_tool_call"
                    | "local_shell_call"
                    | "shell_call"
                    | "apply_patch_call"
                    | "computer_call"
            )
        })
}
