//! What a client is told whose call finds no room, word by word.

use insta::assert_snapshot;
use skinflint_tests::{FakeProvider, Script};

use crate::{
    api::Api,
    money::{self, budget},
    told::without_id,
};

#[tokio::test]
async fn each_protocol_says_it_in_its_own_way() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let gateway = money::gateway(&provider, &budget("task", "task", "0.015", ""))
        .start()
        .await;
    let mut told = Vec::new();
    for api in Api::ALL {
        let headers = [("x-skinflint-task", api.path())];
        let body = money::ask(api, 10, false);
        money::call(&gateway, api, &body, &headers)
            .await
            .assert_answered();
        let refused = money::call(&gateway, api, &body, &headers).await;
        refused.assert_refused();
        // A task's budget never begins anew by itself.
        assert_eq!(refused.retry_after, "3600");
        told.push(without_id(&refused.body, &refused.id));
    }
    assert_snapshot!(told[0], @r#"
    {"error":{"message":"The budget `task/task` (task:/v1/chat/completions per task) has no room for this call: 0.01 of 0.015 USD are spent and 0.00 USD are set aside for calls in flight; this one needs 0.01 USD.","type":"budget_exceeded","param":null,"code":"budget_exceeded","budget":{"scope":"task:/v1/chat/completions","window":"task","limit_usd":"0.015","spent_usd":"0.01","reserved_usd":"0.00","estimate_usd":"0.01","resets_at":null}}}
    "#);
    assert_snapshot!(told[1], @r#"
    {"error":{"message":"The budget `task/task` (task:/v1/responses per task) has no room for this call: 0.01 of 0.015 USD are spent and 0.00 USD are set aside for calls in flight; this one needs 0.01 USD.","type":"budget_exceeded","param":null,"code":"budget_exceeded","budget":{"scope":"task:/v1/responses","window":"task","limit_usd":"0.015","spent_usd":"0.01","reserved_usd":"0.00","estimate_usd":"0.01","resets_at":null}}}
    "#);
    assert_snapshot!(told[2], @r#"
    {"type":"error","error":{"type":"budget_exceeded","message":"The budget `task/task` (task:/v1/messages per task) has no room for this call: 0.01 of 0.015 USD are spent and 0.00 USD are set aside for calls in flight; this one needs 0.01 USD.","budget":{"scope":"task:/v1/messages","window":"task","limit_usd":"0.015","spent_usd":"0.01","reserved_usd":"0.00","estimate_usd":"0.01","resets_at":null}},"request_id":"[id]"}
    "#);
    gateway.finish().await;
}

/// A stream is refused before it begins, so with a status and no event.
#[tokio::test]
async fn a_stream_is_refused_with_a_status() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let gateway = money::gateway(&provider, &money::monthly("0.01"))
        .start()
        .await;
    for api in Api::ALL {
        let body = money::ask(api, 20, true);
        money::call(&gateway, api, &body, &[])
            .await
            .assert_refused();
    }
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}
