//! A request never chooses where the gateway, and the provider's key with it, goes.

use http::StatusCode;
use skinflint_tests::{FakeProvider, Gateway, Script};

use crate::api::Api;

#[tokio::test]
async fn nothing_in_a_request_changes_the_host() {
    let (provider, evil) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = Gateway::start(&provider).await;
    let url = evil.url();
    let mut body = Api::Chat.body(false);
    for name in [
        "base_url",
        "api_base",
        "api_url",
        "endpoint",
        "url",
        "custom_host",
        "proxy",
        "host",
    ] {
        body[name] = url.clone().into();
        body["metadata"][name] = url.clone().into();
        body["extra_body"][name] = url.clone().into();
    }
    let request = gateway
        .post(
            &format!("/v1/chat/completions?base_url={url}&api_base={url}&host={url}"),
            body.to_string(),
        )
        .header("x-portkey-custom-host", &url)
        .header("x-portkey-config", format!("{{\"custom_host\":\"{url}\"}}"))
        .header("helicone-target-url", &url)
        .header("helicone-openai-api-base", &url)
        .header("x-forwarded-host", evil.address().to_string())
        .header("forwarded", format!("host={}", evil.address()))
        .header("x-base-url", &url);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let sent = provider.only_exchange();
    assert_eq!(sent.header("host"), provider.address().to_string());
    assert!(evil.exchanges().is_empty());
    gateway.finish().await;
}

/// The absolute form is for forward proxies; the gateway is none.
#[tokio::test]
async fn an_absolute_target_does_not_make_a_forward_proxy() {
    let (provider, evil) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = Gateway::start(&provider).await;
    let body = Api::Messages.text(false);
    for target in [
        format!("{}/v1/messages", evil.url()),
        "http://evil.example/v1/messages".into(),
    ] {
        let mut connection = gateway.raw().await;
        connection
            .send(format!(
                "POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        let response = connection.response().await.unwrap();
        assert!(
            matches!(response.status, 200 | 400 | 403),
            "{target}: {}",
            response.status
        );
        connection.close();
    }
    let mut connection = gateway.raw().await;
    connection
        .send(format!(
            "CONNECT {} HTTP/1.1\r\nhost: localhost\r\n\r\n",
            evil.address()
        ))
        .await;
    let status = connection.response().await.unwrap().status;
    assert!((400..500).contains(&status), "{status}");
    assert!(evil.exchanges().is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (provider, evil) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = Gateway::start(&provider).await;
    for status in [301, 302, 303, 307, 308] {
        for stream in [false, true] {
            let target = format!("{}/v1/messages", evil.url());
            let status = StatusCode::from_u16(status).unwrap();
            provider.script(Script::status(status).header("location", &target));
            let response = gateway
                .post("/v1/messages", Api::Messages.text(stream))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 502, "a redirect is no answer of the API");
            assert!(
                response.headers().get("location").is_none(),
                "the client is led around the gateway"
            );
        }
    }
    assert!(evil.exchanges().is_empty());
    gateway.finish().await;
}

/// `304` has no place to lead to, and is the answer that a conditional request hopes for.
#[tokio::test]
async fn not_modified_is_no_redirect() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    provider.script(Script::status(StatusCode::NOT_MODIFIED));
    let response = gateway
        .post("/v1/messages", Api::Messages.text(false))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    gateway.finish().await;
}

/// Proxy variables of the environment are somebody else's; the provider is dialled directly.
#[tokio::test]
async fn proxy_variables_are_not_followed() {
    let (provider, evil) = (FakeProvider::start().await, FakeProvider::start().await);
    let gateway = Gateway::builder(&provider)
        .env("http_proxy", &evil.url())
        .env("HTTP_PROXY", &evil.url())
        .env("ALL_PROXY", &evil.url())
        .start()
        .await;
    let response = gateway
        .post("/v1/messages", Api::Messages.text(false))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(evil.exchanges().is_empty());
    assert_eq!(provider.exchanges().len(), 1);
    gateway.finish().await;
}

/// Cookies of a provider are not kept, nor are those of a client passed on.
#[tokio::test]
async fn cookies_stop_here() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    provider.script(Script::default().header("set-cookie", "a=b"));
    for _ in 0..2 {
        let request = gateway
            .post("/v1/messages", Api::Messages.text(false))
            .header("cookie", "c=d");
        let response = request.send().await.unwrap();
        assert!(response.headers().get("set-cookie").is_none());
    }
    assert!(
        provider
            .exchanges()
            .iter()
            .all(|exchange| exchange.header("cookie").is_empty())
    );
    gateway.finish().await;
}
