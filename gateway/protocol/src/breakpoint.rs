//! Cache breakpoints in requests of the messages API whose client has set none.
//!
//! Anthropic keeps a prefix only where a request marks its end, and finds it again within twenty blocks before a mark
//! of a later request; there may be four marks. One stands at the end of what never changes (tools and system prompt),
//! one at the end of the request, which is where the next one goes on, and two between at every fifteenth block, so
//! that a turn of many blocks does not lose the thread.

use crate::edit::{EditError, EditList};
use crate::endpoint::Endpoint;
use crate::json::{Document, JsonLimits, Span};
use crate::request::{Block, BlockKind, RequestView, Source};

/// What is put on a block.
const MARK: &str = r#"{"type":"ephemeral"}"#;
const KEY: &str = "cache_control";
/// Within the provider's look-back of 20, with room.
const BLOCKS_BETWEEN: usize = 15;
/// Marks between the stable one and the last.
const ROLLING: usize = 2;

/// Marks a request's prefix for the provider's cache; how many marks. None where the client has set one: it knows better.
pub fn mark_prefix(
    view: &RequestView,
    body: &[u8],
    edits: &mut EditList,
) -> Result<usize, EditError> {
    if view.endpoint != Endpoint::Messages || view.cache_ttl.is_some() {
        return Ok(0);
    }
    let mut marks = usize::from(mark_stable(view, body, edits)?);
    let content: Vec<&Block> = view
        .blocks
        .iter()
        .filter(|block| block.source == Source::Messages)
        .collect();
    let Some(last) = content.len().checked_sub(1) else {
        return Ok(marks);
    };
    let results = Results::of(view, body);
    let rolling = (1..=last).rev().filter(|at| at % BLOCKS_BETWEEN == 0);
    // Where the last block cannot be marked, the one before it is as good as it gets.
    let ends = (0..=last)
        .rev()
        .filter(|at| results.place(content[*at], body).is_some());
    let mut places: Vec<usize> = ends.take(1).collect();
    for at in rolling {
        if places.len() > ROLLING {
            break;
        }
        if !places.contains(&at) && results.place(content[at], body).is_some() {
            places.push(at);
        }
    }
    for at in places {
        if let Some(place) = results.place(content[at], body) {
            place.mark(body, edits)?;
            marks += 1;
        }
    }
    Ok(marks)
}

/// Marks the end of the system prompt, or of the tools where there is none.
fn mark_stable(view: &RequestView, body: &[u8], edits: &mut EditList) -> Result<bool, EditError> {
    let system = view
        .blocks
        .iter()
        .rfind(|block| block.source == Source::System && says_something(block, body));
    // A tool that is loaded later takes no mark.
    let tool = view.tools.iter().rfind(|tool| {
        let definition = body.get(tool.span.clone()).unwrap_or_default();
        memchr::memmem::find(definition, b"defer_loading").is_none()
    });
    match (system, tool) {
        (Some(block), _) if block.part.is_some() => {
            edits.insert_member(body, &block.span, KEY, MARK)?;
        }
        (Some(block), _) => Place::Text(block.span.clone()).mark(body, edits)?,
        (None, Some(tool)) => edits.insert_member(body, &tool.span, KEY, MARK)?,
        (None, None) => return Ok(false),
    }
    Ok(true)
}

/// Whether a block has a text with something in it: the provider refuses a mark on an empty one, and an empty part.
fn says_something(block: &Block, body: &[u8]) -> bool {
    let literal = block.text.as_ref().and_then(|span| body.get(span.clone()));
    let document = literal.map(|literal| Document::parse(literal, JsonLimits::default()));
    document.and_then(Result::ok).is_some_and(|document| {
        let text = document.root().as_str();
        text.is_some_and(|text| !text.trim().is_empty())
    })
}

/// Where a mark goes.
enum Place {
    /// Into this object.
    Object(Span),
    /// This string becomes a part with a mark.
    Text(Span),
}

