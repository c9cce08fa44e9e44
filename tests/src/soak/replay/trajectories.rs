//! The recorded conversations, as the requests that an agent had sent.

use std::path::Path;

use serde_json::{Value, json};

use super::price;
use crate::{Answer, ToolCall};

/// A conversation of an agent with its model.
#[derive(Debug)]
pub(super) struct Conversation {
    /// Its task.
    pub(super) task: String,
    protocol: Protocol,
    /// Everything of a request but its messages.
    frame: Value,
    messages: Vec<Value>,
    /// Where in `messages` the model speaks: what comes before is that turn's request.
    turns: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    OpenAi,
    Anthropic,
}

/// Longer than any recorded answer, in tokens.
const MAX_TOKENS: u64 = 4_096;

/// So many conversations of each protocol.
pub(super) fn read(folder: &Path, most: usize) -> Vec<Conversation> {
    let text = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let json = |text: &str| -> Value { serde_json::from_str(text).expect("a recording in JSON") };
    let tools = json(&text("airline_tools_openai.json"));
    let openai = json(&text("airline_trajectories.json"));
    let openai = openai
        .as_array()
        .expect("a list")
        .iter()
        .take(most)
        .enumerate();
    let openai = openai.map(|(number, recorded)| openai_conversation(number, recorded, &tools));
    let anthropic = text("airline_trajectories.anthropic.jsonl");
    let anthropic = anthropic.lines().take(most).enumerate();
    let anthropic =
        anthropic.map(|(number, line)| anthropic_conversation(number, &json(line), &tools));
    openai.chain(anthropic).collect()
}

fn openai_conversation(number: usize, recorded: &Value, tools: &Value) -> Conversation {
    let (provider, model) = match number % 2 {
        0 => ("openai", price::GPT),
        _ => ("deepinfra", price::DEEPSEEK),
    };
    Conversation::new(
        format!("{provider}-{number}"),
        Protocol::OpenAi,
        json!({ "model": model, "tools": tools }),
        &recorded["traj"],
    )
}

/// With places marked as agents mark them: what never changes for an hour, and the end for five minutes; every other conversation marks the system prompt for
/// five minutes alone.
fn anthropic_conversation(number: usize, recorded: &Value, tools: &Value) -> Conversation {
    let hour = json!({ "type": "ephemeral", "ttl": "1h" });
    let tool = |tool: &Value| {
        let function = &tool["function"];
        json!({
            "name": function["name"],
            "description": function["description"],
            "input_schema": function["parameters"],
        })
    };
    let mut tools: Vec<Value> = tools.as_array().expect("a list").iter().map(tool).collect();
    let mut system = json!([{ "type": "text", "text": recorded["system"] }]);
    if number.is_multiple_of(2) {
        system[0]["cache_control"] = hour;
    } else {
        tools.last_mut().expect("there are tools")["cache_control"] = hour;
        system[0]["cache_control"] = short();
    }
    Conversation::new(
        format!("anthropic-{number}"),
        Protocol::Anthropic,
        json!({ "model": price::SONNET, "max_tokens": MAX_TOKENS, "tools": tools, "system": system }),
        &recorded["messages"],
    )
}

impl Conversation {
    fn new(task: String, protocol: Protocol, frame: Value, messages: &Value) -> Self {
        let messages = messages.as_array().expect("a list").clone();
        let speaks = |at: &usize| messages[*at]["role"] == "assistant";
        Self {
            task,
            protocol,
            frame,
            turns: (0..messages.len()).filter(speaks).collect(),
            messages,
        }
    }

    /// Calls that the agent made.
    pub(super) fn turns(&self) -> usize {
        self.turns.len()
    }

    pub(super) fn path(&self) -> &'static str {
        match self.protocol {
            Protocol::OpenAi => "/v1/chat/completions",
            Protocol::Anthropic => "/v1/messages",
        }
    }

    /// The id of a call.
    pub(super) fn id(&self, turn: usize) -> String {
        format!("{}/{turn}", self.task)
    }

    /// The request of a turn; every other one is streamed, and of these every other one without asking for its usage.
    pub(super) fn request(&self, turn: usize) -> String {
        let mut request = self.frame.clone();
        let mut messages = self.messages[..self.turns[turn]].to_vec();
        if self.protocol == Protocol::Anthropic {
            let last = messages
                .last_mut()
                .and_then(|last| last["content"].as_array_mut());
            let last = last.and_then(|blocks| blocks.last_mut());
            last.expect("a message has blocks")["cache_control"] = short();
        }
        request["messages"] = messages.into();
        if turn % 2 == 1 {
            request["stream"] = true.into();
            if self.protocol == Protocol::OpenAi && turn % 4 == 1 {
                request["stream_options"] = json!({ "include_usage": true });
            }
        }
        request.to_string()
    }

    /// The recorded answers by the ids of their calls.
    pub(super) fn answers(&self) -> impl Iterator<Item = (String, Answer)> {
        let turns = self.turns.iter().enumerate();
        turns.map(|(turn, at)| (self.id(turn), self.answer(&self.messages[*at])))
    }

    fn answer(&self, message: &Value) -> Answer {
        let mut answer = Answer::default();
        match self.protocol {
            Protocol::OpenAi => {
                answer.text = message["content"].as_str().unwrap_or_default().into();
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    let function = &call["function"];
                    let arguments = function["arguments"].as_str().unwrap_or_default();
                    answer.tool_calls.push(ToolCall {
                        name: name(function),
                        arguments: serde_json::from_str(arguments).expect("arguments in JSON"),
                    });
                }
            }
            Protocol::Anthropic => {
                for block in message["content"].as_array().into_iter().flatten() {
                    match block["type"].as_str() {
                        Some("tool_use") => answer.tool_calls.push(ToolCall {
                            name: name(block),
                            arguments: block["input"].clone(),
                        }),
                        _ => answer
                            .text
                            .push_str(block["text"].as_str().unwrap_or_default()),
                    }
                }
            }
        }
        answer
    }
}

fn name(of: &Value) -> String {
    of["name"].as_str().unwrap_or_default().into()
}

fn short() -> Value {
    json!({ "type": "ephemeral" })
}
