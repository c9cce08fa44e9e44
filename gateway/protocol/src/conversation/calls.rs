//! Calls of tools that a request has, and which result belongs to which.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use super::{CHECKED, ToolCall, is_messages};
use crate::endpoint::Endpoint;
use crate::json::{Document, Value, encode};
use crate::request::{Block, RequestView, Source};

/// A call, by what the providers name its parts; none without a name.
pub(super) fn of(call: Value<'_>) -> Option<ToolCall> {
    let called = called(call);
    let name = name(called)?;
    let arguments = ["arguments", "input", "action", "operation"]
        .iter()
        .find_map(|key| called.non_null(key));
    let arguments = arguments.map_or_else(
        || as_object(""),
        |value| match value.as_str() {
            Some(text) => as_object(&text),
            None => as_object(value.raw()),
        },
    );
    Some(ToolCall { name, arguments })
}

/// What is called: chat completions wrap it in a member named by its kind.
fn called(call: Value<'_>) -> Value<'_> {
    ["function", "custom"]
        .iter()
        .find_map(|key| call.non_null(key))
        .unwrap_or(call)
}

fn name(called: Value<'_>) -> Option<String> {
    let name = ["name", "type"]
        .iter()
        .find_map(|key| called.get(key)?.as_str())?;
    let namespace = called.get("namespace").and_then(|value| value.as_str());
    Some(match namespace {
        Some(namespace) => format!("{namespace}.{name}"),
        None => name.into_owned(),
    })
}

/// Arguments as a JSON object: no text as an empty one, and what is none as its member `input`.
pub(crate) fn as_object(arguments: &str) -> String {
    #[derive(Serialize)]
    struct Freeform<'a> {
        input: &'a str,
    }
    let arguments = arguments.trim();
    if arguments.is_empty() {
        return "{}".to_owned();
    }
    let is_object = Document::parse(arguments.as_bytes(), CHECKED)
        .is_ok_and(|document| document.root().as_object().is_some());
    if is_object {
        arguments.to_owned()
    } else {
        encode(&Freeform { input: arguments })
    }
}

/// Where a result stands: its message, and its part where one message has the results of several calls.
pub(super) type Place = (Source, usize, Option<usize>);

/// The calls whose results a request has.
#[derive(Debug)]
pub struct ToolResults {
    endpoint: Endpoint,
    calls: HashMap<Place, ToolCall>,
}

impl ToolResults {
    /// Finds the call of each result in the body that the view was read from.
    pub fn of_view(view: &RequestView, body: &[u8]) -> Self {
        match Document::parse(body, CHECKED) {
            Ok(document) => Self::read(view.endpoint, document.root()),
            Err(_) => Self {
                endpoint: view.endpoint,
                calls: HashMap::new(),
            },
        }
    }

    /// The call whose result, or part of a result, the block is; none where the request does not have it.
    pub fn call(&self, block: &Block) -> Option<&ToolCall> {
        self.calls.get(&self.place(block))
    }

    /// Finds the call of each result by its id. What is not as it should be has none.
    pub(super) fn read(endpoint: Endpoint, root: Value<'_>) -> Self {
        let mut calls = Calls::default();
        let mut found = HashMap::new();
        let source = match endpoint {
            Endpoint::Responses => Source::Input,
            _ => Source::Messages,
        };
        for (message, value) in list(root, source.as_str()).enumerate() {
            match endpoint {
                Endpoint::ChatCompletions => {
                    list(value, "tool_calls").for_each(|call| calls.note(call, "id"));
                    let call = match text(value, "tool_call_id") {
                        Some(id) => calls.by_id.get(id.as_ref()).copied().and_then(of),
                        // What was there before tool calls: the result itself says whose it is.
                        None if text(value, "role").as_deref() == Some("function") => {
                            text(value, "name").map(|name| ToolCall {
                                name: name.into_owned(),
                                arguments: as_object(""),
                            })
                        }
                        None => None,
                    };
                    found.extend(call.map(|call| ((source, message, None), call)));
                }
                Endpoint::Responses => match text(value, "type") {
                    Some(kind) if kind.ends_with("_output") => {
                        let call = calls.answered(value, "call_id");
                        found.extend(call.map(|call| ((source, message, None), call)));
                    }
                    _ => calls.note(value, "call_id"),
                },
                Endpoint::Messages | Endpoint::CountTokens => {
                    for (part, value) in list(value, "content").enumerate() {
                        let call = calls.answered(value, "tool_use_id");
                        found.extend(call.map(|call| ((source, message, Some(part)), call)));
                        calls.note(value, "id");
                    }
                }
                Endpoint::Embeddings => {}
            }
        }
        Self {
            endpoint,
            calls: found,
        }
    }

    /// Where the result stands of which a block is a part.
    pub(super) fn place(&self, block: &Block) -> Place {
        let part = block.part.filter(|_| is_messages(self.endpoint));
        (block.source, block.message, part)
    }

    /// The tool that gave the result at a place.
    pub(super) fn tool(&self, place: &Place) -> Option<&String> {
        self.calls.get(place).map(|call| &call.name)
    }
}

/// Calls by their ids.
#[derive(Debug, Default)]
struct Calls<'d> {
    by_id: HashMap<Cow<'d, str>, Value<'d>>,
}

impl<'d> Calls<'d> {
    fn note(&mut self, call: Value<'d>, id: &str) {
        if let Some(id) = text(call, id) {
            self.by_id.insert(id, call);
        }
    }

    fn answered(&self, result: Value<'_>, id: &str) -> Option<ToolCall> {
        of(*self.by_id.get(text(result, id)?.as_ref())?)
    }
}

fn text<'d>(object: Value<'d>, key: &str) -> Option<Cow<'d, str>> {
    object.get(key)?.as_str()
}

/// The values of a member that is an array; none where it is something else.
fn list<'d>(object: Value<'d>, key: &str) -> impl Iterator<Item = Value<'d>> {
    let values = object.get(key).and_then(|list| list.as_array());
    values.into_iter().flatten()
}