impl Place {
    fn mark(&self, body: &[u8], edits: &mut EditList) -> Result<(), EditError> {
        match self {
            Self::Object(span) => edits.insert_member(body, span, KEY, MARK),
            Self::Text(span) => {
                let text = body.get(span.clone()).unwrap_or_default();
                let text = String::from_utf8_lossy(text);
                let part = format!(r#"[{{"type":"text","text":{text},"{KEY}":{MARK}}}]"#);
                edits.replace(span.clone(), part);
                Ok(())
            }
        }
    }
}

/// Where the results of tools stand whose texts are in parts: a mark stands on the whole result.
struct Results {
    /// By message and part.
    spans: Vec<(usize, usize, Span)>,
}

impl Results {
    fn of(view: &RequestView, body: &[u8]) -> Self {
        let in_parts = |block: &Block| {
            block.kind == BlockKind::ToolResult && body.get(block.span.start) == Some(&b'{')
        };
        if !view.blocks.iter().any(in_parts) {
            return Self { spans: Vec::new() };
        }
        let Ok(document) = Document::parse(body, JsonLimits::default()) else {
            return Self { spans: Vec::new() };
        };
        let mut spans = Vec::new();
        let messages = document
            .root()
            .get("messages")
            .and_then(|list| list.as_array());
        for (message, value) in messages.into_iter().flatten().enumerate() {
            let parts = value.get("content").and_then(|content| content.as_array());
            for (part, value) in parts.into_iter().flatten().enumerate() {
                let kind = value.get("type").and_then(|kind| kind.as_str());
                if kind.as_deref() == Some("tool_result") {
                    spans.push((message, part, value.span()));
                }
            }
        }
        Self { spans }
    }

    /// Where the mark of a block goes; none where the provider takes none, such as on reasoning, or there is nothing
    /// to mark.
    fn place(&self, block: &Block, body: &[u8]) -> Option<Place> {
        if let Some(part) = block.part {
            let whole = self
                .spans
                .iter()
                .find(|(message, at, _)| (*message, *at) == (block.message, part));
            if let Some((_, _, span)) = whole {
                return Some(Place::Object(span.clone()));
            }
        }
        let has_text = says_something(block, body);
        match (block.kind, block.part) {
            (BlockKind::Text, None) if has_text => Some(Place::Text(block.span.clone())),
            (BlockKind::Text, Some(_)) if has_text => Some(Place::Object(block.span.clone())),
            (
                BlockKind::ToolUse | BlockKind::ToolResult | BlockKind::Image | BlockKind::Document,
                Some(_),
            ) => Some(Place::Object(block.span.clone())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;

    fn marked(body: &Value) -> (usize, Value) {
        let body = Bytes::from(body.to_string());
        let parse =
            |body: &Bytes| RequestView::parse(Endpoint::Messages, body, JsonLimits::default());
        let view = parse(&body).unwrap();
        let mut edits = EditList::new();
        let marks = mark_prefix(&view, &body, &mut edits).unwrap();
        let marked = edits.apply(&body).unwrap();
        // Once is enough.
        let mut again = EditList::new();
        let view = parse(&marked).unwrap();
        assert_eq!(mark_prefix(&view, &marked, &mut again).unwrap(), 0);
        (marks, serde_json::from_slice(&marked).unwrap())
    }

    fn request(messages: &Value) -> Value {
        json!({ "model": "m", "max_tokens": 9, "system": "Be brief.", "tools": [{ "name": "ls", "input_schema": {} }], "messages": messages })
    }

    /// The request with its marks taken out, and its texts as parts.
    fn plain(mut request: Value) -> Value {
        fn walk(value: &mut Value) {
            match value {
                Value::Object(object) => {
                    object.remove(KEY);
                    object.values_mut().for_each(walk);
                }
                Value::Array(list) => list.iter_mut().for_each(walk),
                _ => {}
            }
        }
        walk(&mut request);
        request
    }

    #[test]
    fn tools_and_system_and_the_end_are_marked() {
        let messages = json!([
            { "role": "user", "content": "Go" },
            { "role": "assistant", "content": [{ "type": "thinking", "thinking": "Hm", "signature": "s" }, { "type": "tool_use", "id": "t", "name": "ls", "input": {} }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": [{ "type": "text", "text": "a" }] }] },
        ]);
        let (marks, marked) = marked(&request(&messages));
        assert_eq!(marks, 2);
        let mark = json!({ "type": "ephemeral" });
        assert_eq!(
            marked["system"],
            json!([{ "type": "text", "text": "Be brief.", "cache_control": mark }])
        );
        assert_eq!(marked["messages"][2]["content"][0]["cache_control"], mark);
        assert_eq!(plain(marked)["messages"], messages);
    }

    #[test]
    fn a_text_becomes_a_part_to_be_marked_and_what_is_marked_stays() {
        let (marks, marked) = marked(
            &json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "a\n\"b" }] }),
        );
        assert_eq!(marks, 1);
        assert_eq!(marked["messages"][0]["content"][0]["text"], "a\n\"b");
        let own = json!({ "model": "m", "max_tokens": 9, "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "a", "cache_control": { "type": "ephemeral", "ttl": "1h" } }] },
        ] });
        let body = Bytes::from(own.to_string());
        let view = RequestView::parse(Endpoint::Messages, &body, JsonLimits::default()).unwrap();
        assert_eq!(mark_prefix(&view, &body, &mut EditList::new()).unwrap(), 0);
    }

