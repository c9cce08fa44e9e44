//! Usage is asked for on behalf of a client that did not, and nothing else of a stream changes.

use serde_json::json;
use skinflint_tests::{FakeProvider, Gateway, GatewayBuilder, Script, sse};

use crate::{
    api::Api,
    money::{self, monthly},
};

const COMMENT: &str = ": ";

/// A chat stream's request that does not ask for usage.
fn quiet() -> serde_json::Value {
    let mut body = money::ask(Api::Chat, 50, true);
    body.as_object_mut().unwrap().remove("stream_options");
    body
}

/// A stream without its comments.
fn uncommented(stream: &str) -> String {
    let blocks = stream.split_inclusive("\n\n");
    blocks.filter(|block| !block.starts_with(COMMENT)).collect()
}

/// `on_behalf` is the field of the upstream.
fn builder(provider: &FakeProvider, ask_usage: bool) -> GatewayBuilder {
    let url = provider.url();
    let toml = format!(
        "[[upstream]]\nname = \"o\"\nprotocol = \"openai\"\nbase_url = {url:?}\nask_usage = {ask_usage}\napi_key_env = \"FAKE_OPENAI_KEY\"\n[[model]]\nname = \"gpt-*\"\nupstream = \"o\"\n"
    );
    GatewayBuilder::new()
        .watch(provider)
        .tenant("acme", &money::tenant("", &monthly("10")))
        .append(&toml)
        .append(money::OUTPUT_ONLY)
}

#[tokio::test]
async fn it_is_asked_for_and_hidden() {
    let provider = FakeProvider::start().await;
    provider.script(Script::tokens(20));
    let gateway = builder(&provider, true).start().await;
    let told = money::call(&gateway, Api::Chat, &quiet(), &[]).await;
    told.assert_answered();
    let sent = provider.only_exchange();
    let mut asked = quiet();
    asked["stream_options"] = json!({ "include_usage": true });
    assert_eq!(sent.json(), asked);
    let answer = String::from_utf8(sent.sent()).unwrap();
    let blocks = answer.split_inclusive("\n\n");
    let hidden: String = blocks
        .filter(|block| !block.contains("\"choices\":[]"))
        .collect();
    assert_ne!(hidden, answer, "the provider reported no usage");
    assert_eq!(uncommented(&told.body), hidden);
    let attempts = money::settled(&gateway).await;
    assert_eq!(money::lines(&attempts), "provider 20000000\n");
    gateway.finish().await;
}

#[tokio::test]
async fn a_client_that_asks_gets_it() {
    let provider = FakeProvider::start().await;
    provider.script(Script::tokens(20));
    let gateway = builder(&provider, true).start().await;
    let body = money::ask(Api::Chat, 50, true);
    let told = money::call(&gateway, Api::Chat, &body, &[]).await;
    let sent = provider.only_exchange();
    assert_eq!(sent.body, body.to_string());
    assert_eq!(uncommented(&told.body).into_bytes(), sent.sent());
    gateway.finish().await;
}

#[tokio::test]
async fn where_it_may_not_be_asked_for_the_answer_is_counted() {
    let provider = FakeProvider::start().await;
    provider.script(Script::tokens(20));
    let gateway = builder(&provider, false).start().await;
    let told = money::call(&gateway, Api::Chat, &quiet(), &[]).await;
    let sent = provider.only_exchange();
    assert_eq!(sent.body, quiet().to_string());
    assert_eq!(uncommented(&told.body).into_bytes(), sent.sent());
    let attempts = money::settled(&gateway).await;
    assert_eq!(attempts[0].source, "counted");
    assert!((20..=50).contains(&attempts[0].output), "{attempts:?}");
    gateway.finish().await;
}

/// Each protocol's stream, up to the comment and from it on.
async fn around_the_comment(gateway: &Gateway, api: Api) -> Option<(String, String)> {
    let told = money::call(gateway, api, &money::ask(api, 50, true), &[]).await;
    told.assert_answered();
    let at = told.body.find("\n\n: ")? + 2;
    let (before, after) = told.body.split_at(at);
    Some((before.to_owned(), after.to_owned()))
}

#[tokio::test]
async fn a_comment_before_the_last_event_says_what_it_cost() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(20)));
    let gateway = money::gateway(&provider, &monthly("10")).start().await;
    for api in Api::ALL {
        let (before, after) = around_the_comment(&gateway, api).await.expect("a comment");
        let (comment, last) = after.split_once("\n\n").unwrap();
        assert!(comment.contains("0.02"), "{api:?}: {comment}");
        let (events, rest) = sse::events(last.as_bytes());
        assert!(rest.is_empty() && events.len() == 1, "{api:?}: {last}");
        assert!(api.is_terminal(&events[0]), "{api:?}: {last}");
        let sent = provider.exchanges().pop().unwrap().sent();
        assert_eq!((before + last).into_bytes(), sent, "{api:?}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn comments_can_be_switched_off() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(20)));
    let gateway = money::gateway(&provider, &monthly("10"))
        .field("listen", "cost_comments", "false")
        .start()
        .await;
    for api in Api::ALL {
        let told = money::call(&gateway, api, &money::ask(api, 50, true), &[]).await;
        let sent = provider.exchanges().pop().unwrap().sent();
        assert_eq!(told.body.into_bytes(), sent, "{api:?}");
    }
    gateway.finish().await;
}

#[tokio::test]
async fn a_header_says_what_a_whole_answer_cost() {
    let provider = FakeProvider::start().await;
    let gateway = money::gateway(&provider, &monthly("10")).start().await;
    for api in Api::ALL {
        for (tokens, cost) in [(0, "0.00"), (1, "0.001"), (10, "0.01"), (1_234, "1.234")] {
            provider.script(Script::tokens(tokens));
            let told = money::call(&gateway, api, &money::ask(api, 2_000, false), &[]).await;
            assert_eq!(told.cost, cost, "{api:?}");
        }
    }
    gateway.finish().await;
}
