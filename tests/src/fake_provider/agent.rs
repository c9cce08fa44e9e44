//! The scenario in which a coding agent finishes one tool round trip. See [`AgentScenario`].

use serde_json::Value;

use super::{Answer, Exchange, Script, ToolCall};

/// Answers with one call of a tool while the conversation holds no tool result, then with a text.
#[derive(Clone, Debug)]
pub struct AgentScenario {
    /// The call; none for text alone.
    pub call: Option<ToolCall>,
    /// The final text.
    pub text: String,
}

impl AgentScenario {
    pub(super) fn script(&self, request: &Exchange) -> Script {
        let asked = request.json();
        match &self.call {
            Some(call) if offers(&asked, &call.name) && !has_result(&asked) => {
                Script::answer(Answer {
                    tool_calls: vec![call.clone()],
                    ..Answer::default()
                })
            }
            _ => Script::text(&self.text),
        }
    }
}

/// True when the request offers a tool of this name, in any of the three protocols.
fn offers(asked: &Value, name: &str) -> bool {
    let tools = asked["tools"].as_array();
    tools.is_some_and(|tools| {
        tools
            .iter()
            .any(|tool| tool["name"] == name || tool["function"]["name"] == name)
    })
}

/// True when the conversation holds a tool's result, in any of the three protocols.
fn has_result(asked: &Value) -> bool {
    let turns = [&asked["messages"], &asked["input"]];
    turns
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .any(|turn| {
            let blocks = turn["content"].as_array();
            turn["role"] == "tool"
                || turn["type"] == "function_call_output"
                || blocks
                    .is_some_and(|blocks| blocks.iter().any(|block| block["type"] == "tool_result"))
        })
}
