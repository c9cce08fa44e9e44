//! A call is sent again only where nothing can have been billed, and at most once.

use http::StatusCode;
use serde_json::Value;
use skinflint_tests::{ChaosProxy, CutAt, Direction, Ending, FakeProvider, Gateway, Mode, Script};

use crate::{
    api::Api,
    told::{header, request_id},
};

const DECLINED: [u16; 3] = [429, 503, 529];

fn declined(status: u16) -> Script {
    Script::status(StatusCode::from_u16(status).unwrap())
}

#[tokio::test]
async fn a_refusal_is_tried_again_once() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    for status in DECLINED {
        for stream in [false, true] {
            let before = provider.exchanges().len();
            provider.script(declined(status).header("retry-after", "0"));
            let response = gateway
                .post("/v1/messages", Api::Messages.text(stream))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 200, "{status}");
            response.bytes().await.unwrap();
            let exchanges = provider.exchanges();
            assert_eq!(exchanges.len(), before + 2, "{status}");
            assert_eq!(
                exchanges[before].body,
                exchanges[before + 1].body,
                "{status}"
            );
        }
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_once() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    let gateway = Gateway::builder(&provider)
        .upstreams_at(&proxy.url())
        .arguments(&["--log", "skinflint=debug,skinflint_upstream=debug"])
        .start()
        .await;
    proxy.set(Mode::Refuse).await;
    let request = gateway.post("/v1/messages", Api::Messages.text(false));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 502);
    gateway.call_line(&request_id(&response)).await;
    let again = |event: &&Value| event["message"] == "sending the request again";
    assert_eq!(gateway.log().events().iter().filter(again).count(), 1);
    gateway.finish().await;
}

#[tokio::test]
async fn the_second_refusal_is_relayed() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    for status in DECLINED {
        let before = provider.exchanges().len();
        for attempt in ["first", "second", "third"] {
            provider.script(
                declined(status)
                    .header("retry-after", "0")
                    .header("request-id", attempt),
            );
        }
        let response = gateway
            .post("/v1/messages", Api::Messages.text(false))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(header(&response, "request-id"), "second");
        assert_eq!(header(&response, "retry-after"), "0");
        assert_eq!(
            response.bytes().await.unwrap(),
            provider.exchanges().pop().unwrap().sent()
        );
        assert_eq!(provider.exchanges().len(), before + 2, "{status}");
        // The third is still queued.
        gateway
            .post("/v1/messages", Api::Messages.text(false))
            .send()
            .await
            .unwrap();
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_long_wait_is_the_clients_decision() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    for wait in ["3", "3600", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        let before = provider.exchanges().len();
        let script = declined(429)
            .header("retry-after", wait)
            .header("x-should-retry", "true")
            .header("x-ratelimit-reset-tokens", "6m0s")
            .header("anthropic-ratelimit-tokens-remaining", "0");
        provider.script(script);
        let response = gateway
            .post("/v1/messages", Api::Messages.text(true))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(header(&response, "retry-after"), wait);
        assert_eq!(header(&response, "x-should-retry"), "true");
        assert_eq!(header(&response, "x-ratelimit-reset-tokens"), "6m0s");
        assert_eq!(
            header(&response, "anthropic-ratelimit-tokens-remaining"),
            "0"
        );
        assert_eq!(
            response.bytes().await.unwrap(),
            provider.exchanges().pop().unwrap().sent()
        );
        assert_eq!(provider.exchanges().len(), before + 1, "{wait}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn what_may_have_been_billed_is_never_tried_again() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .timeout("first_byte", "300ms")
        .timeout("idle", "300ms")
        .start()
        .await;
    let scripts = [
        declined(500).header("retry-after", "0"),
        declined(502).header("retry-after", "0"),
        declined(504).header("retry-after", "0"),
        Script::silent(),
        Script::html(),
        Script::default().cut(CutAt::Bytes(0), Ending::Reset),
        Script::default().cut(CutAt::Bytes(0), Ending::Close),
        Script::default().cut(CutAt::Bytes(5), Ending::Stall),
        Script::default().cut(CutAt::Bytes(5), Ending::Reset),
    ];
    for script in scripts {
        for stream in [false, true] {
            let before = provider.exchanges().len();
            provider.script(script.clone());
            let response = gateway
                .post("/v1/messages", Api::Messages.text(stream))
                .send()
                .await
                .unwrap();
            response.bytes().await.unwrap();
            assert_eq!(
                provider.exchanges().len(),
                before + 1,
                "{stream}: {script:?}"
            );
        }
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_never_sent_again() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    let gateway = Gateway::builder(&provider)
        .upstreams_at(&proxy.url())
        .start()
        .await;
    // The provider has the whole request; the answer's first byte never arrives.
    proxy.set(Mode::ResetAfter(Direction::ToGateway, 1)).await;
    let response = gateway
        .post("/v1/messages", Api::Messages.text(false))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 502);
    assert_eq!(provider.exchanges().len(), 1);
    proxy.restore().await;
    gateway.finish().await;
}

/// An idle pooled connection that the provider has closed meanwhile is no failure of the call.
#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    let provider = FakeProvider::start().await;
    let proxy = ChaosProxy::start(provider.address());
    let gateway = Gateway::builder(&provider)
        .upstreams_at(&proxy.url())
        .start()
        .await;
    for turn in 0..10 {
        let response = gateway
            .post("/v1/messages", Api::Messages.text(false))
            .send()
            .await
            .unwrap();
        assert_eq!(
            response.status(),
            200,
            "{turn}: {}",
            response.text().await.unwrap()
        );
        response.bytes().await.unwrap();
        // Resets every open connection.
        proxy.set(Mode::Refuse).await;
        proxy.restore().await;
    }
    assert_eq!(provider.exchanges().len(), 10);
    gateway.finish().await;
}
