//! Tools and their calls as text, for models whose template has no words for them.

use serde_json::Value;

use crate::request::{Tool, ToolCall};

/// How deep a schema is described; what lies deeper is only named by its type.
const DEPTH: usize = 2;

/// One line a tool: its name, its arguments with their types, and what it does.
pub(super) fn describe(tools: &[Tool]) -> String {
    let mut text = String::new();
    for tool in tools {
        text.push_str("- ");
        text.push_str(&one_line(&tool.name));
        text.push('(');
        text.push_str(&members(&tool.parameters, DEPTH));
        text.push(')');
        if let Some(description) = &tool.description {
            text.push_str(": ");
            text.push_str(&one_line(description));
        }
        text.push('\n');
    }
    text
}

/// `name: type` of each property of an object's schema, with `?` where it may be left out.
fn members(schema: &Value, depth: usize) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return String::new();
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| {
        required.is_some_and(|names| names.iter().any(|other| other.as_str() == Some(name)))
    };
    let members = properties.iter().map(|(name, schema)| {
        let mark = if is_required(name) { "" } else { "?" };
        format!("{}{mark}: {}", one_line(name), kind(schema, depth))
    });
    members.collect::<Vec<_>>().join(", ")
}

fn kind(schema: &Value, depth: usize) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        return values.join(" | ");
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") if depth > 0 => match schema.get("items") {
            Some(items) => format!("array of {}", kind(items, depth - 1)),
            None => "array".to_owned(),
        },
        Some("object") if depth > 0 => match members(schema, depth - 1) {
            members if members.is_empty() => "object".to_owned(),
            members => format!("{{{members}}}"),
        },
        Some(name) => one_line(name),
        None => "any".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A call as [`ToolSyntax::Hermes`](crate::tool_syntax::ToolSyntax::Hermes) has it.
pub(super) fn hermes(call: &ToolCall) -> String {
    let name = Value::from(call.name.as_str());
    // Arguments that are no JSON were never a call that worked, but they were said.
    let arguments: Value =
        serde_json::from_str(&call.arguments).unwrap_or_else(|_| call.arguments.as_str().into());
    format!("<tool_call>\n{{\"name\": {name}, \"arguments\": {arguments}}}\n</tool_call>")
}

/// Text, and after it calls, each on lines of its own.
pub(super) fn with_calls(text: &str, calls: &[ToolCall]) -> String {
    let parts = std::iter::once(text.trim().to_owned()).chain(calls.iter().map(hermes));
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_is_a_line() {
        let tools = [
            Tool {
                name: "get_weather".to_owned(),
                description: Some("Current weather\n  in a city.".to_owned()),
                parameters: json!({
                    "type": "object",
                    "properties": {
                        "city": {"type": "string"},
                        "unit": {"enum": ["C", "F"]},
                        "days": {"type": "array", "items": {"type": "integer"}},
                        "place": {"type": "object", "properties": {"lat": {"type": "number"}}},
                        "extra": {},
                    },
                    "required": ["city"],
                }),
            },
            Tool {
                name: "now".to_owned(),
                description: None,
                parameters: json!({"type": "object"}),
            },
        ];
        assert_eq!(
            describe(&tools),
            "- get_weather(city: string, unit?: \"C\" | \"F\", days?: array of integer, \
             place?: {lat?: number}, extra?: any): Current weather in a city.\n- now()\n"
        );
    }

    #[test]
    fn nested_schemas_are_described_to_a_depth() {
        let mut schema = json!({"type": "integer"});
        for _ in 0..20 {
            schema = json!({"type": "array", "items": schema});
        }
        assert_eq!(kind(&schema, DEPTH), "array of array of array");
    }

    #[test]
    fn a_call_is_written_as_hermes_models_write_it() {
        let call = |arguments: &str| ToolCall {
            name: "f\"".to_owned(),
            arguments: arguments.to_owned(),
        };
        assert_eq!(
            with_calls(" Wait. ", &[call("{\n\"b\": 1, \"a\": [2]}")]),
            "Wait.\n<tool_call>\n{\"name\": \"f\\\"\", \"arguments\": {\"b\":1,\"a\":[2]}}\n</tool_call>"
        );
        assert_eq!(
            with_calls("", &[call("x\ny")]),
            "<tool_call>\n{\"name\": \"f\\\"\", \"arguments\": \"x\\ny\"}\n</tool_call>"
        );
    }
}
