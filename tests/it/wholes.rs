//! An answer in one piece is relayed when it is whole, and else told as an error.

use std::fmt::Write;

use http::StatusCode;
use insta::assert_snapshot;
use skinflint_tests::{
    ChaosProxy, CutAt, Direction, Ending, FakeProvider, Gateway, Mode, Payload, Script,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    api::Api,
    told::{header, told},
};

fn body(text: &str) -> Script {
    Script {
        body: Some(Payload::Text(text.into())),
        ..Script::default()
    }
}

async fn ask(gateway: &Gateway, api: Api) -> String {
    told(
        gateway
            .post(api.path(), api.text(false))
            .send()
            .await
            .unwrap(),
    )
    .await
}

#[tokio::test]
async fn broken_off() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .timeout("idle", "300ms")
        .start()
        .await;
    let mut all = String::new();
    for then in [Ending::Stall, Ending::Reset, Ending::Close, Ending::Finish] {
        provider.script(Script::default().cut(CutAt::InsideEvent(0), then));
        let told = ask(&gateway, Api::Chat).await;
        writeln!(all, "{then:?}: {told}").unwrap();
    }
    assert_snapshot!(all, @r#"
Stall: 504 {"error":{"message":"The upstream `fake-openai` fell silent within its answer.","type":"timeout_error","param":null,"code":"upstream_timeout"}}
Reset: 502 {"error":{"message":"The upstream `fake-openai` broke off its answer.","type":"upstream_error","param":null,"code":"upstream_broken"}}
Close: 502 {"error":{"message":"The upstream `fake-openai` broke off its answer.","type":"upstream_error","param":null,"code":"upstream_broken"}}
Finish: 502 {"error":{"message":"The upstream `fake-openai` broke off its answer.","type":"upstream_error","param":null,"code":"upstream_broken"}}
"#);
    provider.script(Script::default().cut(CutAt::InsideEvent(0), Ending::Reset));
    assert_snapshot!(ask(&gateway, Api::Messages).await, @r#"502 {"type":"error","error":{"type":"api_error","message":"The upstream `fake-anthropic` broke off its answer."},"request_id":"[id]"}"#);
    gateway.finish().await;
}

#[tokio::test]
async fn no_answer_at_all() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    let gateway = Gateway::builder(&provider)
        .upstreams_at(&proxy.url())
        .timeout("first_byte", "300ms")
        .start()
        .await;
    provider.script(Script::silent());
    assert_snapshot!(ask(&gateway, Api::Messages).await, @r#"504 {"type":"error","error":{"type":"timeout_error","message":"The upstream `fake-anthropic` did not answer in time."},"request_id":"[id]"}"#);
    proxy.set(Mode::Blackhole).await;
    assert_snapshot!(ask(&gateway, Api::Chat).await, @r#"504 {"error":{"message":"The upstream `fake-openai` did not answer in time.","type":"timeout_error","param":null,"code":"upstream_timeout"}}"#);
    proxy.set(Mode::Refuse).await;
    assert_snapshot!(ask(&gateway, Api::Chat).await, @r#"502 {"error":{"message":"The upstream `fake-openai` cannot be reached.","type":"upstream_error","param":null,"code":"upstream_connect"}}"#);
    proxy.set(Mode::ResetAfter(Direction::ToGateway, 10)).await;
    assert_snapshot!(ask(&gateway, Api::Chat).await, @r#"502 {"error":{"message":"The upstream `fake-openai` broke off its answer.","type":"upstream_error","param":null,"code":"upstream_broken"}}"#);
    proxy.restore().await;
    assert!(ask(&gateway, Api::Chat).await.starts_with("200 "));
    gateway.finish().await;
}

#[tokio::test]
async fn not_an_answer_of_the_api() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let scripts = [
        ("a page", Script::html()),
        ("an empty body", body("")),
        ("no JSON", body("upstream connect error")),
        ("JSON of something else", body("[1,2,3]")),
        (
            "another content type",
            Script::default().header("content-type", "text/plain"),
        ),
        ("two values", body("{}{}")),
    ];
    let mut all = String::new();
    for (name, script) in scripts {
        provider.script(script);
        let told = ask(&gateway, Api::Chat).await;
        writeln!(all, "{name}: {told}").unwrap();
    }
    assert_snapshot!(all, @r#"
a page: 502 {"error":{"message":"The upstream `fake-openai` sent something that is not an answer of this API.","type":"upstream_error","param":null,"code":"upstream_garbage"}}
an empty body: 502 {"error":{"message":"The upstream `fake-openai` sent something that is not an answer of this API.","type":"upstream_error","param":null,"code":"upstream_garbage"}}
no JSON: 502 {"error":{"message":"The upstream `fake-openai` sent something that is not an answer of this API.","type":"upstream_error","param":null,"code":"upstream_garbage"}}
JSON of something else: 502 {"error":{"message":"The upstream `fake-openai` sent something that is not an answer of this API.","type":"upstream_error","param":null,"code":"upstream_garbage"}}
another content type: 502 {"error":{"message":"The upstream `fake-openai` sent something that is not an answer of this API.","type":"upstream_error","param":null,"code":"upstream_garbage"}}
two values: 502 {"error":{"message":"The upstream `fake-openai` sent something that is not an answer of this API.","type":"upstream_error","param":null,"code":"upstream_garbage"}}
"#);
    gateway.finish().await;
}

#[tokio::test]
async fn not_even_http() {
    let provider = FakeProvider::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = Gateway::builder(&provider).upstreams_at(&url).start().await;
    let answers: [&[u8]; 3] = [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{}   ",
        b"",
    ];
    for answer in answers {
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer).await.unwrap();
        };
        let (told, ()) = tokio::join!(ask(&gateway, Api::Chat), serve);
        assert!(
            told.starts_with("502 "),
            "{}: {told}",
            answer.escape_ascii()
        );
        assert!(told.contains("broke off its answer"), "{told}");
    }
    gateway.finish().await;
}

/// The provider's own errors are its client's business: status, body and steering headers pass unchanged.
#[tokio::test]
async fn errors_of_the_provider_pass_unchanged() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let odd = "{ \"type\":\"error\",\"error\":{\"type\":\"from_the_future\",\"message\":\"caf\\u00e9\"} }\n";
    for status in [400, 401, 403, 404, 408, 409, 413, 418, 422, 500, 502, 504] {
        for stream in [false, true] {
            let status = StatusCode::from_u16(status).unwrap();
            let mut script = Script::status(status)
                .header("content-type", "application/problem+json")
                .header("request-id", "req_upstream")
                .header("x-should-retry", "true")
                .header("anthropic-ratelimit-unified-reset", "1767225600");
            script.body = Some(Payload::Text(odd.into()));
            provider.script(script);
            let before = provider.exchanges().len();
            let response = gateway
                .post("/v1/messages", Api::Messages.text(stream))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(
                header(&response, "content-type"),
                "application/problem+json"
            );
            assert_eq!(header(&response, "request-id"), "req_upstream");
            assert_eq!(header(&response, "x-should-retry"), "true");
            assert_eq!(
                header(&response, "anthropic-ratelimit-unified-reset"),
                "1767225600"
            );
            assert_eq!(response.text().await.unwrap(), odd);
            assert_eq!(
                provider.exchanges().len(),
                before + 1,
                "{status} was retried"
            );
        }
    }
    gateway.finish().await;
}

/// A page of an intermediary with an error status is still an error that the client can read.
#[tokio::test]
async fn an_error_page_passes_unchanged() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let mut script = Script::html();
    script.status = Some(502);
    provider.script(script);
    assert_snapshot!(ask(&gateway, Api::Messages).await, @r#"502 <!doctype html><title>It works</title>"#);
    gateway.finish().await;
}
