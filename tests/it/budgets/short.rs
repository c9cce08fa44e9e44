//! Answers that are cut to what is left, and never below what is of use.

use serde_json::{Value, json};
use skinflint_tests::{FakeProvider, Gateway, Script};

use crate::{
    api::Api,
    money::{self, limit_name, monthly},
};

/// An unstreamed message that may think for so many of its tokens.
fn thinking(budget: u64, tokens: u64) -> Value {
    let mut body = money::ask(Api::Messages, tokens, false);
    body["thinking"] = json!({ "type": "enabled", "budget_tokens": budget });
    body
}

async fn gateway(provider: &FakeProvider, usd: &str) -> Gateway {
    money::gateway(provider, &monthly(usd)).start().await
}

/// The limit of length in what the provider received last.
fn sent_limit(provider: &FakeProvider, api: Api) -> u64 {
    let sent = provider.exchanges().pop().expect("a call");
    sent.json()[limit_name(api)].as_u64().expect("a limit")
}

#[tokio::test]
async fn a_whole_answer_is_cut_to_what_is_left() {
    for api in Api::ALL {
        let provider = FakeProvider::start().await;
        provider.script_by(|_| Some(Script::tokens(60)));
        let gateway = gateway(&provider, "0.20").await;
        for (asked, left) in [(1_000, 200), (100, 100), (1_000, 80)] {
            let told = money::call(&gateway, api, &money::ask(api, asked, false), &[]).await;
            told.assert_answered();
            assert_eq!(sent_limit(&provider, api), left, "{api:?}");
        }
        // What is left is less than an answer that helps anybody, and enough for a shorter one that was asked for.
        let refused = money::call(&gateway, api, &money::ask(api, 1_000, false), &[]).await;
        refused.assert_refused();
        assert_eq!(refused.budget(), "tenant: 0.18 + 0.00 of 0.20");
        let short = money::call(&gateway, api, &money::ask(api, 20, false), &[]).await;
        short.assert_answered();
        gateway.finish().await;
    }
}

#[tokio::test]
async fn a_request_without_a_limit_gets_one_when_it_must() {
    let provider = FakeProvider::start().await;
    let gateway = gateway(&provider, "0.20").await;
    for (api, name) in [
        (Api::Chat, "max_tokens"),
        (Api::Responses, "max_output_tokens"),
    ] {
        provider.script(Script::tokens(5));
        let mut body = money::ask(api, 1, false);
        body.as_object_mut().unwrap().remove(limit_name(api));
        money::call(&gateway, api, &body, &[])
            .await
            .assert_answered();
        let sent = provider.exchanges().pop().unwrap();
        let mut expected = body.clone();
        expected[name] = if api == Api::Chat { 200 } else { 195 }.into();
        assert_eq!(sent.json(), expected);
    }
    gateway.finish().await;
}

#[tokio::test]
async fn thinking_is_never_cut_into() {
    let provider = FakeProvider::start().await;
    let gateway = gateway(&provider, "1.50").await;
    // 1,500 tokens are left: thinking and an answer of use find room.
    provider.script(Script::tokens(400));
    let told = money::call(&gateway, Api::Messages, &thinking(1_024, 2_000), &[]).await;
    told.assert_answered();
    assert_eq!(sent_limit(&provider, Api::Messages), 1_500);
    // 1,100 are left, which is enough still; then 1,080, which leaves too little beside the thinking.
    provider.script(Script::tokens(20));
    let told = money::call(&gateway, Api::Messages, &thinking(1_024, 2_000), &[]).await;
    told.assert_answered();
    assert_eq!(sent_limit(&provider, Api::Messages), 1_100);
    let refused = money::call(&gateway, Api::Messages, &thinking(1_024, 2_000), &[]).await;
    refused.assert_refused();
    assert_eq!(provider.exchanges().len(), 2);
    // Less thinking fits.
    provider.script(Script::tokens(1_080));
    let told = money::call(&gateway, Api::Messages, &thinking(1_000, 2_000), &[]).await;
    told.assert_answered();
    assert_eq!(sent_limit(&provider, Api::Messages), 1_080);
    // And now nothing does.
    let refused = money::call(&gateway, Api::Messages, &thinking(1_000, 2_000), &[]).await;
    refused.assert_refused();
    assert_eq!(refused.budget(), "tenant: 1.50 + 0.00 of 1.50");
    gateway.finish().await;
}

#[tokio::test]
async fn a_stream_ends_where_the_budget_does() {
    for api in Api::ALL {
        let provider = FakeProvider::start().await;
        let gateway = gateway(&provider, "0.30").await;
        // Slowly, as models are.
        provider.script(Script {
            token_delay_ms: 5,
            ..Script::tokens(1_000)
        });
        let told = money::call(&gateway, api, &money::ask(api, 1_000, true), &[]).await;
        told.assert_answered();
        assert_eq!(
            sent_limit(&provider, api),
            1_000,
            "what is metered is not clamped"
        );
        let (events, rest) = skinflint_tests::sse::events(told.body.as_bytes());
        assert!(rest.is_empty(), "{api:?}: {rest:?}");
        let reason = match api {
            Api::Chat => events.iter().find_map(|event| {
                let json = event.json();
                json["choices"][0]["finish_reason"]
                    .as_str()
                    .map(str::to_owned)
            }),
            Api::Messages => events.iter().find_map(|event| {
                let json = event.json();
                json["delta"]["stop_reason"].as_str().map(str::to_owned)
            }),
            Api::Responses => events.last().and_then(|event| {
                let json = event.json();
                let reason = &json["response"]["incomplete_details"]["reason"];
                reason.as_str().map(str::to_owned)
            }),
        };
        let expected = match api {
            Api::Chat => "length",
            Api::Messages => "max_tokens",
            Api::Responses => "max_output_tokens",
        };
        assert_eq!(reason.as_deref(), Some(expected), "{api:?}: {}", told.body);
        let last = events.last().unwrap();
        match api {
            Api::Chat => assert_eq!(last.data, "[DONE]"),
            Api::Messages => assert_eq!(last.name, "message_stop"),
            Api::Responses => assert_eq!(last.name, "response.incomplete"),
        }
        let attempts = money::settled(&gateway).await;
        assert_eq!(attempts[0].source, "counted");
        assert!(attempts[0].cost <= 30 * money::CENT, "{attempts:?}");
        assert!(attempts[0].cost > 15 * money::CENT, "{attempts:?}");
        gateway.finish().await;
    }
}
