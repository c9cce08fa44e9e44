//! What was left out of a result can be fetched, and the client sees one answer.

use serde_json::{Value, json};
use skinflint_tests::{
    Answer, Exchange, FakeProvider, Gateway, RedisServer, Script, Thinking, ToolCall,
};

const TENANT: &str = "[tenant]\nid = 'acme'\nkeyless = true\n[compress]\nmode = 'balanced'\nguard = false\n[cache]\nhints = false\n";

async fn gateway(provider: &FakeProvider) -> Gateway {
    Gateway::builder(provider)
        .tenant("acme", TENANT)
        .start()
        .await
}

/// What a tool gives: much of the same, and something that nobody would miss.
fn rows() -> String {
    let row = |number: u32| {
        let load = number % 7;
        json!({ "seq": number, "level": "INFO", "status": "ok", "msg": format!("heartbeat from worker, load {load}") })
    };
    serde_json::to_string(&(0..400).map(row).collect::<Vec<_>>()).unwrap()
}

/// A client of one of the protocols.
#[derive(Clone, Copy, Debug)]
struct Client {
    path: &'static str,
    stream: bool,
}

impl Client {
    const ALL: [Self; 4] = [
        Self {
            path: "/v1/messages",
            stream: true,
        },
        Self {
            path: "/v1/messages",
            stream: false,
        },
        Self {
            path: "/v1/chat/completions",
            stream: true,
        },
        Self {
            path: "/v1/chat/completions",
            stream: false,
        },
    ];

    fn is_chat(self) -> bool {
        self.path.ends_with("completions")
    }

    /// The opening, the call of the client's tool, and its result.
    fn conversation(self) -> Vec<Value> {
        let mut messages = vec![json!({ "role": "user", "content": "Is all well?" })];
        if self.is_chat() {
            let call = json!({ "id": "call_0", "type": "function", "function": { "name": "list_events", "arguments": "{}" } });
            messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
            messages.push(json!({ "role": "tool", "tool_call_id": "call_0", "content": rows() }));
        } else {
            let call =
                json!({ "type": "tool_use", "id": "toolu_0", "name": "list_events", "input": {} });
            messages.push(json!({ "role": "assistant", "content": [call] }));
            let result =
                json!({ "type": "tool_result", "tool_use_id": "toolu_0", "content": rows() });
            messages.push(json!({ "role": "user", "content": [result] }));
        }
        messages
    }

    fn request(self, messages: &[Value]) -> String {
        let schema = json!({ "type": "object", "properties": {} });
        let tool = if self.is_chat() {
            json!({ "type": "function", "function": { "name": "list_events", "parameters": schema } })
        } else {
            json!({ "name": "list_events", "input_schema": schema })
        };
        let model = if self.is_chat() {
            "gpt-4o"
        } else {
            "claude-sonnet-4-5"
        };
        json!({ "model": model, "max_tokens": 64, "stream": self.stream, "tools": [tool], "messages": messages })
            .to_string()
    }

    /// Sends a request, and gives the answer as the client would send it back, beside the text of it all.
    async fn send(self, gateway: &Gateway, messages: &[Value]) -> (Value, String) {
        let answer = gateway
            .post(self.path, self.request(messages))
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{text}");
        let message = match (self.is_chat(), self.stream) {
            (true, false) => parsed(&text)["choices"][0]["message"].clone(),
            (false, false) => json!({ "role": "assistant", "content": parsed(&text)["content"] }),
            (true, true) => joined_chunks(&text),
            (false, true) => joined_blocks(&text),
        };
        (message, text)
    }

    /// A result of the client's own tool.
    fn result(self, id: &str) -> Value {
        if self.is_chat() {
            json!({ "role": "tool", "tool_call_id": id, "content": "fine" })
        } else {
            json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": "fine" }] })
        }
    }
}

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn events(text: &str) -> impl Iterator<Item = Value> + '_ {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(parsed)
}

/// The message that a stream of blocks comes to. Indices go up by one: a client may rely on it.
fn joined_blocks(text: &str) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    for event in events(text) {
        let index = event["index"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(index, Some(blocks.len()), "{text}");
                blocks.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let block = &mut blocks[index.unwrap()];
                for (from, to) in [
                    ("text", "text"),
                    ("thinking", "thinking"),
                    ("signature", "signature"),
                    ("partial_json", "json"),
                ] {
                    if let Some(piece) = event["delta"][from].as_str() {
                        let before = block[to].as_str().unwrap_or_default();
                        block[to] = json!(format!("{before}{piece}"));
                    }
                }
            }
            _ => {}
        }
    }
    for block in &mut blocks {
        if let Some(input) = block.as_object_mut().unwrap().remove("json") {
            block["input"] = parsed(input.as_str().unwrap());
        }
    }
    assert_eq!(text.matches("event: message_start").count(), 1);
    assert_eq!(text.matches("event: message_stop").count(), 1);
    json!({ "role": "assistant", "content": blocks })
}

