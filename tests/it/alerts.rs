//! Operators are told once that a budget fills up: in the log, in the metrics and at a webhook, which may be down.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use serde_json::Value;
use skinflint_tests::{Exchange, FakeProvider, Gateway, GatewayBuilder, PostgresServer, Script};

use crate::money::{self, chat, monthly};

/// Where the webhook lies at the chat server: whoever knows it can write there.
const PATH: &str = "/hooks/canary-webhook-secret";
const ALERTS: &str = "skinflint_alerts_total";

/// A provider whose answers are as long as they may be.
async fn provider() -> FakeProvider {
    let provider = FakeProvider::start().await;
    provider.script_by(|call| {
        let tokens = call.json()["max_tokens"].as_u64()?;
        Some(Script::tokens(tokens.try_into().ok()?))
    });
    provider
}

/// A chat server that answers as it is told.
async fn chat_server(answer: impl Fn(&Exchange) -> Script + Send + Sync + 'static) -> FakeProvider {
    let chat_server = FakeProvider::start().await;
    chat_server.script_by(move |message| Some(answer(message)));
    chat_server
}

async fn friendly() -> FakeProvider {
    chat_server(|_| Script::status(StatusCode::OK)).await
}

/// A gateway with ten cents a month that tells a chat server of its alerts.
fn telling(provider: &FakeProvider, chat_server: &FakeProvider) -> GatewayBuilder {
    money::gateway(provider, &monthly("0.10"))
        .field("alerts", "webhook_url_env", "\"WEBHOOK_URL\"")
        .env("WEBHOOK_URL", &format!("{}{PATH}", chat_server.url()))
}

async fn spend_cents(gateway: &Gateway, cents: usize) {
    for _ in 0..cents {
        chat(gateway, 10).await.assert_answered();
    }
}

/// What the chat server would show, once it has been told so much; two alerts may come in any order.
async fn shown(chat_server: &FakeProvider, messages: usize) -> Vec<String> {
    let told = chat_server.wait_until("the alerts", |all| {
        all.len() >= messages && all.iter().all(|one| one.body_complete)
    });
    told.await;
    let exchanges = chat_server.exchanges();
    let texts = exchanges.iter().map(|message| {
        let body = message.json();
        assert_eq!(message.target, PATH);
        assert_eq!(message.header("content-type"), "application/json");
        assert_eq!(
            (&body["kind"], &body["tenant"]),
            (&"budget".into(), &"acme".into())
        );
        body["text"].as_str().expect("a text").to_owned()
    });
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts
}

