//! What cannot be counted is not let past a budget that holds.

use serde_json::json;
use skinflint_tests::{FakeProvider, Gateway, Script};

use crate::{
    api::Api,
    money::{self, Told, budget},
};

const FILES: &str = "/v1/files";

/// A gateway with one budget of a dollar, and a path that is passed through unread.
async fn gateway(provider: &FakeProvider, more: &str) -> Gateway {
    money::gateway(provider, &budget("tenant", "month", "1", more))
        .pass_through("fake-openai", &[FILES])
        .start()
        .await
}

async fn background(gateway: &Gateway) -> Told {
    let mut body = money::ask(Api::Responses, 10, false);
    body["background"] = true.into();
    money::call(gateway, Api::Responses, &body, &[]).await
}

async fn files(gateway: &Gateway) -> (u16, String) {
    let response = gateway.post(FILES, "{}").send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn background_and_unread_paths_are_refused() {
    let provider = FakeProvider::start().await;
    let gateway = gateway(&provider, "").await;
    let told = background(&gateway).await;
    assert_eq!(told.status, 403, "{told:?}");
    assert_eq!(told.json()["error"]["code"], "unmetered_under_budget");
    let (status, body) = files(&gateway).await;
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("unmetered_under_budget"), "{body}");
    assert!(provider.exchanges().is_empty());
    gateway.finish().await;
}

#[tokio::test]
async fn a_budget_that_only_warns_lets_them_through() {
    let provider = FakeProvider::start().await;
    provider.script_by(|request| {
        (request.path() == FILES).then(|| Script::status(http::StatusCode::OK))
    });
    let gateway = gateway(&provider, "on_exceed = \"warn\"").await;
    background(&gateway).await.assert_answered();
    assert_eq!(files(&gateway).await.0, 200);
    assert_eq!(provider.exchanges().len(), 2);
    gateway.finish().await;
}

/// A tenth of a cent for a token of prompt, and at most 20,000 of them.
const WINDOW: &str = r#"
[[price]]
model = "gpt-reads"
input = 1000
output = 1
context = 20000
hidden_reasoning = false
"#;

fn ask(previous: Option<&str>) -> serde_json::Value {
    let mut body = money::ask(Api::Responses, 10, false);
    body["model"] = "gpt-reads".into();
    if let Some(previous) = previous {
        body["previous_response_id"] = json!(previous);
    }
    body
}

#[tokio::test]
async fn input_by_reference_counts_as_what_it_was_or_as_the_whole_window() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let gateway = Gateway::builder(&provider)
        .tenant(
            "acme",
            &money::tenant("", &budget("tenant", "month", "15", "")),
        )
        .append(WINDOW)
        .start()
        .await;
    let call = async |previous| money::call(&gateway, Api::Responses, &ask(previous), &[]).await;
    let unknown = call(Some("resp_of_somebody_else")).await;
    unknown.assert_refused();
    let json = unknown.json();
    let estimate = json["error"]["budget"]["estimate_usd"].as_str().unwrap();
    assert!(estimate.starts_with("20.0"), "{estimate}");
    let first = call(None).await;
    first.assert_answered();
    let id = first.json()["id"].as_str().unwrap().to_owned();
    money::settled(&gateway).await;
    call(Some(&id)).await.assert_answered();
    call(Some("resp_of_somebody_else")).await.assert_refused();
    // A conversation is kept by the provider alone.
    let mut body = ask(None);
    body["conversation"] = "conv_1".into();
    money::call(&gateway, Api::Responses, &body, &[])
        .await
        .assert_refused();
    assert_eq!(provider.exchanges().len(), 2);
    gateway.finish().await;
}
