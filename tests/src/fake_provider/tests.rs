use async_compression::tokio::bufread::GzipDecoder;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::*;
use crate::{RawConnection, gateway::client, sse};

async fn post(provider: &FakeProvider, path: &str, body: Value) -> reqwest::Response {
    client(None)
        .post(format!("{}{path}", provider.url()))
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

async fn json_of(response: reqwest::Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

async fn events_of(
    provider: &FakeProvider,
    path: &str,
    body: Value,
    answer: Answer,
) -> Vec<sse::Event> {
    provider.script(Script::answer(answer));
    let response = post(provider, path, body).await;
    assert_eq!(
        response.headers()["content-type"],
        "text/event-stream; charset=utf-8"
    );
    let (events, rest) = sse::events(&response.bytes().await.unwrap());
    assert!(rest.is_empty(), "{rest:?}");
    events
}

fn rich() -> Answer {
    Answer {
        text: "two words".into(),
        thinking: Some(Thinking {
            text: "hm".into(),
            signature: "sig==".into(),
        }),
        tool_calls: vec![ToolCall {
            name: "Read".into(),
            arguments: json!({ "path": "a.txt" }),
        }],
        usage: Usage {
            input: Some(7),
            output: Some(5),
            cached: 3,
            write_5m: 2,
            write_1h: 1,
            reasoning: 4,
            ..Usage::default()
        },
        ..Answer::default()
    }
}

#[tokio::test]
async fn requests_are_recorded_byte_for_byte() {
    let provider = FakeProvider::start().await;
    let body = "{ \"model\":\"gpt-x\" ,\t\"n\": 1.0e0, \"odd\": \"\\u00e9\" }";
    let response = client(None)
        .post(format!("{}/v1/chat/completions?beta=1", provider.url()))
        .header("anthropic-beta", "a,b")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap();
    let exchange = provider.only_exchange();
    assert_eq!(exchange.target, "/v1/chat/completions?beta=1");
    assert_eq!(exchange.path(), "/v1/chat/completions");
    assert_eq!(exchange.header("anthropic-beta"), "a,b");
    assert_eq!(exchange.body, body.as_bytes());
    assert!(exchange.body_complete);
    assert_eq!(exchange.end, Some(End::Finished));
}

#[tokio::test]
async fn chat_tells_text_tools_and_usage() {
    let provider = FakeProvider::start().await;
    provider.script(Script::answer(rich()));
    let body = json_of(
        post(
            &provider,
            "/v1/chat/completions",
            json!({ "model": "gpt-x" }),
        )
        .await,
    )
    .await;
    assert_eq!(body["choices"][0]["message"]["content"], "two words");
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(body["usage"]["prompt_tokens"], 10);
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 3);

    let asked =
        json!({ "model": "gpt-x", "stream": true, "stream_options": { "include_usage": true } });
    let events = events_of(&provider, "/v1/chat/completions", asked, rich()).await;
    assert_eq!(events.last().unwrap().data, "[DONE]");
    assert_eq!(
        events[events.len() - 2].json()["usage"]["completion_tokens"],
        5
    );
    let arguments: String = events
        .iter()
        .filter_map(|e| {
            e.json()["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]
                .as_str()
                .map(String::from)
        })
        .collect();
    assert_eq!(arguments, r#"{"path":"a.txt"}"#);
}

#[tokio::test]
async fn messages_tell_thinking_tools_and_usage() {
    let provider = FakeProvider::start().await;
    let events = events_of(
        &provider,
        "/v1/messages",
        json!({ "model": "claude-x", "stream": true }),
        rich(),
    )
    .await;
    assert_eq!(events.first().unwrap().name, "message_start");
    assert_eq!(events.last().unwrap().name, "message_stop");
    let usage = &events[0].json()["message"]["usage"];
    assert_eq!(usage["input_tokens"], 7);
    assert_eq!(usage["cache_creation"]["ephemeral_1h_input_tokens"], 1);
    let of = |kind: &str, field: &str| -> String {
        let deltas = events.iter().map(|e| e.json()["delta"].clone());
        deltas
            .filter(|d| d["type"] == kind)
            .filter_map(|d| d[field].as_str().map(String::from))
            .collect()
    };
    assert_eq!(of("signature_delta", "signature"), "sig==");
    assert_eq!(of("text_delta", "text"), "two words");
    assert_eq!(
        of("input_json_delta", "partial_json"),
        r#"{"path":"a.txt"}"#
    );
}

#[tokio::test]
async fn responses_tell_items_and_usage() {
    let provider = FakeProvider::start().await;
    let events = events_of(
        &provider,
        "/v1/responses",
        json!({ "model": "gpt-x", "stream": true }),
        rich(),
    )
    .await;
    let numbers: Vec<_> = events
        .iter()
        .map(|e| e.json()["sequence_number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
    let end = events.last().unwrap();
    assert_eq!(end.name, "response.completed");
    let response = &end.json()["response"];
    let kinds: Vec<_> = response["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].clone())
        .collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"]);
    assert_eq!(
        response["usage"]["output_tokens_details"]["reasoning_tokens"],
        4
    );
}

/// What the events that carry usage say of output tokens, in order; `null` where they say nothing.
async fn reported(shape: UsageShape, path: &str, asked: Value) -> Vec<Value> {
    let provider = FakeProvider::start().await;
    let answer = Answer {
        tokens: Some(2),
        usage: Usage {
            shape,
            ..Usage::default()
        },
        ..Answer::default()
    };
    let events = events_of(&provider, path, asked, answer).await;
    let usage = |event: &sse::Event| {
        let value = event.json();
        let usage = match event.name.as_str() {
            "message_start" => value["message"].get("usage").cloned(),
            "response.completed" => value["response"].get("usage").cloned(),
            "response.created" | "response.in_progress" => None,
            _ => value.get("usage").cloned(),
        }?;
        let output = usage
            .get("output_tokens")
            .or_else(|| usage.get("completion_tokens"));
        Some(output.cloned().unwrap_or_default())
    };
    events.iter().filter_map(usage).collect()
}

#[tokio::test]
async fn each_usage_shape_is_what_it_says() {
    let null = Value::Null;
    let chat = |shape| {
        let asked = json!({ "model": "gpt-x", "stream": true, "stream_options": { "include_usage": true } });
        reported(shape, "/v1/chat/completions", asked)
    };
    // Role, two tokens and the finish reason carry `"usage": null`; the report follows.
    let nulls = vec![null.clone(); 4];
    let with = |last: &[u64]| -> Vec<Value> {
        nulls
            .iter()
            .cloned()
            .chain(last.iter().map(|n| json!(n)))
            .collect()
    };
    assert_eq!(chat(UsageShape::Documented).await, with(&[2]));
    assert_eq!(chat(UsageShape::Missing).await, with(&[]));
    assert_eq!(chat(UsageShape::Zero).await, with(&[0]));
    assert_eq!(chat(UsageShape::Twice).await, with(&[2, 2]));
    assert_eq!(chat(UsageShape::AfterDone).await, with(&[2]));
    assert_eq!(chat(UsageShape::Cumulative).await, [0, 1, 2, 3, 2]);

    let messages = |shape| {
        reported(
            shape,
            "/v1/messages",
            json!({ "model": "claude-x", "stream": true }),
        )
    };
    assert_eq!(messages(UsageShape::Documented).await, [1, 2]);
    assert_eq!(messages(UsageShape::Missing).await, Vec::<Value>::new());
    assert_eq!(
        messages(UsageShape::Null).await,
        [null.clone(), null.clone()]
    );
    assert_eq!(messages(UsageShape::Twice).await, [1, 2, 2]);
    assert_eq!(messages(UsageShape::Cumulative).await, [1, 1, 2, 2]);
    assert_eq!(messages(UsageShape::AfterDone).await, [0, 2]);

    let responses = |shape| {
        reported(
            shape,
            "/v1/responses",
            json!({ "model": "gpt-x", "stream": true }),
        )
    };
    assert_eq!(responses(UsageShape::Documented).await, [2]);
    assert_eq!(responses(UsageShape::Missing).await, Vec::<Value>::new());
    assert_eq!(responses(UsageShape::AfterDone).await, [null, json!(2)]);
}

#[tokio::test]
async fn embeddings_come_as_floats_and_as_base64() {
    let provider = FakeProvider::start().await;
    let asked = json!({ "model": "text-embedding-x", "input": ["a", "b"] });
    let body = json_of(post(&provider, "/v1/embeddings", asked).await).await;
    assert_ne!(body["data"][0]["embedding"], body["data"][1]["embedding"]);
    let asked = json!({ "model": "text-embedding-x", "input": "a", "encoding_format": "base64" });
    let coded = json_of(post(&provider, "/v1/embeddings", asked).await).await;
    assert_eq!(coded["data"][0]["embedding"].as_str().unwrap().len(), 44);
}

#[tokio::test]
async fn the_script_comes_first_from_the_header_then_a_rule_then_the_queue() {
    let provider = FakeProvider::start().await;
    provider.script(Script::status(http::StatusCode::TOO_MANY_REQUESTS).header("retry-after", "1"));
    provider.script_when(
        |e| e.path() == "/v1/responses",
        Script::status(http::StatusCode::BAD_GATEWAY),
    );
    let send = |path: &'static str, script: Option<&'static str>| {
        let mut request = client(None)
            .post(format!("{}{path}", provider.url()))
            .body("{}");
        if let Some(script) = script {
            request = request.header("x-fake-script", script);
        }
        async move { request.send().await.unwrap() }
    };
    assert_eq!(
        send("/v1/responses", Some(r#"{"status": 529}"#))
            .await
            .status(),
        529
    );
    assert_eq!(send("/v1/responses", None).await.status(), 502);
    let refused = send("/v1/messages", None).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    assert_eq!(send("/v1/messages", None).await.status(), 200);
    let bad = send("/v1/messages", Some(r#"{"staus": 1}"#)).await;
    assert_eq!(bad.status(), 599);
    assert!(bad.text().await.unwrap().contains("unknown field `staus`"));
}

#[tokio::test]
async fn a_cut_ends_as_it_says() {
    let provider = FakeProvider::start().await;
    let parts = || Script::sse(["data: one\n\n", "data: two\n\n"]);
    let get = "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n";

    provider.script(parts().cut(CutAt::InsideEvent(1), Ending::Finish));
    let mut peer = RawConnection::open(provider.address()).await;
    peer.send(get).await;
    assert_eq!(peer.response().await.unwrap().text(), "data: one\n\ndata:");

    for ending in [Ending::Close, Ending::Reset] {
        provider.script(parts().cut(CutAt::Events(1), ending));
        let mut peer = RawConnection::open(provider.address()).await;
        peer.send(get).await;
        let all = String::from_utf8(peer.closed().await).unwrap();
        assert!(all.ends_with("data: one\n\n\r\n"), "{ending:?}: {all}");
    }

    provider.script(parts().cut(CutAt::Events(1), Ending::Stall));
    let mut peer = RawConnection::open(provider.address()).await;
    peer.send(get).await;
    peer.read_past("data: one\n\n").await;
    assert_eq!(provider.open_streams(), 1);
    peer.close();
    let all = provider
        .wait_until("the peer is gone", |all| {
            all.iter().all(|e| e.end.is_some())
        })
        .await;
    assert!(matches!(
        all.last().unwrap().end,
        Some(End::PeerClosed { .. })
    ));
    assert_eq!(all.last().unwrap().sent(), b"data: one\n\n");
}

#[tokio::test]
async fn a_peer_that_leaves_before_the_head_is_noticed() {
    let provider = FakeProvider::start().await;
    provider.script(Script::silent());
    let mut peer = RawConnection::open(provider.address()).await;
    peer.post("/v1/messages", "{}").await;
    provider
        .wait_until("the request is in", |all| {
            all.iter().any(|e| e.body_complete)
        })
        .await;
    peer.reset();
    let all = provider
        .wait_until("the peer is gone", |all| all[0].end.is_some())
        .await;
    assert!(matches!(all[0].end, Some(End::PeerClosed { .. })));
}

#[tokio::test]
async fn a_gate_releases_part_by_part() {
    let provider = FakeProvider::start().await;
    let gate = Gate::closed();
    provider.script(Script::sse(["data: one\n\n", "data: two\n\n"]).gate(&gate));
    let mut peer = RawConnection::open(provider.address()).await;
    peer.send("GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    peer.head().await.unwrap();
    assert!(provider.only_exchange().sent().is_empty());
    gate.release(1);
    peer.read_past("data: one\n\n").await;
    assert_eq!(provider.only_exchange().sent(), b"data: one\n\n");
    gate.open();
    peer.read_past("data: two\n\n").await;
    provider.wait_idle().await;
}

#[tokio::test]
async fn gzip_decodes_to_the_plain_body() {
    let provider = FakeProvider::start().await;
    let mut script = Script::sse(["data: one\n\n", "data: two\n\n"]);
    script.encoding = Some(Encoding::Gzip);
    provider.script(script);
    let response = post(&provider, "/v1/messages", json!({})).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut plain = String::new();
    let coded = response.bytes().await.unwrap();
    GzipDecoder::new(coded.as_ref())
        .read_to_string(&mut plain)
        .await
        .unwrap();
    assert_eq!(plain, "data: one\n\ndata: two\n\n");
}

#[tokio::test]
async fn http2_without_tls_is_spoken() {
    let provider = FakeProvider::start().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let response = client
        .get(format!("{}/v1/models", provider.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(provider.only_exchange().version, http::Version::HTTP_2);
}

#[tokio::test]
async fn the_agent_scenario_calls_the_tool_once_in_each_protocol() {
    let agent = AgentScenario {
        call: Some(ToolCall {
            name: "Read".into(),
            arguments: json!({ "path": "a" }),
        }),
        text: "done".into(),
    };
    let provider = FakeProvider::start_on(0, Some(agent), None).await.unwrap();
    let offered = json!([{ "name": "Read", "function": { "name": "Read" } }]);
    let results = [
        (
            "/v1/chat/completions",
            "messages",
            json!({ "role": "tool", "content": "x" }),
        ),
        (
            "/v1/responses",
            "input",
            json!({ "type": "function_call_output", "output": "x" }),
        ),
        (
            "/v1/messages",
            "messages",
            json!({ "role": "user", "content": [{ "type": "tool_result" }] }),
        ),
    ];
    for (path, turns, result) in results {
        let ask = |turn: Value, tools: &Value| {
            post(
                &provider,
                path,
                json!({ "model": "m", "tools": tools, turns: [turn] }),
            )
        };
        let question = json!({ "role": "user", "content": "go" });
        let first = ask(question.clone(), &offered).await.text().await.unwrap();
        assert!(
            first.contains("Read") && !first.contains("done"),
            "{path}: {first}"
        );
        let second = ask(result, &offered).await.text().await.unwrap();
        assert!(
            second.contains("done") && !second.contains("Read"),
            "{path}: {second}"
        );
        let without = ask(question, &Value::Null).await.text().await.unwrap();
        assert!(without.contains("done"), "{path}: {without}");
    }
}

#[tokio::test]
async fn the_log_holds_one_line_per_request() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.jsonl");
    let provider = FakeProvider::start_on(0, None, Some(&path)).await.unwrap();
    post(&provider, "/v1/messages", json!({ "model": "claude-x" })).await;
    post(
        &provider,
        "/v1/messages?beta=true",
        json!({ "model": "claude-y" }),
    )
    .await;
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["path"], "/v1/messages?beta=true");
    assert_eq!(lines[1]["body"]["model"], "claude-y");
}