    #[test]
    fn nothing_empty_is_marked() {
        let tool = |name: &str, later: bool| json!({ "name": name, "input_schema": {}, "defer_loading": later });
        let (marks, marked) = marked(
            &json!({ "model": "m", "max_tokens": 9, "system": "", "tools": [{ "name": "a", "input_schema": {} }, tool("b", true)], "messages": [
            { "role": "user", "content": "Go" },
            { "role": "assistant", "content": [{ "type": "text", "text": " \n" }] },
        ] }),
        );
        assert_eq!((marks, &marked["system"]), (2, &json!("")));
        assert!(marked["tools"][0].get(KEY).is_some() && marked["tools"][1].get(KEY).is_none());
        assert!(marked["messages"][0]["content"][0].get(KEY).is_some());
        assert!(marked["messages"][1]["content"][0].get(KEY).is_none());
    }

    #[test]
    fn marks_between_stay_where_they_are_as_the_conversation_grows() {
        let places = |turns: usize| {
            let turn = |turn: usize| {
                let id = format!("t{turn}");
                [
                    json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": "ls", "input": {} }] }),
                    json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": "x" }] }),
                ]
            };
            let first = json!({ "role": "user", "content": "Go" });
            let messages: Vec<_> = std::iter::once(first)
                .chain((0..turns).flat_map(turn))
                .collect();
            let (marks, marked) = marked(&request(&json!(messages)));
            assert!(marks <= 4);
            let marked = marked["messages"].as_array().unwrap().clone();
            let is_marked = |message: &Value| message["content"][0].get(KEY).is_some();
            let indices = marked
                .iter()
                .enumerate()
                .filter(|(_, message)| is_marked(message));
            indices.map(|(index, _)| index).collect::<Vec<_>>()
        };
        assert_eq!(places(3), [6]);
        assert_eq!(places(10), [15, 20]);
        assert_eq!(places(20), [15, 30, 40]);
        assert_eq!(places(30), [30, 45, 60]);
        assert_eq!(places(31), [45, 60, 62]);
        // What the request before was marked with last is within twenty blocks of a mark of the next.
        for turns in 1..60 {
            let (before, now) = (places(turns), places(turns + 9));
            let last = before.last().unwrap();
            assert!(
                now.iter().any(|mark| mark >= last && mark - last <= 20),
                "{turns}"
            );
        }
    }
}
