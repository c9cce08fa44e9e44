//! How fast a tenant and its keys may call, and which models.

use insta::assert_snapshot;
use serde_json::json;
use skinflint_tests::{FakeProvider, Gateway, Script};

use crate::{
    api::Api,
    auth::{KEY, tenant},
    money::{self, Told, call},
    told::without_id,
};

async fn keyless(provider: &FakeProvider, more: &str) -> Gateway {
    Gateway::builder(provider)
        .tenant("acme", &money::tenant(more, ""))
        .start()
        .await
}

async fn ask(gateway: &Gateway, api: Api) -> Told {
    call(gateway, api, &api.body(false), &[]).await
}

fn assert_too_fast(told: &Told) {
    assert_eq!(told.status, 429, "{told:?}");
    assert!(told.error().starts_with("rate_limit"), "{told:?}");
    // The same call is let through a little later, so SDKs may try again.
    assert_ne!(told.should_retry, "false", "{told:?}");
    let seconds: u64 = told.retry_after.parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{told:?}");
}

#[tokio::test]
async fn requests_beyond_the_rate_are_told_when_to_come_again() {
    let provider = FakeProvider::start().await;
    let rate = "rate_limit = { requests_per_minute = 3 }";
    let gateway = keyless(&provider, rate).await;
    for api in Api::ALL {
        ask(&gateway, api).await.assert_answered();
    }
    let mut told = Vec::new();
    for api in Api::ALL {
        let refused = ask(&gateway, api).await;
        assert_too_fast(&refused);
        told.push(without_id(&refused.body, &refused.id));
    }
    assert_eq!(provider.exchanges().len(), 3);
    assert_snapshot!(told[0], @r#"{"error":{"message":"The tenant is over 3 requests a minute.","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#);
    assert_eq!(told[1], told[0]);
    assert_snapshot!(told[2], @r#"{"type":"error","error":{"type":"rate_limit_error","message":"The tenant is over 3 requests a minute."},"request_id":"[id]"}"#);
    gateway.finish().await;
}

#[tokio::test]
async fn each_key_has_a_rate_of_its_own() {
    let provider = FakeProvider::start().await;
    let rate = "key_rate_limit = { requests_per_minute = 2 }\n";
    let gateway = Gateway::builder(&provider)
        .tenant("acme", &(tenant("never") + rate))
        .tenant("other", "[tenant]\nid = \"other\"\nkeyless = true\n")
        .start()
        .await;
    let key = [("x-skinflint-key", KEY)];
    let body = Api::Chat.body(false);
    for _ in 0..2 {
        call(&gateway, Api::Chat, &body, &key)
            .await
            .assert_answered();
    }
    assert_too_fast(&call(&gateway, Api::Chat, &body, &key).await);
    ask(&gateway, Api::Chat).await.assert_answered();
    gateway.finish().await;
}

/// What a call is guessed to have is put right by what the provider says of it.
#[tokio::test]
async fn tokens_are_counted_as_the_provider_does() {
    let provider = FakeProvider::start().await;
    // A call of 1,025 tokens; at once come 600, and the rest is paid off.
    provider.script_by(|_| Some(Script::tokens(1_000)));
    let rate = "rate_limit = { tokens_per_minute = 600 }";
    let gateway = keyless(&provider, rate).await;
    ask(&gateway, Api::Chat).await.assert_answered();
    money::settled(&gateway).await;
    let refused = ask(&gateway, Api::Chat).await;
    assert_too_fast(&refused);
    let seconds: u64 = refused.retry_after.parse().unwrap();
    assert!(seconds > 30, "{refused:?}");
    assert!(refused.body.contains("tokens"), "{refused:?}");
    gateway.finish().await;
}

#[tokio::test]
async fn models_that_are_not_allowed_are_refused() {
    let provider = FakeProvider::start().await;
    let models = "models = [\"claude-*\", \"gpt-fake-1\"]";
    let gateway = keyless(&provider, models).await;
    for api in Api::ALL {
        ask(&gateway, api).await.assert_answered();
        let mut body = api.body(false);
        body["model"] = match api {
            Api::Messages => "gpt-4o".into(),
            _ => "gpt-fake-2".into(),
        };
        let refused = call(&gateway, api, &body, &[]).await;
        assert_eq!(refused.status, 403, "{refused:?}");
        if api == Api::Chat {
            assert_snapshot!(without_id(&refused.body, &refused.id), @r#"{"error":{"message":"The model `gpt-fake-2` is not among those that this key's tenant may ask.","type":"permission_error","param":"model","code":"model_not_allowed"}}"#);
        }
    }
    assert_eq!(provider.exchanges().len(), 3);
    // A name that nobody serves is told like any other that is not allowed.
    let mut body = Api::Chat.body(false);
    body["model"] = json!("no-such-model");
    assert_eq!(call(&gateway, Api::Chat, &body, &[]).await.status, 403);
    gateway.finish().await;
}
