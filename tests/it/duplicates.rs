//! A key given twice means one thing to us and perhaps another to the provider: what the view reads may come once.

use insta::assert_snapshot;
use skinflint_tests::{FakeProvider, Gateway};

use crate::{api::Api, told::told};

/// The body with one more member at its end.
fn with(api: Api, member: &str) -> String {
    let body = api.text(false);
    format!("{},{member}}}", body.strip_suffix('}').unwrap())
}

#[tokio::test]
async fn a_second_model_is_told_precisely() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let send = |api: Api, member: &str| {
        let request = gateway.post(api.path(), with(api, member));
        async move { told(request.send().await.unwrap()).await }
    };
    assert_snapshot!(send(Api::Chat, r#""model":"gpt-fake-2""#).await, @r#"400 {"error":{"message":"model: duplicate key at byte 77.","type":"invalid_request_error","param":"model","code":null}}"#);
    assert_snapshot!(send(Api::Messages, r#""model":"claude-fake-1""#).await, @r#"400 {"type":"error","error":{"type":"invalid_request_error","message":"model: duplicate key at byte 97."},"request_id":"[id]"}"#);
    assert_snapshot!(send(Api::Responses, r#""m\u006fdel":"gpt-fake-2""#).await, @r#"400 {"error":{"message":"model: duplicate key at byte 51.","type":"invalid_request_error","param":"model","code":null}}"#);
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn every_read_key_may_come_once() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let cases = [
        (Api::Chat, r#""messages":[{"role":"user","content":"b"}]"#),
        (Api::Chat, r#""stream":false,"stream":true"#),
        (Api::Chat, r#""max_tokens":1,"max_tokens":2"#),
        (Api::Chat, r#""tools":[],"tools":[]"#),
        (Api::Chat, r#""metadata":{"task":"a","task":"b"}"#),
        (
            Api::Messages,
            r#""messages":[{"role":"user","content":"b"}]"#,
        ),
        (Api::Messages, r#""max_tokens":2"#),
        (Api::Messages, r#""system":"a","system":"b""#),
        (Api::Messages, r#""metadata":{"user_id":"a","user_id":"b"}"#),
        (Api::Responses, r#""input":"b""#),
        (Api::Responses, r#""instructions":"a","instructions":"b""#),
    ];
    for (api, member) in cases {
        let response = gateway
            .post(api.path(), with(api, member))
            .send()
            .await
            .unwrap();
        let told = told(response).await;
        assert!(
            told.starts_with("400 ") && told.contains("duplicate key"),
            "{api:?} {member}: {told}"
        );
    }
    let nested =
        r#"{"model":"gpt-fake-1","messages":[{"role":"user","content":"a","content":"b"}]}"#;
    let response = gateway
        .post("/v1/chat/completions", nested)
        .send()
        .await
        .unwrap();
    let told = told(response).await;
    assert!(
        told.starts_with("400 ") && told.contains("messages[0].content"),
        "{told}"
    );
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}
