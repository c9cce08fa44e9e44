//! Prices that are not known, and those that cannot be meant.

use insta::assert_snapshot;
use skinflint_tests::{Answer, FakeProvider, Gateway, GatewayBuilder, Script, Usage};

use crate::{
    api::Api,
    money::{self, call},
    told::without_id,
};

/// The upstreams and models of a gateway as [`Gateway::builder`] has them, and no price of the harness's own.
fn without_prices(provider: &FakeProvider) -> GatewayBuilder {
    Gateway::builder(provider).without_prices()
}

#[tokio::test]
async fn a_model_without_a_price_is_refused() {
    let provider = FakeProvider::start().await;
    let gateway = without_prices(&provider).start().await;
    let mut told = Vec::new();
    for api in Api::ALL {
        let refused = call(&gateway, api, &api.body(false), &[]).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        told.push(without_id(&refused.body, &refused.id));
    }
    assert!(provider.exchanges().is_empty());
    assert_snapshot!(told[0], @r#"{"error":{"message":"The gateway knows no price for the model `gpt-fake-1` of the upstream `fake-openai`; its configuration can name one with `[[price]]`, or one for all such models with `[prices.unknown]`.","type":"invalid_request_error","param":"model","code":"unknown_price"}}"#);
    assert_snapshot!(told[2], @r#"{"type":"error","error":{"type":"invalid_request_error","message":"The gateway knows no price for the model `claude-fake-1` of the upstream `fake-anthropic`; its configuration can name one with `[[price]]`, or one for all such models with `[prices.unknown]`."},"request_id":"[id]"}"#);
    gateway.finish().await;
}

#[tokio::test]
async fn the_worst_price_stands_in_for_those_that_are_not_known() {
    let provider = FakeProvider::start().await;
    let gateway = without_prices(&provider)
        .worst_price("7", "11")
        .start()
        .await;
    for api in Api::ALL {
        provider.script(Script::answer(Answer {
            tokens: Some(3),
            usage: Usage {
                input: Some(2),
                ..Usage::default()
            },
            ..Answer::default()
        }));
        let told = call(&gateway, api, &api.body(false), &[]).await;
        told.assert_answered();
        // 2 * 7 + 3 * 11 millionths.
        assert_eq!(told.cost, "0.000047", "{api:?}");
    }
    gateway.finish().await;
}

/// A tier that nobody has heard of may cost a multiple of any that is known.
#[tokio::test]
async fn a_service_tier_without_a_price_is_refused() {
    let provider = FakeProvider::start().await;
    let gateway = Gateway::start(&provider).await;
    let mut body = Api::Chat.body(false);
    body["service_tier"] = "warp".into();
    let refused = call(&gateway, Api::Chat, &body, &[]).await;
    assert_snapshot!(format!("{} {}", refused.status, refused.body), @r#"400 {"error":{"message":"The gateway knows no price for the service tier `warp`.","type":"invalid_request_error","param":"service_tier","code":"unknown_price"}}"#);
    gateway.finish().await;
}

/// Of the harness's upstreams and prices, with these added.
async fn check(sections: &str) -> (Option<i32>, String) {
    let provider = FakeProvider::start().await;
    let builder = Gateway::builder(&provider).without_upstream_keys();
    let folder = builder.append(sections).write();
    let done = skinflint_tests::Command::run(folder.path(), &["check"]).await;
    (done.code, done.stderr + &done.stdout)
}

#[tokio::test]
async fn what_cannot_be_meant_is_found_by_check() {
    let model = "[[price]]\nmodel = \"m\"\n";
    for (rates, field) in [
        ("input = 0\noutput = 1", "price[0].input"),
        ("input = 1\noutput = 0", "price[0].output"),
        ("input = -1\noutput = 1", "input"),
        ("input = 1", "price[0].output"),
        ("input = 1\noutput = 20000", "price[0].output"),
        (
            "input = 1\noutput = 1\ncached_input = 0",
            "price[0].cached_input",
        ),
        ("input = 1\noutput = 1\nouptut = 1", "ouptut"),
    ] {
        let (code, told) = check(&format!("{model}{rates}\n")).await;
        assert_eq!(code, Some(1), "{rates}: {told}");
        assert!(told.contains("skinflint.toml:"), "{rates}: {told}");
        assert!(told.contains(field), "{rates}: {told}");
    }
    let (code, told) = check(&format!("{model}input = 0\noutput = 0\nfree = true\n")).await;
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = check(&format!("{model}input = 1\noutput = 1\n").repeat(2)).await;
    assert_eq!(code, Some(1), "{told}");
}

/// What the provider reports, at the model's own price for each kind of token.
#[tokio::test]
async fn every_kind_of_token_has_its_price() {
    const PRICE: &str = r#"
[[price]]
model = "claude-kinds"
input = 1
cached_input = 0.1
cache_write_5m = 1.25
cache_write_1h = 2
output = 5
"#;
    let provider = FakeProvider::start().await;
    let gateway = Gateway::builder(&provider).append(PRICE).start().await;
    provider.script(Script::answer(Answer {
        tokens: Some(9),
        usage: Usage {
            input: Some(1_000),
            cached: 30_000,
            write_5m: 400,
            write_1h: 70,
            ..Usage::default()
        },
        ..Answer::default()
    }));
    let mut body = Api::Messages.body(false);
    body["model"] = "claude-kinds".into();
    let told = call(&gateway, Api::Messages, &body, &[]).await;
    // 1,000 + 3,000 + 500 + 140 + 45 millionths.
    assert_eq!(told.cost, "0.004685");
    let attempts = money::settled(&gateway).await;
    assert_eq!(money::lines(&attempts), "provider 4685000\n");
    gateway.finish().await;
}
