//! Chat completions in one piece, and what is said of them in requests.

use super::answer::{AsideError, Part, Round, What};
use super::{AsideCall, AsideResult};
use crate::edit::EditList;
use crate::json::{Value, literal};

/// Reads an answer.
pub(super) fn read(root: Value<'_>, tool: &str) -> Result<Round, AsideError> {
    let choice = choice(root).ok_or(AsideError::Missing("choice in the answer"))?;
    let message = choice
        .get("message")
        .ok_or(AsideError::Missing("message in the answer"))?;
    let finish = choice
        .get("finish_reason")
        .and_then(|finish| finish.as_str());
    let mut parts = Vec::new();
    if let Some(text) = message.get("content").and_then(|text| text.as_str()) {
        parts.extend(said(&text));
    }
    let calls = message.get("tool_calls").and_then(|calls| calls.as_array());
    parts.extend(calls.into_iter().flatten().map(|call| part(call, tool)));
    Ok(Round {
        parts,
        output_tokens: output_tokens(root),
        calls_tools: finish.as_deref() == Some("tool_calls"),
    })
}

pub(super) fn choice(root: Value<'_>) -> Option<Value<'_>> {
    root.get("choices")?.as_array()?.next()
}

/// A text; none where nothing is said.
pub(super) fn said(text: &str) -> Option<Part> {
    (!text.is_empty()).then(|| Part {
        json: literal(text),
        what: What::Text(text.to_owned()),
    })
}

/// A call as it is in one piece.
pub(super) fn part(call: Value<'_>, tool: &str) -> Part {
    let function = call.get("function");
    let text = |of: Option<Value<'_>>, key: &str| {
        let text = of.and_then(|of| of.get(key)?.as_str());
        text.unwrap_or_default().into_owned()
    };
    let found = AsideCall {
        id: text(Some(call), "id"),
        name: text(function, "name"),
        arguments: text(function, "arguments"),
    };
    Part {
        json: call.raw().to_owned(),
        what: if found.name == tool {
            What::AsideCall(found)
        } else {
            What::Call(found)
        },
    }
}

/// What an answer, or a chunk with usage, says that the provider wrote.
pub(super) fn output_tokens(root: Value<'_>) -> u64 {
    let usage = root.non_null("usage");
    let output = usage.and_then(|usage| usage.get("completion_tokens"));
    output.and_then(|output| output.as_u64()).unwrap_or(0)
}

/// Puts what earlier rounds have said before what the last one says, and leaves out the calls that are not the client's.
pub(super) fn join(
    root: Value<'_>,
    earlier: &[Round],
    round: &Round,
    edits: &mut EditList,
) -> Result<(), AsideError> {
    let message = choice(root).and_then(|choice| choice.get("message"));
    let message = message.ok_or(AsideError::Missing("message in the answer"))?;
    let said: String = earlier.iter().map(Round::text).collect();
    if let Some(content) = message.get("content").filter(|_| !said.is_empty()) {
        edits.replace_with_text(content.span(), &(said + &round.text()));
    }
    if let Some(calls) = message.non_null("tool_calls") {
        let shown = round
            .parts
            .iter()
            .filter(|part| matches!(part.what, What::Call(_)));
        let shown: Vec<_> = shown.map(|part| part.json.as_str()).collect();
        edits.replace(
            calls.span(),
            match shown.as_slice() {
                [] => "null".to_owned(),
                shown => format!("[{}]", shown.join(",")),
            },
        );
    }
    add_output(root, earlier, edits);
    Ok(())
}

/// As for messages: all output, the last input.
pub(super) fn add_output(root: Value<'_>, earlier: &[Round], edits: &mut EditList) {
    let before: u64 = earlier.iter().map(|round| round.output_tokens).sum();
    for key in ["completion_tokens", "total_tokens"] {
        let count = root.non_null("usage").and_then(|usage| usage.non_null(key));
        if let Some((count, own)) = count.and_then(|count| Some((count, count.as_u64()?))) {
            edits.replace(count.span(), own.saturating_add(before).to_string());
        }
    }
}

/// The result of a call, as a message. The protocol has no mark for errors; the text says so.
pub(super) fn result(call: &AsideCall, result: &AsideResult) -> String {
    let (id, text) = (literal(&call.id), literal(&result.text));
    format!(r#"{{"role":"tool","tool_call_id":{id},"content":{text}}}"#)
}

/// A round and the results of its calls, as messages.
pub(super) fn turn(round: &Round, results: &str) -> String {
    let calls = round
        .parts
        .iter()
        .filter(|part| !matches!(part.what, What::Text(_)));
    let calls: Vec<_> = calls.map(|part| part.json.as_str()).collect();
    hidden_turn(&round.text(), &calls.join(","), results)
}

pub(super) fn hidden_turn(said: &str, calls: &str, results: &str) -> String {
    let content = match said {
        "" => "null".to_owned(),
        said => literal(said),
    };
    format!(r#"{{"role":"assistant","content":{content},"tool_calls":[{calls}]}},{results}"#)
}