fn joined_chunks(text: &str) -> Value {
    let (mut content, mut calls) = (String::new(), Vec::<Value>::new());
    let mut ids = std::collections::BTreeSet::new();
    for chunk in events(text) {
        ids.insert(chunk["id"].to_string());
        let delta = &chunk["choices"][0]["delta"];
        content += delta["content"].as_str().unwrap_or_default();
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
            if index == calls.len() {
                calls.push(json!({ "id": piece["id"], "type": "function", "function": { "name": piece["function"]["name"], "arguments": "" } }));
            }
            let before = calls[index]["function"]["arguments"]
                .as_str()
                .unwrap()
                .to_owned();
            let more = piece["function"]["arguments"].as_str().unwrap_or_default();
            calls[index]["function"]["arguments"] = json!(before + more);
        }
    }
    assert_eq!(ids.len(), 1, "{text}");
    assert_eq!(text.matches("[DONE]").count(), 1);
    let mut message = json!({ "role": "assistant", "content": content });
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    message
}

fn body(exchange: &Exchange) -> Value {
    serde_json::from_slice(&exchange.body).unwrap()
}

/// The handle in the request's newest text, if that names one.
fn handle(exchange: &Exchange) -> Option<String> {
    let text = String::from_utf8_lossy(&exchange.body).into_owned();
    let (_, rest) = text.rsplit_once("skinflint_fetch id ")?;
    Some(rest[..24].to_owned())
}

fn fetch(id: &str) -> ToolCall {
    ToolCall {
        name: "skinflint_fetch".to_owned(),
        arguments: json!({ "id": id }),
    }
}

/// Fetches what was left out of the first result, and then says how it is; calls the client's tool beside that where the
/// newest message asks for it.
fn script(exchange: &Exchange) -> Option<Script> {
    let text = String::from_utf8_lossy(&exchange.body).into_owned();
    let id = handle(exchange)?;
    let fetched = text.matches("heartbeat from worker, load 3").count() > 50;
    let thinking = (!exchange.target.contains("chat")).then(|| Thinking {
        text: "Hm.".to_owned(),
        signature: "c2ln".to_owned(),
    });
    let both = text.contains("Both at once");
    Some(Script::answer(if fetched && !both {
        Answer {
            text: "All is well.".to_owned(),
            thinking,
            ..Answer::default()
        }
    } else if both && !text.contains("\"fine\"") {
        let own = ToolCall {
            name: "list_events".to_owned(),
            arguments: json!({}),
        };
        Answer {
            tool_calls: vec![fetch(&id), own],
            thinking,
            ..Answer::default()
        }
    } else if both {
        Answer {
            text: "Both say so.".to_owned(),
            ..Answer::default()
        }
    } else {
        Answer {
            text: "Let me see.".to_owned(),
            tool_calls: vec![fetch(&id)],
            thinking,
            ..Answer::default()
        }
    }))
}

