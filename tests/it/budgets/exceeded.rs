//! What becomes of a call that finds no room.

use std::time::Duration;

use skinflint_tests::{FakeProvider, Gate, Gateway, Script};
use tokio::time::Instant;

use crate::{
    api::Api,
    money::{self, budget, chat},
};

const ALERTS: &str = "skinflint_alerts_total";

/// The alert of a budget in the log.
async fn alert(gateway: &Gateway, text: &str) {
    let wanted = |event: &serde_json::Value| {
        event["message"]
            .as_str()
            .is_some_and(|message| message.contains(text))
    };
    let event = gateway.log().wait(text, wanted).await;
    assert_eq!(event["kind"], "budget", "{event}");
    assert_eq!(event["tenant"], "acme", "{event}");
}

#[tokio::test]
async fn a_warning_goes_through_and_is_told_once() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let more = "on_exceed = \"warn\"\nalert_at = [0.5, 1, 2]";
    let gateway = money::gateway(&provider, &budget("tenant", "month", "0.02", more))
        .start()
        .await;
    for _ in 0..3 {
        chat(&gateway, 10).await.assert_answered();
    }
    alert(&gateway, "has reached 50% of its limit: 0.01 of 0.02 USD").await;
    alert(&gateway, "has reached 100% of its limit: 0.02 of 0.02 USD").await;
    gateway.wait_metric(ALERTS, 2.0).await;
    chat(&gateway, 10).await.assert_answered();
    gateway.wait_metric(ALERTS, 3.0).await;
    alert(&gateway, "has reached 200% of its limit: 0.04 of 0.02 USD").await;
    gateway.finish().await;
}

#[tokio::test]
async fn what_is_refused_raises_no_alert_twice_after_a_restart() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let mut gateway = money::gateway(&provider, &budget("tenant", "month", "0.02", ""))
        .start()
        .await;
    for _ in 0..2 {
        chat(&gateway, 10).await.assert_answered();
    }
    chat(&gateway, 10).await.assert_refused();
    gateway.wait_metric(ALERTS, 3.0).await;
    gateway.kill().await;
    gateway.start_again().await;
    chat(&gateway, 10).await.assert_refused();
    let raised = gateway.metric(ALERTS).await;
    assert!(raised.unwrap_or(0.0) < 1.0, "raised again: {raised:?}");
    gateway.finish().await;
}

/// A call that may cost two cents and costs one holds the other back.
#[tokio::test]
async fn a_call_that_waits_goes_through_when_another_costs_less_than_was_set_aside() {
    let provider = FakeProvider::start().await;
    let gate = Gate::closed();
    provider.script(Script::tokens(10).gate(&gate));
    provider.script_by(|request| (request.json()["max_tokens"] == 10).then(|| Script::tokens(10)));
    let queue = budget("tenant", "month", "0.02", "on_exceed = \"queue\"");
    let gateway = money::gateway(&provider, &queue).start().await;
    let dear = chat(&gateway, 20);
    let cheap = async {
        let first = provider.wait_until("the first call is in", |all| all.len() == 1);
        first.await;
        chat(&gateway, 10).await
    };
    let settling = async {
        gateway.wait_in_flight(2).await;
        assert_eq!(
            provider.exchanges().len(),
            1,
            "the second call did not wait"
        );
        gate.open();
    };
    let (dear, cheap, ()) = tokio::join!(dear, cheap, settling);
    dear.assert_answered();
    cheap.assert_answered();
    assert_eq!(cheap.cost, "0.01");
    gateway.finish().await;
}

#[tokio::test]
async fn a_call_waits_no_longer_than_it_may() {
    const WAIT: Duration = Duration::from_millis(300);
    let provider = FakeProvider::start().await;
    let gate = Gate::closed();
    provider.script(Script::tokens(10).gate(&gate));
    let more = "on_exceed = \"queue\"\nqueue_for = \"300ms\"";
    let gateway = money::gateway(&provider, &budget("tenant", "month", "0.02", more))
        .start()
        .await;
    let dear = chat(&gateway, 20);
    let cheap = async {
        let first = provider.wait_until("the first call is in", |all| all.len() == 1);
        first.await;
        let began = Instant::now();
        let refused = chat(&gateway, 10).await;
        refused.assert_refused();
        assert_eq!(refused.budget(), "tenant: 0.00 + 0.02 of 0.02");
        assert!(
            began.elapsed() >= WAIT,
            "refused after {:?}",
            began.elapsed()
        );
        gate.open();
    };
    let (dear, ()) = tokio::join!(dear, cheap);
    dear.assert_answered();
    assert_eq!(provider.exchanges().len(), 1);
    gateway.finish().await;
}

/// Without its weights the local model cannot answer, but it is the one that was asked.
#[tokio::test]
async fn a_downgraded_call_goes_to_the_local_model() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let downgrade = budget("tenant", "month", "0.01", "on_exceed = \"downgrade\"");
    let gateway = money::gateway(&provider, &downgrade)
        .field("local", "enabled", "true")
        .arguments(&["--models", "no-such-folder"])
        .start()
        .await;
    chat(&gateway, 10).await.assert_answered();
    let local = chat(&gateway, 10).await;
    assert_eq!(
        (local.status, local.route.as_str()),
        (503, "local"),
        "{local:?}"
    );
    assert_eq!(
        local.json()["error"]["code"],
        "local_model_unavailable",
        "{local:?}"
    );
    assert_eq!(provider.exchanges().len(), 1);
    // Nor do calls to it by its own name need room.
    let mut body = Api::Chat.body(false);
    body["model"] = "gemma-3-270m".into();
    let named = money::call(&gateway, Api::Chat, &body, &[]).await;
    assert_eq!(
        (named.status, named.route.as_str()),
        (503, "local"),
        "{named:?}"
    );
    gateway.finish().await;
}

#[tokio::test]
async fn a_subscription_is_not_held_back() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let file = money::tenant("client_credentials = \"always\"", &money::monthly("0.01"));
    let gateway = Gateway::builder(&provider)
        .tenant("acme", &file)
        .append(money::OUTPUT_ONLY)
        .start()
        .await;
    let body = money::ask(Api::Messages, 10, false);
    let own_key = [("x-api-key", "sk-ant-api03-mine")];
    let subscription = [("authorization", "Bearer sk-ant-oat01-mine")];
    money::call(&gateway, Api::Messages, &body, &own_key)
        .await
        .assert_answered();
    money::call(&gateway, Api::Messages, &body, &own_key)
        .await
        .assert_refused();
    for _ in 0..2 {
        money::call(&gateway, Api::Messages, &body, &subscription)
            .await
            .assert_answered();
    }
    gateway.finish().await;
}
