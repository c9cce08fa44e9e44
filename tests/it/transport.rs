//! TLS, HTTP/2, and the admin listener.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use skinflint_tests::{FakeProvider, Gateway, Script, sse};

use crate::{api::Api, told::header};

#[tokio::test]
async fn tls_with_http2_by_alpn() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .plain()
        .tls(&cert.pem(), &signing_key.serialize_pem())
        .start()
        .await;
    for stream in [false, true] {
        let body = Api::Messages.text(stream);
        let response = gateway
            .post("/v1/messages", body.clone())
            .send()
            .await
            .unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.status(), 200);
        let relayed = response.bytes().await.unwrap();
        let exchange = provider.exchanges().pop().unwrap();
        assert_eq!(exchange.body, body);
        assert_eq!(relayed, exchange.sent());
    }
    // Plain HTTP on the TLS port is not answered as if it were well.
    let mut plain = gateway.raw().await;
    plain.post("/v1/messages", &Api::Messages.text(false)).await;
    let answer = plain.closed().await;
    assert!(
        !String::from_utf8_lossy(&answer).contains("200"),
        "{}",
        answer.escape_ascii()
    );
    gateway.finish().await;
}

#[tokio::test]
async fn http2_without_tls() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let calls = (0..20).map(|turn| {
        let api = Api::ALL[turn % 3];
        let request = client.post(gateway.url(api.path())).body(api.text(true));
        async move {
            let response = request.send().await.unwrap();
            assert_eq!(response.version(), http::Version::HTTP_2);
            assert_eq!(response.status(), 200);
            assert!(header(&response, "connection").is_empty());
            let (events, rest) = sse::events(&response.bytes().await.unwrap());
            assert!(rest.is_empty());
            assert!(api.is_terminal(events.last().unwrap()));
        }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(provider.exchanges().len(), 20);
    drop(client);
    gateway.finish().await;
}

#[tokio::test]
async fn a_large_body_passes_over_http2() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let filler = "x".repeat(8 << 20);
    let body = format!(
        r#"{{"model":"claude-fake-1","max_tokens":1,"messages":[{{"role":"user","content":"{filler}"}}]}}"#
    );
    provider.script(Script::text(&filler));
    let response = client
        .post(gateway.url("/v1/messages"))
        .body(body.clone())
        .send()
        .await
        .unwrap();
    let relayed = response.bytes().await.unwrap();
    let exchange = provider.only_exchange();
    assert!(exchange.body == body, "the body was changed");
    assert!(relayed == exchange.sent(), "the answer was changed");
    drop(client);
    gateway.finish().await;
}

#[tokio::test]
async fn the_admin_listener_tells_health_and_metrics_and_takes_no_calls() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    assert_eq!(gateway.admin_get("/healthz").await.0, 200);
    assert_eq!(gateway.admin_get("/readyz").await.0, 200);
    assert_eq!(gateway.admin_get("/nothing").await.0, 404);
    let response = gateway
        .post("/v1/messages", Api::Messages.text(false))
        .send()
        .await
        .unwrap();
    response.bytes().await.unwrap();
    gateway.wait_metric("skinflint_calls_total", 1.0).await;
    let (_, metrics) = gateway.admin_get("/metrics").await;
    let counted = metrics
        .lines()
        .find(|line| line.starts_with("skinflint_calls_total{"))
        .unwrap();
    for label in [
        "endpoint=\"messages\"",
        "route=\"upstream:fake-anthropic\"",
        "status=\"200\"",
        "outcome=\"answered\"",
    ] {
        assert!(counted.contains(label), "{counted}");
    }
    for path in ["/v1/messages", "/v1/models"] {
        let url = format!("http://{}{path}", gateway.admin());
        let response = gateway
            .client()
            .post(url)
            .body(Api::Messages.text(false))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
    assert_eq!(provider.exchanges().len(), 1);
    gateway.finish().await;
}

/// A page in a browser on this machine must not read the admin side through a name of its own.
#[tokio::test]
async fn the_admin_listener_refuses_foreign_names() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
        let request = gateway
            .client()
            .get(format!("http://{}/metrics", gateway.admin()));
        let response = request.header(name, value).send().await.unwrap();
        assert_eq!(response.status(), 403, "{name}: {value}");
    }
    gateway.finish().await;
}
