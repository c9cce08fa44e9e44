//! Recorded conversations: [`Trajectory`].

use std::{collections::BTreeSet, fs, path::Path};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use skinflint_protocol::Endpoint;

/// A conversation, and how its calls were made.
#[derive(Debug)]
pub(super) struct Trajectory {
    pub name: String,
    pub endpoint: Endpoint,
    system: Option<Value>,
    messages: Vec<Value>,
}

/// Members of a recorded conversation that hold its messages.
const LISTS: [&str; 3] = ["messages", "history", "traj"];
/// Members of a message that a provider takes.
const SENT: [&str; 5] = ["role", "content", "tool_calls", "tool_call_id", "name"];

/// All conversations of a file.
pub(super) fn read(path: &Path) -> Result<Vec<Trajectory>, String> {
    let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| at(&error))?;
    let roots = if path
        .extension()
        .is_some_and(|extension| extension == "jsonl")
    {
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(serde_json::from_str)
            .collect::<Result<Vec<Value>, _>>()
    } else {
        serde_json::from_str(&text).map(|root| match root {
            Value::Array(list) if !list.iter().any(|item| item.get("role").is_some()) => list,
            root => vec![root],
        })
    };
    let roots = roots.map_err(|error| at(&error))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let several = roots.len() > 1;
    roots
        .into_iter()
        .enumerate()
        .map(|(index, root)| {
            let name = if several {
                format!("{stem}[{index}]")
            } else {
                stem.clone().into_owned()
            };
            Trajectory::of(&name, root)
                .ok_or_else(|| at(&format!("{name}: expected a list of messages, or an object with one in `messages`, `history` or `traj`")))
        })
        .collect()
}

impl Trajectory {
    fn of(name: &str, mut root: Value) -> Option<Self> {
        let system = root.get_mut("system").map(Value::take);
        let messages = match root {
            Value::Array(messages) => messages,
            Value::Object(mut object) => LISTS
                .iter()
                .find_map(|list| object.remove(*list))
                .and_then(|list| match list {
                    Value::Array(messages) => Some(messages),
                    _ => None,
                })?,
            _ => return None,
        };
        let parts = |message: &Value| message.get("content").and_then(Value::as_array).cloned();
        let has_blocks = messages.iter().filter_map(parts).flatten().any(|part| {
            matches!(
                part.get("type").and_then(Value::as_str),
                Some("tool_use" | "tool_result")
            )
        });
        Some(Self {
            name: name.to_owned(),
            endpoint: if system.is_some() || has_blocks {
                Endpoint::Messages
            } else {
                Endpoint::ChatCompletions
            },
            system,
            messages: messages.into_iter().map(sent).collect::<Option<Vec<_>>>()?,
        })
    }

    /// The body of each call, one for each answer of the model. Recordings seldom have the definitions of tools; `with_tools`
    /// puts in the bare names of those that are called, without which none can be offered besides.
    pub(super) fn calls(&self, with_tools: bool) -> Result<Vec<Bytes>, serde_json::Error> {
        let tools = if with_tools { self.tools() } else { Vec::new() };
        let answers = self
            .messages
            .iter()
            .enumerate()
            .filter(|(index, message)| *index > 0 && message["role"] == "assistant");
        answers.map(|(index, _)| self.body(index, &tools)).collect()
    }

    fn tools(&self) -> Vec<Value> {
        let list =
            |message: &Value, key: &str| message[key].as_array().cloned().unwrap_or_default();
        let calls = self.messages.iter().flat_map(|message| {
            let calls = list(message, "tool_calls")
                .into_iter()
                .chain(list(message, "content"));
            calls.filter_map(|call| {
                let name = call["function"]["name"]
                    .as_str()
                    .or(call["name"].as_str())?;
                Some(name.to_owned())
            })
        });
        let names: BTreeSet<String> = calls.collect();
        names
            .iter()
            .map(|name| definition(self.endpoint, name))
            .collect()
    }

    /// A call with the first `length` messages.
    fn body(&self, length: usize, tools: &[Value]) -> Result<Bytes, serde_json::Error> {
        let mut body = json!({ "model": "replayed" });
        if self.endpoint == Endpoint::Messages {
            body["max_tokens"] = 1024.into();
        }
        if let Some(system) = &self.system {
            body["system"] = system.clone();
        }
        if !tools.is_empty() {
            body["tools"] = tools.into();
        }
        body["messages"] = self.messages[..length].into();
        serde_json::to_vec(&body).map(Bytes::from)
    }
}

/// A definition that says no more than a tool's name.
fn definition(endpoint: Endpoint, name: &str) -> Value {
    let schema = json!({ "type": "object" });
    match endpoint {
        Endpoint::ChatCompletions => {
            json!({ "type": "function", "function": { "name": name, "parameters": schema } })
        }
        _ => json!({ "name": name, "input_schema": schema }),
    }
}

/// A message as it was sent, without what the recorder added.
fn sent(message: Value) -> Option<Value> {
    let Value::Object(mut message) = message else {
        return None;
    };
    message.get("role")?.as_str()?;
    // SWE-agent keeps the ids of all calls that a result belongs to: one.
    let id = message
        .get("tool_call_ids")
        .and_then(|ids| ids.get(0))
        .cloned();
    let mut kept = Map::new();
    for key in SENT {
        if let Some(value) = message.remove(key) {
            kept.insert(key.to_owned(), value);
        }
    }
    if let Some(id) = id {
        kept.entry("tool_call_id").or_insert(id);
    }
    // A recorder's `null` for what was not there.
    kept.retain(|key, value| key == "content" || !value.is_null());
    Some(kept.into())
}