/// The texts of the alerts in a gateway's log, once it has that of the last threshold.
async fn logged(gateway: &Gateway) -> Vec<String> {
    let is_last = |event: &Value| {
        let message = event["message"].as_str().unwrap_or_default();
        event["kind"] == "budget" && message.contains(" 100% ")
    };
    gateway.log().wait("the last alert", is_last).await;
    let events = gateway.log().events();
    let alerts = events.iter().filter(|event| event["kind"] == "budget");
    let texts = alerts.map(|event| {
        assert_eq!(
            (&event["level"], &event["tenant"]),
            (&"WARN".into(), &"acme".into())
        );
        event["message"].as_str().expect("a message").to_owned()
    });
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn each_threshold_is_told_of_once() {
    let (provider, chat_server) = (provider().await, friendly().await);
    let gateway = telling(&provider, &chat_server).start().await;
    spend_cents(&gateway, 4).await;
    assert_eq!(gateway.metric(ALERTS).await, None);
    spend_cents(&gateway, 6).await;
    chat(&gateway, 10).await.assert_refused();
    let texts = shown(&chat_server, 3).await;
    insta::assert_snapshot!(texts.join("\n"), @r"
    Tenant acme: budget `tenant/month` (tenant per month) has reached 100% of its limit: 0.10 of 0.10 USD spent
    Tenant acme: budget `tenant/month` (tenant per month) has reached 50% of its limit: 0.05 of 0.10 USD spent
    Tenant acme: budget `tenant/month` (tenant per month) has reached 80% of its limit: 0.08 of 0.10 USD spent
    ");
    assert_eq!(logged(&gateway).await, texts);
    let (_, metrics) = gateway.admin_get("/metrics").await;
    let counted = format!("{ALERTS}{{kind=\"budget\",tenant=\"acme\"}} 3\n");
    assert!(metrics.contains(&counted), "{metrics}");
    gateway.finish().await;
    assert_eq!(chat_server.exchanges().len(), 3);
}

#[tokio::test]
async fn a_call_that_crosses_several_thresholds_raises_them_all() {
    let (provider, chat_server) = (provider().await, friendly().await);
    let gateway = telling(&provider, &chat_server).start().await;
    chat(&gateway, 90).await.assert_answered();
    let texts = shown(&chat_server, 2).await;
    insta::assert_snapshot!(texts.join("\n"), @r"
    Tenant acme: budget `tenant/month` (tenant per month) has reached 50% of its limit: 0.09 of 0.10 USD spent
    Tenant acme: budget `tenant/month` (tenant per month) has reached 80% of its limit: 0.09 of 0.10 USD spent
    ");
    gateway.finish().await;
    assert_eq!(chat_server.exchanges().len(), 2);
}

#[tokio::test]
async fn a_restart_repeats_no_alert() {
    let (provider, chat_server) = (provider().await, friendly().await);
    let mut gateway = telling(&provider, &chat_server).start().await;
    spend_cents(&gateway, 8).await;
    let before = shown(&chat_server, 2).await;
    money::settled(&gateway).await;
    gateway.kill().await;
    gateway.start_again().await;
    spend_cents(&gateway, 2).await;
    let after = shown(&chat_server, 3).await;
    assert_eq!(after.len(), 3);
    assert!(before.iter().all(|text| after.contains(text)));
    gateway.finish().await;
    assert_eq!(chat_server.exchanges().len(), 3);
}

/// Each counts for itself, so that both see the budget cross: the ledger tells who says so.
#[tokio::test]
async fn of_two_gateways_that_share_a_ledger_one_tells() {
    let (provider, chat_server) = (provider().await, friendly().await);
    let ledger = PostgresServer::shared().await.database().await;
    let start = async |node: &str| {
        telling(&provider, &chat_server)
            .postgres(&ledger)
            .field("ledger", "node", &format!("{node:?}"))
            .start()
            .await
    };
    let (one, other) = (start("one").await, start("other").await);
    // From here on neither hears of what the other spends.
    spend_cents(&one, 1).await;
    spend_cents(&other, 1).await;
    spend_cents(&one, 5).await;
    shown(&chat_server, 1).await;
    spend_cents(&other, 7).await;
    let texts = shown(&chat_server, 2).await;
    insta::assert_snapshot!(texts.join("\n"), @r"
    Tenant acme: budget `tenant/month` (tenant per month) has reached 50% of its limit: 0.05 of 0.10 USD spent
    Tenant acme: budget `tenant/month` (tenant per month) has reached 80% of its limit: 0.08 of 0.10 USD spent
    ");
    other.wait_metric(ALERTS, 1.0).await;
    one.wait_metric(ALERTS, 1.0).await;
    one.finish().await;
    other.finish().await;
    assert_eq!(chat_server.exchanges().len(), 2);
}

#[tokio::test]
async fn a_webhook_that_fails_is_tried_again_and_its_address_told_to_nobody() {
    let provider = provider().await;
    let tries = AtomicUsize::new(0);
    let chat_server = chat_server(move |message| {
        let is_first_alert = message.json()["text"]
            .as_str()
            .is_some_and(|text| text.contains(" 50% "));
        Script::status(match tries.fetch_add(1, Ordering::Relaxed) {
            0 => StatusCode::INTERNAL_SERVER_ERROR,
            1 => StatusCode::TOO_MANY_REQUESTS,
            _ if is_first_alert => StatusCode::OK,
            // No second try will make the server like this one.
            _ => StatusCode::NOT_FOUND,
        })
    })
    .await;
    let gateway = telling(&provider, &chat_server)
        .arguments(&["--log", "trace"])
        .start()
        .await;
    spend_cents(&gateway, 5).await;
    let texts = shown(&chat_server, 3).await;
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    spend_cents(&gateway, 3).await;
    let lost = |event: &Value| event["message"] == "an alert did not reach the webhook";
    let lost = gateway.log().wait("the alert that was lost", lost).await;
    assert_eq!(lost["error"], "the webhook answered 404 Not Found");
    assert_eq!(gateway.metric(ALERTS).await, Some(2.0));
    let (_, metrics) = gateway.admin_get("/metrics").await;
    assert!(!metrics.contains("canary-webhook-secret"));
    let output = gateway.output();
    assert!(
        !output.contains("canary-webhook-secret"),
        "the address is in the log"
    );
    gateway.finish().await;
    assert_eq!(chat_server.exchanges().len(), 4);
}

/// Calls go on, and so does stopping.
#[tokio::test]
async fn a_webhook_that_is_down_holds_nothing_up() {
    let (provider, chat_server) = (provider().await, chat_server(|_| Script::silent()).await);
    let gateway = telling(&provider, &chat_server).start().await;
    spend_cents(&gateway, 5).await;
    chat_server
        .wait_until("the alert", |all| all.len() == 1)
        .await;
    spend_cents(&gateway, 5).await;
    assert_eq!(logged(&gateway).await.len(), 3);
    // None of them has been answered.
    assert!(chat_server.exchanges().iter().all(|one| one.end.is_none()));
    let log = gateway.log().clone();
    gateway.finish().await;
    let log = log.text();
    assert!(log.contains("\"stopped\""), "{log}");
}
