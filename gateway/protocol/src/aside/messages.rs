//! Answers of the messages API in one piece, and what is said of them in requests.

use super::answer::{AsideError, Part, Round, What};
use super::{AsideCall, AsideResult};
use crate::edit::EditList;
use crate::json::{Value, literal};

/// Reads an answer.
pub(super) fn read(root: Value<'_>, tool: &str) -> Result<Round, AsideError> {
    let content = root.get("content").and_then(|content| content.as_array());
    let content = content.ok_or(AsideError::Missing("content in the answer"))?;
    let stop = root.get("stop_reason").and_then(|stop| stop.as_str());
    Ok(Round {
        parts: content.map(|block| part(block, tool)).collect(),
        output_tokens: output_tokens(root),
        calls_tools: stop.as_deref() == Some("tool_use"),
    })
}

/// A block as it is in one piece.
pub(super) fn part(block: Value<'_>, tool: &str) -> Part {
    let text = |key| block.get(key).and_then(|value| value.as_str());
    let what = match text("type").as_deref() {
        Some("text") => What::Text(text("text").unwrap_or_default().into_owned()),
        Some("thinking" | "redacted_thinking") => What::Reasoning,
        Some("tool_use") => {
            let call = AsideCall {
                id: text("id").unwrap_or_default().into_owned(),
                name: text("name").unwrap_or_default().into_owned(),
                arguments: block
                    .get("input")
                    .map_or("{}", |input| input.raw())
                    .to_owned(),
            };
            if call.name == tool {
                What::AsideCall(call)
            } else {
                What::Call(call)
            }
        }
        _ => What::Other,
    };
    Part {
        json: block.raw().to_owned(),
        what,
    }
}

/// What an answer, or an event with usage, says that the provider wrote.
pub(super) fn output_tokens(root: Value<'_>) -> u64 {
    let usage = root.get("usage");
    let output = usage.and_then(|usage| usage.get("output_tokens"));
    output.and_then(|output| output.as_u64()).unwrap_or(0)
}

/// Puts what earlier rounds have shown before what the last one shows.
pub(super) fn join(
    root: Value<'_>,
    earlier: &[Round],
    round: &Round,
    edits: &mut EditList,
) -> Result<(), AsideError> {
    let content = root
        .get("content")
        .ok_or(AsideError::Missing("content in the answer"))?;
    let parts: Vec<_> = earlier
        .iter()
        .chain([round])
        .flat_map(Round::shown)
        .map(|part| part.json.as_str())
        .collect();
    edits.replace(content.span(), format!("[{}]", parts.join(",")));
    add_output(root, earlier, edits);
    Ok(())
}

/// The output of all rounds, where an answer or an event tells that of the last. Its input stays: it is what the
/// conversation has grown to, by which clients decide when to shorten it.
pub(super) fn add_output(root: Value<'_>, earlier: &[Round], edits: &mut EditList) {
    let before: u64 = earlier.iter().map(|round| round.output_tokens).sum();
    let output = root
        .get("usage")
        .and_then(|usage| usage.non_null("output_tokens"));
    if let Some((output, own)) = output.and_then(|output| Some((output, output.as_u64()?))) {
        edits.replace(output.span(), own.saturating_add(before).to_string());
    }
}

/// The result of a call, as a block.
pub(super) fn result(call: &AsideCall, result: &AsideResult) -> String {
    let (id, text) = (literal(&call.id), literal(&result.text));
    let error = if result.is_error {
        r#","is_error":true"#
    } else {
        ""
    };
    format!(r#"{{"type":"tool_result","tool_use_id":{id},"content":{text}{error}}}"#)
}

/// A round and the results of its calls, as messages.
pub(super) fn turn(round: &Round, results: &str) -> String {
    let parts: Vec<_> = round.parts.iter().map(|part| part.json.as_str()).collect();
    let parts = parts.join(",");
    format!(r#"{{"role":"assistant","content":[{parts}]}},{{"role":"user","content":[{results}]}}"#)
}
