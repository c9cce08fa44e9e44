//! What was spent is not forgotten, however the gateway ends.

use skinflint_tests::{FakeProvider, Gate, Script};

use crate::{
    api::Api,
    money::{self, budget, chat, monthly},
};

#[tokio::test]
async fn budgets_go_on_where_they_were() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let budgets = [
        monthly("0.03"),
        budget("task", "task", "0.03", ""),
        budget("model:gpt-*", "rolling:24h", "0.03", ""),
        budget("model", "day", "0.03", ""),
    ];
    for one in budgets {
        let mut gateway = money::gateway(&provider, &one).start().await;
        for _ in 0..2 {
            chat(&gateway, 10).await.assert_answered();
        }
        money::settled(&gateway).await;
        gateway.kill().await;
        gateway.start_again().await;
        chat(&gateway, 10).await.assert_answered();
        let refused = chat(&gateway, 10).await;
        refused.assert_refused();
        assert!(
            refused.budget().ends_with(": 0.03 + 0.00 of 0.03"),
            "{refused:?}"
        );
        gateway.finish().await;
    }
}

/// Nobody knows what the provider has made of it, so it counts as the most that it can have been.
#[tokio::test]
async fn a_call_in_flight_at_a_crash_counts_in_full() {
    let provider = FakeProvider::start().await;
    let gate = Gate::closed();
    provider.script_by(move |request| {
        let script = Script::tokens(10);
        let is_short = request.json()["max_tokens"] == 10;
        Some(if is_short { script } else { script.gate(&gate) })
    });
    let mut gateway = money::gateway(&provider, &monthly("0.10")).start().await;
    chat(&gateway, 10).await.assert_answered();
    money::settled(&gateway).await;
    for (number, tokens, stream) in [(2, 50, false), (3, 40, true)] {
        let body = money::ask(Api::Chat, tokens, stream).to_string();
        let mut client = gateway.raw().await;
        client.post(Api::Chat.path(), &body).await;
        let arrived = provider.wait_until("the call is in", |all| all.len() == number);
        arrived.await;
        gateway.kill().await;
        client.closed().await;
        gateway.start_again().await;
    }
    let refused = chat(&gateway, 1).await;
    refused.assert_refused();
    assert_eq!(refused.budget(), "tenant: 0.10 + 0.00 of 0.10");
    let attempts = money::settled(&gateway).await;
    assert_eq!(
        money::lines(&attempts),
        "provider 10000000\ncrash 50000000\ncrash 40000000\n"
    );
    gateway.finish().await;
}
