//! Prose is made shorter by local models: for whoever asks, and in requests.

use insta::assert_snapshot;
use serde_json::{Value, json};
use skinflint_tests::{FakeProvider, Gateway, GatewayBuilder, Script, weights};

use crate::told::told;

/// Sentences of which much can be guessed, with an identifier in them.
fn prose() -> String {
    let sentence = "The committee met again in the large hall of the old town house, and it was decided that the report \
                    about the bridge would be read to all of the members who had been present. ";
    let named = "The contract has the number AB-20931 and is kept by the clerk. ";
    sentence.repeat(3) + named + &sentence.repeat(3)
}

fn builder(provider: &FakeProvider) -> GatewayBuilder {
    Gateway::builder(provider)
        .field("local", "enabled", "true")
        .field("local", "classifier", "false")
        .arguments(&["--models", &weights::folder().to_string_lossy()])
}

async fn ask(gateway: &Gateway, body: Value) -> reqwest::Response {
    gateway
        .post("/v1/compress", body.to_string())
        .send()
        .await
        .unwrap()
}

async fn compressed(gateway: &Gateway, body: Value) -> Value {
    let answer = ask(gateway, body).await;
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn whoever_asks_gets_prose_shorter() {
    let provider = FakeProvider::start().await;
    let gateway = builder(&provider).start().await;
    let body = json!({ "context": prose(), "question": "Where is the contract?", "rate": 0.5, "method": "llmlingua", "model": "gpt-4o" });
    let answer = compressed(&gateway, body.clone()).await;
    let tokens = |key: &str| answer[key].as_u64().unwrap();
    assert!(
        tokens("compressed_tokens") * 10 < tokens("origin_tokens") * 8,
        "{answer}"
    );
    let text = answer["compressed_prompt"].as_str().unwrap();
    assert!(
        text.contains("AB-20931") && text.ends_with("Where is the contract?"),
        "{text}"
    );
    assert!(answer["ratio"].as_str().unwrap().ends_with('x') && answer["saving"].is_string());
    // The same again is the same.
    assert_eq!(compressed(&gateway, body).await, answer);

    let tagged = format!(
        "<llmlingua, compress=False>Keep all of this.</llmlingua><llmlingua, rate=0.3>{}</llmlingua>",
        prose()
    );
    let answer = compressed(
        &gateway,
        json!({ "prompt": [tagged], "structured": true, "method": "llmlingua" }),
    )
    .await;
    let text = answer["compressed_prompt"].as_str().unwrap();
    assert!(
        text.starts_with("Keep all of this.") && !text.contains("llmlingua"),
        "{text}"
    );
    assert_eq!(provider.exchanges().len(), 0);
    gateway.finish().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_told() {
    let provider = FakeProvider::start().await;
    let gateway = builder(&provider).start().await;
    let refused = async |body: Value| told(ask(&gateway, body).await).await;
    assert_snapshot!(refused(json!({ "context": "a", "rate": 2 })).await, @r#"400 {"error":{"message":"`rate` is 2; allowed: 0 to 1.","type":"invalid_request_error","param":null,"code":null}}"#);
    assert_snapshot!(refused(json!({ "context": 7 })).await, @r#"400 {"error":{"message":"`context`: expected a string or a list of strings at line 1 column 13.","type":"invalid_request_error","param":null,"code":null}}"#);
    let unknown = refused(json!({ "context": "a", "rat": 2 })).await;
    assert!(
        unknown.starts_with("400") && unknown.contains("`rat`: unknown field `rat`"),
        "{unknown}"
    );
    assert_snapshot!(refused(json!({ "context": "a", "context_budget": "2" })).await, @r#"400 {"error":{"message":"`context_budget` is \"2\"; allowed: +N or -N with N up to 1000000, *N or /N with N above 0 and up to 100.","type":"invalid_request_error","param":null,"code":null}}"#);
    assert_snapshot!(refused(json!({ "context": "a", "method": "longllmlingua" })).await, @r#"400 {"error":{"message":"Longllmlingua needs a question.","type":"invalid_request_error","param":null,"code":null}}"#);
    assert_snapshot!(refused(json!({ "context": "<llmlingua, rate=0.5>a", "structured": true, "method": "llmlingua" })).await, @r#"400 {"error":{"message":"Context 0: nothing closes the tag <llmlingua> at line 1 column 1.","type":"invalid_request_error","param":null,"code":null}}"#);
    assert_snapshot!(refused(json!({ "context": "a" })).await, @r#"503 {"error":{"message":"No classifier of tokens is there: `make train-head` trains one, `local.classifier` names another, and the methods `llmlingua` and `longllmlingua` need none.","type":"server_error","param":null,"code":"local_model_unavailable"}}"#);
    let url = gateway.url("/v1/compress");
    let misused = gateway.client().get(url).send().await.unwrap();
    assert_eq!(misused.status(), 405);
    gateway.finish().await;
}

#[tokio::test]
async fn words_are_left_out_of_new_results_where_the_policy_says_so() {
    const TENANT: &str = "[tenant]\nid = 'acme'\nkeyless = true\n[compress]\nmode = 'aggressive'\nguard = false\n\
                          [compress.prose]\nmethod = 'llmlingua'\nrate = 0.5\nallowance = '30s'\n";
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::text("It is kept by the clerk.")));
    let gateway = builder(&provider).tenant("acme", TENANT).start().await;
    let mut messages = vec![json!({ "role": "user", "content": "Where is the contract?" })];
    let mut sent = Vec::new();
    for turn in 0..2 {
        let tools = json!([{ "name": "search", "input_schema": { "type": "object" } }]);
        let body = json!({ "model": "claude-sonnet-4-5", "max_tokens": 9, "tools": tools, "messages": messages });
        let answer = gateway
            .post("/v1/messages", body.to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        let exchange = provider.exchanges().pop().unwrap();
        sent.push(String::from_utf8_lossy(&exchange.body).into_owned());
        let id = format!("toolu_{turn}");
        messages.push(json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": "search", "input": {} }] }));
        messages.push(json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": prose() }] }));
    }
    assert!(
        sent[1].contains("words omitted; source intact") && sent[1].contains("AB-20931"),
        "{}",
        sent[1]
    );
    // A third of the words at the least, whatever the protected ones are.
    let request: Value = serde_json::from_str(&sent[1]).unwrap();
    let result = request["messages"][2]["content"][0]["content"].as_str();
    let words = |text: &str| text.split_whitespace().count();
    let kept = words(result.unwrap().split_once('\n').unwrap().1);
    assert!(kept * 3 < words(&prose()) * 2, "{result:?}");
    gateway.finish().await;
}
