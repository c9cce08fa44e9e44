//! How long the gateway waits for a client.

use skinflint_tests::{FakeProvider, Gateway};

use crate::api::Api;

#[tokio::test]
async fn a_slow_head_is_given_up() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .timeout("header", "300ms")
        .start()
        .await;
    for head in [
        "P",
        "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
        "PRI * HTTP/2.0\r\n",
    ] {
        let mut connection = gateway.raw().await;
        connection.send(head).await;
        let answer = connection.closed().await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 408 "),
            "{head:?}: {text:?}"
        );
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_given_up() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .timeout("header", "300ms")
        .start()
        .await;
    let mut connection = gateway.raw().await;
    assert!(connection.closed().await.is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .timeout("body_idle", "300ms")
        .start()
        .await;
    for framing in [
        "content-length: 1000\r\n\r\n{",
        "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n",
    ] {
        let mut connection = gateway.raw().await;
        connection
            .send(format!(
                "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n{framing}"
            ))
            .await;
        let response = connection.response().await.expect("an answer");
        assert_eq!(response.status, 408);
        assert!(
            response.text().contains("\"type\":\"error\""),
            "{}",
            response.text()
        );
        assert!(connection.closed().await.is_empty());
    }
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}

/// The time counts from the last byte, not from the first.
#[tokio::test]
async fn a_slow_body_that_goes_on_is_waited_for() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider)
        .timeout("body_idle", "400ms")
        .start()
        .await;
    let body = Api::Messages.text(false);
    let mut connection = gateway.raw().await;
    connection
        .send(format!(
            "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ))
        .await;
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(10));
    for byte in body.bytes() {
        pace.tick().await;
        connection.send([byte]).await;
    }
    assert_eq!(connection.response().await.unwrap().status, 200);
    assert_eq!(provider.only_exchange().body, body);
    connection.close();
    gateway.finish().await;
}
