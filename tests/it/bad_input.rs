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
        r#"{'model':'gpt-fake-1'}"#,
    ];
    assert_snapshot!(refusals(Api::Chat, &bodies).await, @"");
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
    assert_snapshot!(told(response).await, @"");
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
    assert_snapshot!(refusals(Api::Chat, &bodies).await, @"");
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
    assert_snapshot!(refusals(Api::Messages, &bodies).await, @"");
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
    assert_snapshot!(refusals(Api::Responses, &bodies).await, @"");
}

#[tokio::test]
async fn unknown_models() {
    assert_snapshot!(refusals(Api::Chat, &[r#"{"model":"nobody-1","messages":[{"role":"user","content":"hi"}]}"#]).await, @"");
    assert_snapshot!(refusals(Api::Messages, &[r#"{"model":"nobody-1","messages":[{"role":"user","content":"hi"}],"max_tokens":1}"#]).await, @"");
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
    assert_snapshot!(told(response).await, @"");
    let response = gateway
        .post("/v1/chat/completions", "[".repeat(1_000_000))
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @"");
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
    assert_snapshot!(told(response).await, @"");
    let response = gateway
        .post("/v1/messages", body((64 << 10) + 1))
        .send()
        .await
        .unwrap();
    assert_snapshot!(told(response).await, @"");

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
    assert_snapshot!(send("gzip", truncated).await, @"");
    assert_snapshot!(send("gzip", b"no gzip at all".to_vec()).await, @"");
    // 64 MiB of spaces in 64 KiB.
    let bomb = gzip(&vec![b' '; 64 << 20]).await;
    assert!(bomb.len() < 70_000, "{}", bomb.len());
    assert_snapshot!(send("gzip", bomb).await, @"");
    assert_snapshot!(send("lzma", whole.clone()).await, @"");
    assert_snapshot!(send("gzip, gzip", gzip(&whole).await).await, @"");
    assert_eq!(provider.exchanges().len(), 1);
    gateway.finish().await;
}
