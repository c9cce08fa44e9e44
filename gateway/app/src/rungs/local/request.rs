//! A conversation as the engine takes it.

use skinflint_local_model::{
    Chat, Format, GenerateRequest, Prompt, Role, Sampling, Tool, ToolCall, ToolChoice, Turn,
};
use skinflint_protocol::{AnswerFormat, CallChoice, Conversation, Speaker};

/// What the engine is asked for. Whose call it is and until when it matters is the caller's to say.
pub(super) fn request(mut conversation: Conversation) -> GenerateRequest {
    GenerateRequest {
        max_tokens: conversation
            .max_output_tokens
            .map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX)),
        sampling: sampling(&conversation),
        stop: std::mem::take(&mut conversation.sampling.stop),
        format: match std::mem::take(&mut conversation.format) {
            AnswerFormat::Text => Format::Text,
            AnswerFormat::JsonObject => Format::JsonObject,
            AnswerFormat::JsonSchema(schema) => Format::JsonSchema(schema),
        },
        logprobs: conversation.logprobs,
        ..GenerateRequest::new(prompt(conversation))
    }
}

fn sampling(conversation: &Conversation) -> Sampling {
    let (wanted, penalties) = (&conversation.sampling, &conversation.penalties);
    Sampling {
        temperature: wanted.temperature.map(narrow),
        top_p: wanted.top_p.map(narrow),
        // Some servers take -1 for no limit.
        top_k: wanted.top_k.map(|value| u32::try_from(value).unwrap_or(0)),
        min_p: penalties.min_p.map(narrow),
        repetition_penalty: penalties.repetition.map(narrow),
        presence_penalty: penalties.presence.map(narrow),
        frequency_penalty: penalties.frequency.map(narrow),
        seed: wanted.seed.map(i64::cast_unsigned),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "temperatures, probabilities and penalties need no more than seven digits"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// What the model reads of a conversation.
pub(super) fn prompt(conversation: Conversation) -> Prompt {
    Prompt::Chat(Chat {
        one_call: !conversation.parallel_calls,
        turns: conversation.turns.into_iter().map(turn).collect(),
        tools: conversation
            .functions
            .into_iter()
            .map(|function| Tool {
                name: function.name,
                description: function.description,
                parameters: function.parameters,
            })
            .collect(),
        tool_choice: match conversation.call_choice {
            CallChoice::Auto => ToolChoice::Auto,
            CallChoice::None => ToolChoice::None,
            CallChoice::Required => ToolChoice::Required,
            CallChoice::Named(name) => ToolChoice::Named(name),
        },
    })
}

fn turn(turn: skinflint_protocol::Turn) -> Turn {
    Turn {
        role: match turn.role {
            Speaker::System => Role::System,
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
            Speaker::Tool => Role::Tool,
        },
        text: turn.text,
        calls: turn
            .calls
            .into_iter()
            .map(|call| ToolCall {
                name: call.name,
                arguments: call.arguments,
            })
            .collect(),
        tool: turn.tool,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skinflint_protocol::{Endpoint, JsonLimits, RequestView};

    use super::*;

    fn read(body: &str) -> GenerateRequest {
        let endpoint = Endpoint::ChatCompletions;
        let view = RequestView::parse(endpoint, body.as_bytes(), JsonLimits::default()).unwrap();
        request(Conversation::from_view(&view, body.as_bytes()).unwrap())
    }

    fn chat(request: GenerateRequest) -> Chat {
        match request.prompt {
            Prompt::Chat(chat) => chat,
            Prompt::Text(text) => panic!("{text}"),
        }
    }

    #[test]
    fn everything_that_is_asked_reaches_the_engine() {
        let request = read(
            r#"{"model":"m","messages":[
                {"role":"user","content":"weather?"},
                {"role":"assistant","content":"Let me see.","tool_calls":[{"id":"t","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Bern\"}"}}]},
                {"role":"tool","tool_call_id":"t","content":"sunny"}],
            "tools":[{"type":"function","function":{"name":"weather","description":"Tells it","parameters":{"type":"object"}}}],
            "tool_choice":{"type":"function","function":{"name":"weather"}},
            "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},
            "logprobs":true,"top_logprobs":2,"max_completion_tokens":5000000000,"stop":["x"],
            "temperature":0.5,"top_p":0.25,"top_k":-1,"min_p":0.125,"seed":-1,
            "presence_penalty":1,"frequency_penalty":-1,"repetition_penalty":1.5}"#,
        );
        assert_eq!(
            request.format,
            Format::JsonSchema(json!({"type": "object"}))
        );
        assert_eq!(request.logprobs, Some(2));
        assert_eq!(request.max_tokens, Some(u32::MAX));
        assert_eq!(request.stop, ["x"]);
        let expected = Sampling {
            temperature: Some(0.5),
            top_p: Some(0.25),
            top_k: Some(0),
            min_p: Some(0.125),
            repetition_penalty: Some(1.5),
            presence_penalty: Some(1.0),
            frequency_penalty: Some(-1.0),
            seed: Some(u64::MAX),
        };
        assert_eq!(request.sampling, expected);
        let chat = chat(request);
        let tool = Tool {
            name: "weather".to_owned(),
            description: Some("Tells it".to_owned()),
            parameters: json!({"type": "object"}),
        };
        assert_eq!(chat.tools, [tool]);
        assert_eq!(chat.tool_choice, ToolChoice::Named("weather".to_owned()));
        let call = ToolCall {
            name: "weather".to_owned(),
            arguments: r#"{"city":"Bern"}"#.to_owned(),
        };
        let turns = [
            Turn::new(Role::User, "weather?"),
            Turn {
                calls: vec![call],
                ..Turn::new(Role::Assistant, "Let me see.")
            },
            Turn {
                tool: Some("weather".to_owned()),
                ..Turn::new(Role::Tool, "sunny")
            },
        ];
        assert_eq!(chat.turns, turns);
    }

    #[test]
    fn what_is_not_asked_is_left_to_the_engine() {
        let request = read(r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#);
        let turns = vec![Turn::new(Role::User, "hi")];
        let chat = Chat {
            turns,
            ..Chat::default()
        };
        assert_eq!(request, GenerateRequest::new(Prompt::Chat(chat)));
    }
}
