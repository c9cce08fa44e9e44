//! So many calls and connections at a time; one more is turned away at once, and nobody else suffers.

use std::time::Duration;

use futures_util::future::join_all;
use insta::assert_snapshot;
use skinflint_tests::{FakeProvider, Gate, Gateway, Script};
use tokio::time::Instant;

use crate::{
    api::Api,
    told::{header, told},
};

/// A well-behaved call beside the crowd takes no longer than this, on a machine that also runs the crowd.
const UNDISTURBED: Duration = Duration::from_secs(2);

/// Streams whose head has arrived and whose body is held back.
async fn held(
    gateway: &Gateway,
    provider: &FakeProvider,
    count: usize,
    gate: &Gate,
) -> Vec<reqwest::Response> {
    provider.script_when(
        |exchange| exchange.header("x-held") == "yes",
        Script::tokens(3).gate(gate),
    );
    join_all((0..count).map(|_| {
        let request = gateway
            .post("/v1/messages", Api::Messages.text(true))
            .header("x-held", "yes");
        async move { request.send().await.unwrap() }
    }))
    .await
}

#[tokio::test]
async fn beyond_the_limit_is_refused_at_once_until_a_body_ends() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .limit("in_flight", "2")
        .start()
        .await;
    let gate = Gate::closed();
    let held = held(&gateway, &provider, 2, &gate).await;
    // Their heads are out, their bodies are not: both places are taken.
    let mut all = String::new();
    for api in [Api::Chat, Api::Messages] {
        let refused = gateway
            .post(api.path(), api.text(false))
            .send()
            .await
            .unwrap();
        assert_eq!(header(&refused, "retry-after"), "1");
        assert_ne!(header(&refused, "x-skinflint-request-id"), "");
        all += &told(refused).await;
        all.push('\n');
    }
    assert_snapshot!(all, @r#"
503 {"error":{"message":"The gateway is at its limit of calls in flight; try again in a moment.","type":"server_error","param":null,"code":null}}
503 {"type":"error","error":{"type":"overloaded_error","message":"The gateway is at its limit of calls in flight; try again in a moment."},"request_id":"[id]"}
"#);
    assert_eq!(
        provider.exchanges().len(),
        2,
        "a refused call reached the provider"
    );
    gate.open();
    for response in held {
        response.bytes().await.unwrap();
    }
    gateway.wait_in_flight(0).await;
    let admitted = gateway
        .post("/v1/messages", Api::Messages.text(false))
        .send()
        .await
        .unwrap();
    assert_eq!(admitted.status(), 200);
    gateway.finish().await;
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_place_back() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .limit("in_flight", "1")
        .start()
        .await;
    let held = held(&gateway, &provider, 1, &Gate::closed()).await;
    drop(held);
    gateway.wait_in_flight(0).await;
    let admitted = gateway
        .post("/v1/messages", Api::Messages.text(false))
        .send()
        .await
        .unwrap();
    assert_eq!(admitted.status(), 200);
    gateway.finish().await;
}

#[tokio::test]
async fn slow_connections_and_stalled_streams_disturb_nobody() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let mut slow = join_all((0..500).map(|_| gateway.raw())).await;
    for (index, connection) in slow.iter_mut().enumerate() {
        match index % 3 {
            0 => connection.send("POST /v1/messages HTTP/1.1\r\nhost: loc").await,
            1 => connection.send("POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{").await,
            _ => {}
        }
    }
    let stalled = held(&gateway, &provider, 50, &Gate::closed()).await;
    for turn in 0..50 {
        let api = Api::ALL[turn % 3];
        let start = Instant::now();
        let response = gateway
            .post(api.path(), api.text(turn % 2 == 0))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap();
        assert!(
            start.elapsed() < UNDISTURBED,
            "call {turn} took {:?}",
            start.elapsed()
        );
    }
    drop((slow, stalled));
    gateway.finish().await;
}

#[tokio::test]
async fn beyond_the_limit_of_connections_the_newest_is_closed() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .limit("connections", "3")
        .start()
        .await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut connection = gateway.raw().await;
        connection
            .post("/v1/messages", &Api::Messages.text(false))
            .await;
        assert_eq!(connection.response().await.unwrap().status, 200);
        kept.push(connection);
    }
    let mut newest = gateway.raw().await;
    assert!(newest.closed().await.is_empty());
    // The others are not disturbed, and a place that is given back is taken again.
    for connection in &mut kept {
        connection
            .post("/v1/messages", &Api::Messages.text(false))
            .await;
        assert_eq!(connection.response().await.unwrap().status, 200);
    }
    kept.pop().unwrap().close();
    let answered = async {
        loop {
            let mut connection = gateway.raw().await;
            connection
                .post("/v1/messages", &Api::Messages.text(false))
                .await;
            if let Some(response) = connection.response().await {
                return response;
            }
        }
    };
    let answered = tokio::time::timeout(Duration::from_secs(20), answered).await;
    assert_eq!(answered.expect("a place is free again").status, 200);
    drop(kept);
    gateway.finish().await;
}
