//! Bodies that no provider should see: a precise 4xx in the protocol's shape, and no upstream call.

use std::fmt::Write;

use insta::assert_snapshot;
use skinflint_tests::{FakeProvider, Gateway};

use crate::{
    api::Api,
    encodings::gzip,
    told::{header, told},
};

/// What the gateway tells of each body, one line each.
async fn refusals(api: Api, bodies: &[&str]) -> String {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let mut all = String::new();
    for body in bodies {
        let response = gateway
            .post(api.path(), (*body).to_owned())
            .send()
            .await
            .unwrap();
        assert_eq!(
            header(&response, "content-type"),
            "application/json",
            "{body}"
        );
        let shown: String = body.chars().take(110).collect();
        writeln!(all, "{shown}\n  {}", told(response).await).unwrap();
    }
    assert!(
        provider.exchanges().is_empty(),
        "a refused body reached the provider"
    );
    gateway.finish().await;
    all
}

#[tokio::test]
async fn what_is_not_json() {
    let bodies = [
        "",
        "not json",
        r#"{"model":"gpt-fake-1","messages":[}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}]"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}]} {}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"temperature":NaN}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"temperature":Infinity}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"n":01}"#,
        "{\"model\":\"gpt-fake-1\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"user\":\"tab\there\"}",
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"\ud800"}]}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"\udc00\ud800"}]}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"\ud83e":1}"#,
        "{'model':'gpt-fake-1'}",
    ];
    assert_snapshot!(refusals(Api::Chat, &bodies).await, @r#"

  400 {"error":{"message":"Invalid JSON: unexpected end at byte 0.","type":"invalid_request_error","param":null,"code":null}}
not json
  400 {"error":{"message":"Invalid JSON: expected a value at byte 1.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[}
  400 {"error":{"message":"Invalid JSON: expected a value at byte 34.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}]
  400 {"error":{"message":"Invalid JSON: unexpected end at byte 65.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}]} {}
  400 {"error":{"message":"Invalid JSON: trailing characters at byte 67.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],}
  400 {"error":{"message":"Invalid JSON: expected a key in quotes at byte 66.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"temperature":NaN}
  400 {"error":{"message":"Invalid JSON: non-finite number at byte 80.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"temperature":Infinity}
  400 {"error":{"message":"Invalid JSON: non-finite number at byte 80.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"n":01}
  400 {"error":{"message":"Invalid JSON: invalid number at byte 71.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"user":"tab	here"}
  400 {"error":{"message":"Invalid JSON: control character in a string at byte 77.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"\ud800"}]}
  400 {"error":{"message":"Invalid JSON: lone surrogate at byte 60.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"\udc00\ud800"}]}
  400 {"error":{"message":"Invalid JSON: lone surrogate at byte 60.","type":"invalid_request_error","param":null,"code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"\ud83e":1}
  400 {"error":{"message":"Invalid JSON: lone surrogate at byte 67.","type":"invalid_request_error","param":null,"code":null}}
{'model':'gpt-fake-1'}
  400 {"error":{"message":"Invalid JSON: expected a key in quotes at byte 1.","type":"invalid_request_error","param":null,"code":null}}
"#);
}

#[tokio::test]
async fn what_is_not_utf_8() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let body =
        b"{\"model\":\"gpt-fake-1\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}"
            .to_vec();
    let response = gateway
        .post("/v1/chat/completions", body)
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @r#"400 {"error":{"message":"Invalid JSON: invalid utf-8 at byte 60.","type":"invalid_request_error","param":null,"code":null}}"#);
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn wrong_types_in_chat() {
    let bodies = [
        "[]",
        "null",
        "\"text\"",
        "{}",
        r#"{"messages":[]}"#,
        r#"{"model":null,"messages":[]}"#,
        r#"{"model":7,"messages":[]}"#,
        r#"{"model":"","messages":[]}"#,
        r#"{"model":["gpt-fake-1"],"messages":[]}"#,
        r#"{"model":"gpt-fake-1"}"#,
        r#"{"model":"gpt-fake-1","messages":{}}"#,
        r#"{"model":"gpt-fake-1","messages":["hello"]}"#,
        r#"{"model":"gpt-fake-1","messages":[{"content":"no role"}]}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":1,"content":"x"}]}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":7}]}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"stream":"yes"}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"max_tokens":"many"}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"max_tokens":-1}"#,
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"tools":{}}"#,
    ];
    assert_snapshot!(refusals(Api::Chat, &bodies).await, @r#"
[]
  400 {"error":{"message":"request body: expected an object, found an array at byte 0.","type":"invalid_request_error","param":"request body","code":null}}
null
  400 {"error":{"message":"request body: expected an object, found null at byte 0.","type":"invalid_request_error","param":"request body","code":null}}
"text"
  400 {"error":{"message":"request body: expected an object, found a string at byte 0.","type":"invalid_request_error","param":"request body","code":null}}
{}
  400 {"error":{"message":"model: missing, expected a model name.","type":"invalid_request_error","param":"model","code":null}}
{"messages":[]}
  400 {"error":{"message":"model: missing, expected a model name.","type":"invalid_request_error","param":"model","code":null}}
{"model":null,"messages":[]}
  400 {"error":{"message":"model: missing, expected a model name.","type":"invalid_request_error","param":"model","code":null}}
{"model":7,"messages":[]}
  400 {"error":{"message":"model: expected a string, found a number at byte 9.","type":"invalid_request_error","param":"model","code":null}}
{"model":"","messages":[]}
  400 {"error":{"message":"model: expected a name, found an empty string at byte 9.","type":"invalid_request_error","param":"model","code":null}}
{"model":["gpt-fake-1"],"messages":[]}
  400 {"error":{"message":"model: expected a string, found an array at byte 9.","type":"invalid_request_error","param":"model","code":null}}
{"model":"gpt-fake-1"}
  400 {"error":{"message":"messages: missing, expected an array of messages.","type":"invalid_request_error","param":"messages","code":null}}
{"model":"gpt-fake-1","messages":{}}
  400 {"error":{"message":"messages: expected an array of messages, found an object at byte 33.","type":"invalid_request_error","param":"messages","code":null}}
{"model":"gpt-fake-1","messages":["hello"]}
  400 {"error":{"message":"messages[0]: expected an object, found a string at byte 34.","type":"invalid_request_error","param":"messages[0]","code":null}}
{"model":"gpt-fake-1","messages":[{"content":"no role"}]}
  400 {"error":{"message":"messages[0].role: missing, expected a role.","type":"invalid_request_error","param":"messages[0].role","code":null}}
{"model":"gpt-fake-1","messages":[{"role":1,"content":"x"}]}
  400 {"error":{"message":"messages[0].role: expected a string, found a number at byte 42.","type":"invalid_request_error","param":"messages[0].role","code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":7}]}
  400 {"error":{"message":"messages[0].content: expected a string or an array of content parts, found a number at byte 59.","type":"invalid_request_error","param":"messages[0].content","code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"stream":"yes"}
  400 {"error":{"message":"stream: expected a boolean, found a string at byte 75.","type":"invalid_request_error","param":"stream","code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"max_tokens":"many"}
  400 {"error":{"message":"max_tokens: expected a whole number from 0 on, found a string at byte 79.","type":"invalid_request_error","param":"max_tokens","code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"max_tokens":-1}
  400 {"error":{"message":"max_tokens: expected a whole number from 0 on, found another number at byte 79.","type":"invalid_request_error","param":"max_tokens","code":null}}
{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"tools":{}}
  400 {"error":{"message":"tools: expected an array of tools, found an object at byte 74.","type":"invalid_request_error","param":"tools","code":null}}
"#);
}

#[tokio::test]
async fn wrong_types_in_messages() {
    let bodies = [
        "[]",
        "{}",
        r#"{"model":7,"messages":[],"max_tokens":1}"#,
        r#"{"model":"claude-fake-1","max_tokens":1}"#,
        r#"{"model":"claude-fake-1","messages":"hello","max_tokens":1}"#,
        r#"{"model":"claude-fake-1","messages":[{"role":"user","content":[7]}],"max_tokens":1}"#,
        r#"{"model":"claude-fake-1","messages":[{"role":"user","content":[{"text":"no type"}]}],"max_tokens":1}"#,
        r#"{"model":"claude-fake-1","messages":[{"role":"user","content":"hi"}],"system":7,"max_tokens":1}"#,
        r#"{"model":"claude-fake-1","messages":[{"role":"user","content":"hi"}],"max_tokens":1.5}"#,
        r#"{"model":"claude-fake-1","messages":[{"role":"user","content":"hi"}],"stream":1,"max_tokens":1}"#,
    ];
    assert_snapshot!(refusals(Api::Messages, &bodies).await, @r#"
[]
  400 {"type":"error","error":{"type":"invalid_request_error","message":"request body: expected an object, found an array at byte 0."},"request_id":"[id]"}
{}
  400 {"type":"error","error":{"type":"invalid_request_error","message":"model: missing, expected a model name."},"request_id":"[id]"}
{"model":7,"messages":[],"max_tokens":1}
  400 {"type":"error","error":{"type":"invalid_request_error","message":"model: expected a string, found a number at byte 9."},"request_id":"[id]"}
{"model":"claude-fake-1","max_tokens":1}
  400 {"type":"error","error":{"type":"invalid_request_error","message":"messages: missing, expected an array of messages."},"request_id":"[id]"}
{"model":"claude-fake-1","messages":"hello","max_tokens":1}
  400 {"type":"error","error":{"type":"invalid_request_error","message":"messages: expected an array of messages, found a string at byte 36."},"request_id":"[id]"}
{"model":"claude-fake-1","messages":[{"role":"user","content":[7]}],"max_tokens":1}
  400 {"type":"error","error":{"type":"invalid_request_error","message":"messages[0].content[0]: expected an object, found a number at byte 63."},"request_id":"[id]"}
{"model":"claude-fake-1","messages":[{"role":"user","content":[{"text":"no type"}]}],"max_tokens":1}
  400 {"type":"error","error":{"type":"invalid_request_error","message":"messages[0].content[0].type: missing, expected a string."},"request_id":"[id]"}
{"model":"claude-fake-1","messages":[{"role":"user","content":"hi"}],"system":7,"max_tokens":1}
  400 {"type":"error","error":{"type":"invalid_request_error","message":"system: expected a string or an array of content parts, found a number at byte 78."},"request_id":"[id]"}
{"model":"claude-fake-1","messages":[{"role":"user","content":"hi"}],"max_tokens":1.5}
  400 {"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: expected a whole number from 0 on, found another number at byte 82."},"request_id":"[id]"}
{"model":"claude-fake-1","messages":[{"role":"user","content":"hi"}],"stream":1,"max_tokens":1}
  400 {"type":"error","error":{"type":"invalid_request_error","message":"stream: expected a boolean, found a number at byte 78."},"request_id":"[id]"}
"#);
}

#[tokio::test]
async fn wrong_types_in_responses() {
    let bodies = [
        "[]",
        "{}",
        r#"{"model":7,"input":"x"}"#,
        r#"{"model":"gpt-fake-1","input":7}"#,
        r#"{"model":"gpt-fake-1","input":[7]}"#,
        r#"{"model":"gpt-fake-1","input":"x","instructions":7}"#,
        r#"{"model":"gpt-fake-1","input":"x","stream":"yes"}"#,
        r#"{"model":"gpt-fake-1","input":"x","previous_response_id":7}"#,
    ];
    assert_snapshot!(refusals(Api::Responses, &bodies).await, @r#"
[]
  400 {"error":{"message":"request body: expected an object, found an array at byte 0.","type":"invalid_request_error","param":"request body","code":null}}
{}
  400 {"error":{"message":"model: missing, expected a model name.","type":"invalid_request_error","param":"model","code":null}}
{"model":7,"input":"x"}
  400 {"error":{"message":"model: expected a string, found a number at byte 9.","type":"invalid_request_error","param":"model","code":null}}
{"model":"gpt-fake-1","input":7}
  400 {"error":{"message":"input: expected a string or an array of items, found a number at byte 30.","type":"invalid_request_error","param":"input","code":null}}
{"model":"gpt-fake-1","input":[7]}
  400 {"error":{"message":"input[0]: expected an object, found a number at byte 31.","type":"invalid_request_error","param":"input[0]","code":null}}
{"model":"gpt-fake-1","input":"x","instructions":7}
  400 {"error":{"message":"instructions: expected a string or an array of items, found a number at byte 49.","type":"invalid_request_error","param":"instructions","code":null}}
{"model":"gpt-fake-1","input":"x","stream":"yes"}
  400 {"error":{"message":"stream: expected a boolean, found a string at byte 43.","type":"invalid_request_error","param":"stream","code":null}}
{"model":"gpt-fake-1","input":"x","previous_response_id":7}
  400 {"error":{"message":"previous_response_id: expected a string, found a number at byte 57.","type":"invalid_request_error","param":"previous_response_id","code":null}}
"#);
}

#[tokio::test]
async fn unknown_models() {
    assert_snapshot!(refusals(Api::Chat, &[r#"{"model":"nobody-1","messages":[{"role":"user","content":"hi"}]}"#]).await, @r#"
{"model":"nobody-1","messages":[{"role":"user","content":"hi"}]}
  404 {"error":{"message":"The model `nobody-1` is not in the gateway's table; `GET /v1/models` lists what is.","type":"not_found_error","param":"model","code":"model_not_found"}}
"#);
    assert_snapshot!(refusals(Api::Messages, &[r#"{"model":"nobody-1","messages":[{"role":"user","content":"hi"}],"max_tokens":1}"#]).await, @r#"
{"model":"nobody-1","messages":[{"role":"user","content":"hi"}],"max_tokens":1}
  404 {"type":"error","error":{"type":"not_found_error","message":"The model `nobody-1` is not in the gateway's table; `GET /v1/models` lists what is."},"request_id":"[id]"}
"#);
}

#[tokio::test]
async fn too_deep() {
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(
            r#"{{"model":"gpt-fake-1","messages":[{{"role":"user","content":"hi"}}],"x":{open}{close}}}"#
        )
    };
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .limit("json_depth", "20")
        .start()
        .await;
    // The object itself is the first level.
    let response = gateway
        .post("/v1/chat/completions", deep(19))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(provider.exchanges().len(), 1);
    let response = gateway
        .post("/v1/chat/completions", deep(20))
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @r#"400 {"error":{"message":"Invalid JSON: nesting too deep at byte 89.","type":"invalid_request_error","param":null,"code":null}}"#);
    let response = gateway
        .post("/v1/chat/completions", "[".repeat(1_000_000))
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @r#"400 {"error":{"message":"Invalid JSON: nesting too deep at byte 20.","type":"invalid_request_error","param":null,"code":null}}"#);
    assert_eq!(provider.exchanges().len(), 1);
    gateway.finish().await;
}

#[tokio::test]
async fn too_large() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .limit("body", "\"64KiB\"")
        .start()
        .await;
    let body = |length: usize| {
        let empty = r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"hi"}],"x":""}"#;
        let filler = "x".repeat(length - empty.len());
        format!(
            r#"{{"model":"gpt-fake-1","messages":[{{"role":"user","content":"hi"}}],"x":"{filler}"}}"#
        )
    };
    let response = gateway
        .post("/v1/chat/completions", body(64 << 10))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "exactly the limit is allowed");
    assert_eq!(provider.exchanges().len(), 1);

    let response = gateway
        .post("/v1/chat/completions", body((64 << 10) + 1))
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @r#"413 {"error":{"message":"The body is larger than 65536 bytes.","type":"invalid_request_error","param":null,"code":null}}"#);
    let response = gateway
        .post("/v1/messages", body((64 << 10) + 1))
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @r#"413 {"type":"error","error":{"type":"request_too_large","message":"The body is larger than 65536 bytes."},"request_id":"[id]"}"#);

    // Announced, it is refused before it is sent.
    let mut announced = gateway.raw().await;
    announced
        .send(
            "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10000000000\r\n\r\n{",
        )
        .await;
    assert_eq!(announced.response().await.unwrap().status, 413);

    // Unannounced, it is refused once it passes the limit, whatever is still to come.
    let mut chunked = gateway.raw().await;
    chunked
        .send("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let chunk = "x".repeat(16 << 10);
    for _ in 0..5 {
        chunked.send(format!("4000\r\n{chunk}\r\n")).await;
    }
    assert_eq!(chunked.response().await.unwrap().status, 413);
    assert_eq!(provider.exchanges().len(), 1);
    gateway.finish().await;
}

#[tokio::test]
async fn broken_and_exploding_encodings() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .limit("decompressed", "\"1MiB\"")
        .start()
        .await;
    let send = |coding: &'static str, body: Vec<u8>| {
        let request = gateway
            .post("/v1/messages", body)
            .header("content-encoding", coding);
        async move { told(request.send().await.unwrap()).await }
    };
    let whole = gzip(Api::Messages.text(false).as_bytes()).await;
    assert!(send("gzip", whole.clone()).await.starts_with("200 "));
    assert_eq!(provider.exchanges().len(), 1);

    let truncated = whole[..whole.len() - 9].to_vec();
    assert_snapshot!(send("gzip", truncated).await, @r#"400 {"type":"error","error":{"type":"invalid_request_error","message":"The compressed body is damaged or cut off."},"request_id":"[id]"}"#);
    assert_snapshot!(send("gzip", b"no gzip at all".to_vec()).await, @r#"400 {"type":"error","error":{"type":"invalid_request_error","message":"The compressed body is damaged or cut off."},"request_id":"[id]"}"#);
    // 64 MiB of spaces in 64 KiB.
    let bomb = gzip(&vec![b' '; 64 << 20]).await;
    assert!(bomb.len() < 70_000, "{}", bomb.len());
    assert_snapshot!(send("gzip", bomb).await, @r#"413 {"type":"error","error":{"type":"request_too_large","message":"The body is larger than 1048576 bytes after decompression."},"request_id":"[id]"}"#);
    assert_snapshot!(send("lzma", whole.clone()).await, @r#"415 {"type":"error","error":{"type":"invalid_request_error","message":"Unsupported content-encoding `lzma`."},"request_id":"[id]"}"#);
    assert_snapshot!(send("gzip, gzip", gzip(&whole).await).await, @r#"415 {"type":"error","error":{"type":"invalid_request_error","message":"Unsupported content-encoding `gzip, gzip`."},"request_id":"[id]"}"#);
    assert_eq!(provider.exchanges().len(), 1);
    gateway.finish().await;
}