/// Turns of a request as the provider sees them: roles, and what is hidden from the client.
fn shape(request: &Value) -> Vec<String> {
    let name = |message: &Value| {
        let text = message.to_string();
        let calls = text.contains("\"skinflint_fetch\"");
        let whole = text.matches("heartbeat from worker, load 3").count() > 20;
        let role = message["role"].as_str().unwrap();
        format!(
            "{role}{}{}",
            if calls { " fetches" } else { "" },
            if whole { " whole" } else { "" }
        )
    };
    request["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect()
}

#[tokio::test]
async fn a_model_fetches_what_was_left_out_within_one_answer() {
    for client in Client::ALL {
        let provider = FakeProvider::start().await;
        provider.script_by(script);
        let mut gateway = gateway(&provider).await;
        let mut messages = client.conversation();
        client.send(&gateway, &messages[..1]).await;
        let opening = body(&provider.exchanges()[0]);
        assert_eq!(opening["tools"].as_array().unwrap().len(), 2, "{client:?}");

        let (answer, text) = client.send(&gateway, &messages).await;
        let exchanges = provider.exchanges();
        assert_eq!(exchanges.len(), 3, "{client:?} {text}");
        let (asked, went_on) = (body(&exchanges[1]), body(&exchanges[2]));
        assert_eq!(asked["tools"], opening["tools"]);
        let result = asked["messages"][2].to_string();
        assert!(
            result.contains("rows omitted; source intact") && result.len() < rows().len() / 3,
            "{result}"
        );
        let tool = if client.is_chat() { "tool" } else { "user" };
        assert_eq!(
            shape(&went_on),
            [
                "user",
                "assistant",
                tool,
                "assistant fetches",
                &format!("{tool} whole")
            ]
        );
        assert!(!text.contains("skinflint_fetch"), "{text}");
        assert!(
            text.contains("well") && answer.to_string().contains("Let me"),
            "{client:?} {text}"
        );

        // Both rounds are paid for, as parts of one call.
        let prefix = asked["messages"].as_array().unwrap().len();
        assert_eq!(
            asked["messages"].as_array().unwrap()[..],
            went_on["messages"].as_array().unwrap()[..prefix]
        );

        // The client's next request is the conversation as it was, also after a restart.
        messages.push(answer);
        messages.push(user("And now?"));
        gateway.signal(nix::sys::signal::Signal::SIGTERM);
        gateway.exited().await;
        gateway.start_again().await;
        client.send(&gateway, &messages).await;
        let later = body(provider.exchanges().last().unwrap());
        assert_eq!(
            shape(&later),
            [
                "user",
                "assistant",
                tool,
                "assistant fetches",
                &format!("{tool} whole"),
                "assistant",
                "user"
            ],
            "{client:?}"
        );
        assert_eq!(later["tools"], opening["tools"]);
        if !client.is_chat() {
            let hidden = &later["messages"][3]["content"];
            assert_eq!(
                (&hidden[0]["signature"], &hidden[1]["text"]),
                (&json!("c2ln"), &json!("Let me see.")),
                "{later}"
            );
            assert_eq!(
                later["messages"].as_array().unwrap()[3..5],
                went_on["messages"].as_array().unwrap()[3..5]
            );
        }
        gateway.finish().await;
    }
}

#[tokio::test]
async fn a_turn_that_calls_the_clients_tool_too_is_put_together_in_the_next_request() {
    for client in Client::ALL {
        let provider = FakeProvider::start().await;
        provider.script_by(script);
        let gateway = gateway(&provider).await;
        let mut messages = client.conversation();
        messages[0] = user("Both at once, please.");
        client.send(&gateway, &messages[..1]).await;
        let (answer, text) = client.send(&gateway, &messages).await;
        assert_eq!(provider.exchanges().len(), 2, "{client:?} {text}");
        assert!(
            !text.contains("skinflint_fetch") && text.contains("list_events"),
            "{text}"
        );
        let id = if client.is_chat() {
            answer["tool_calls"][0]["id"].clone()
        } else {
            answer["content"].as_array().unwrap().last().unwrap()["id"].clone()
        };
        messages.push(answer);
        messages.push(client.result(id.as_str().unwrap()));
        let (_, text) = client.send(&gateway, &messages).await;
        assert!(text.contains("Both"), "{client:?} {text}");
        let later = body(provider.exchanges().last().unwrap());
        let expected: &[&str] = if client.is_chat() {
            &[
                "user",
                "assistant",
                "tool",
                "assistant fetches",
                "tool whole",
                "tool",
            ]
        } else {
            &[
                "user",
                "assistant",
                "user",
                "assistant fetches",
                "user whole",
            ]
        };
        assert_eq!(shape(&later), expected, "{client:?} {later}");
        gateway.finish().await;
    }
}

#[tokio::test]
async fn without_the_tool_nothing_is_left_out() {
    let provider = FakeProvider::start().await;
    let gateway = gateway(&provider).await;
    // First seen midway: the tool cannot be added any more.
    let client = Client::ALL[0];
    client.send(&gateway, &client.conversation()).await;
    let sent = body(&provider.only_exchange());
    assert_eq!(sent["tools"].as_array().unwrap().len(), 1);
    let result = sent["messages"][2].to_string();
    assert!(
        result.contains("Tables: ") && !result.contains("omitted"),
        "{result}"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn a_model_that_never_stops_fetching_is_stopped() {
    let provider = FakeProvider::start().await;
    provider.script_by(|exchange| {
        let id = handle(exchange)?;
        Some(Script::answer(Answer {
            tool_calls: vec![fetch(&id)],
            ..Answer::default()
        }))
    });
    let gateway = gateway(&provider).await;
    for client in [Client::ALL[0], Client::ALL[3]] {
        let messages = client.conversation();
        client.send(&gateway, &messages[..1]).await;
        let answer = gateway
            .post(client.path, client.request(&messages))
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert_eq!(status, if client.stream { 200 } else { 502 });
        assert!(text.contains("omitted texts 8 times"), "{text}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn gateways_that_share_a_redis_go_on_with_each_others_conversations() {
    let redis = RedisServer::start().await;
    let provider = FakeProvider::start().await;
    provider.script_by(script);
    let start = async || {
        let gateway = Gateway::builder(&provider).tenant("acme", TENANT);
        gateway.decisions(&redis.url()).start().await
    };
    let (one, other) = (start().await, start().await);
    let client = Client::ALL[0];
    let mut messages = client.conversation();
    client.send(&one, &messages[..1]).await;
    let (answer, _) = client.send(&one, &messages).await;
    let sent = body(&provider.exchanges()[2]);
    messages.push(answer);
    messages.push(user("And now?"));
    client.send(&other, &messages).await;
    let later = body(provider.exchanges().last().unwrap());
    assert_eq!(later["tools"], sent["tools"]);
    let known = sent["messages"].as_array().unwrap();
    assert_eq!(
        later["messages"].as_array().unwrap()[..known.len()],
        known[..]
    );
    one.finish().await;
    other.finish().await;
}
