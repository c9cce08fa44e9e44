//! A conversation as the values that chat templates know: the convention of `transformers`.

use std::collections::VecDeque;

use minijinja::Value;
use serde_json::Value as Json;

use crate::request::{Role, Tool, Turn};
use crate::tokenizer::special::Spellings;

/// The messages, each with its `role` and `content`, and where it has them `tool_calls`, or the
/// `name` and `tool_call_id` of a result. All text is guarded.
pub(super) fn messages(turns: &[Turn], spellings: &Spellings) -> Value {
    let mut numbering = Numbering::default();
    turns
        .iter()
        .map(|turn| message(turn, spellings, &mut numbering))
        .collect()
}

/// The ids that some templates want of calls and results. Ours are counted: nine digits, as
/// Mistral's template insists.
#[derive(Default)]
struct Numbering {
    calls: usize,
    unanswered: VecDeque<String>,
}

impl Numbering {
    fn next(&mut self) -> String {
        self.calls += 1;
        let id = format!("{:09}", self.calls);
        self.unanswered.push_back(id.clone());
        id
    }
}

fn message(turn: &Turn, spellings: &Spellings, numbering: &mut Numbering) -> Value {
    let role = match turn.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut members = vec![
        ("role", Value::from(role)),
        ("content", text(&turn.text, spellings)),
    ];
    if turn.role == Role::Tool {
        if let Some(tool) = &turn.tool {
            members.push(("name", text(tool, spellings)));
        }
        if let Some(id) = numbering.unanswered.pop_front() {
            members.push(("tool_call_id", Value::from(id)));
        }
    }
    if !turn.calls.is_empty() {
        let calls: Value = turn
            .calls
            .iter()
            .map(|call| {
                let arguments = match serde_json::from_str::<Json>(&call.arguments) {
                    Ok(arguments) => guarded(&arguments, spellings),
                    Err(_) => text(&call.arguments, spellings),
                };
                let function = object([
                    ("name", text(&call.name, spellings)),
                    ("arguments", arguments),
                ]);
                object([
                    ("id", Value::from(numbering.next())),
                    ("type", Value::from("function")),
                    ("function", function),
                ])
            })
            .collect();
        members.push(("tool_calls", calls));
    }
    object(members)
}

/// The tools as OpenAI's API has them; none where there are no tools.
pub(super) fn tools(tools: &[Tool], spellings: &Spellings) -> Value {
    if tools.is_empty() {
        return Value::from(());
    }
    tools
        .iter()
        .map(|tool| {
            let mut function = vec![("name", text(&tool.name, spellings))];
            if let Some(description) = &tool.description {
                function.push(("description", text(description, spellings)));
            }
            function.push(("parameters", guarded(&tool.parameters, spellings)));
            object([
                ("type", Value::from("function")),
                ("function", object(function)),
            ])
        })
        .collect()
}

fn text(text: &str, spellings: &Spellings) -> Value {
    Value::from(spellings.guard(text).as_ref())
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::from_pairs(members)
}

/// The same value, with all text in it guarded.
fn guarded(json: &Json, spellings: &Spellings) -> Value {
    match json {
        Json::String(string) => text(string, spellings),
        Json::Array(items) => items.iter().map(|item| guarded(item, spellings)).collect(),
        Json::Object(members) => Value::from_pairs(members.iter().map(|(name, value)| {
            let name = spellings.guard(name).into_owned();
            (name, guarded(value, spellings))
        })),
        Json::Null => Value::from(()),
        Json::Bool(yes) => Value::from(*yes),
        Json::Number(number) => number
            .as_i64()
            .map(Value::from)
            .or_else(|| number.as_u64().map(Value::from))
            .or_else(|| number.as_f64().map(Value::from))
            .unwrap_or_default(),
    }
}
