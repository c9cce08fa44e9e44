//! Providers' prompt caches are switched on for clients that have not done so.

use serde_json::{Value, json};
use skinflint_tests::{Exchange, FakeProvider, Gateway, GatewayBuilder, Script};

async fn provider() -> FakeProvider {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(3)));
    provider
}

/// An agent's call after so many turns, long enough for a cache.
fn messages(turns: usize) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": "Go." })];
    for turn in 0..turns {
        let id = format!("toolu_{turn}");
        messages.push(json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": "Read", "input": {} }] }));
        messages.push(json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": "a line\n".repeat(100) }] }));
    }
    let tools = json!([{ "name": "Read", "input_schema": { "type": "object" } }]);
    json!({ "model": "claude-sonnet-4-5", "max_tokens": 9, "system": "You read files. ".repeat(500), "tools": tools, "messages": messages })
}

async fn send(gateway: &Gateway, path: &str, body: &Value) {
    let answer = gateway.post(path, body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap();
}

fn sent(exchange: &Exchange) -> Value {
    serde_json::from_slice(&exchange.body).unwrap()
}

/// How many breakpoints a request has.
fn marks(request: &Value) -> usize {
    request.to_string().matches("\"cache_control\"").count()
}

#[tokio::test]
async fn an_agents_prefix_is_marked_unless_it_is_marked_or_short() {
    let provider = provider().await;
    let gateway = Gateway::start(&provider).await;
    let path = "/v1/messages";
    send(&gateway, path, &messages(0)).await;
    send(&gateway, path, &messages(12)).await;
    let all = provider.exchanges();
    assert_eq!((marks(&sent(&all[0])), marks(&sent(&all[1]))), (2, 3));
    assert_eq!(
        sent(&all[1])["system"][0]["cache_control"],
        json!({ "type": "ephemeral" })
    );
    assert_eq!(
        sent(&all[1])["messages"][24]["content"][0]["cache_control"],
        json!({ "type": "ephemeral" })
    );

    let mut own = messages(2);
    own["messages"][4]["content"][0]["cache_control"] = json!({ "type": "ephemeral" });
    let mut short = messages(1);
    short["system"] = "Be brief.".into();
    let mut once = messages(0);
    once.as_object_mut().unwrap().remove("tools");
    for left_alone in [own, short, once] {
        send(&gateway, path, &left_alone).await;
        assert_eq!(
            provider.exchanges().pop().unwrap().body,
            left_alone.to_string()
        );
    }
    gateway.finish().await;
}

fn strict(provider: &FakeProvider) -> GatewayBuilder {
    let tenant = "[tenant]\nid = 'acme'\nkeyless = true\n[cache]\nhints = false\n";
    Gateway::builder(provider).tenant("acme", tenant)
}

#[tokio::test]
async fn nothing_is_marked_where_the_policy_says_so() {
    let provider = provider().await;
    let gateway = strict(&provider).start().await;
    send(&gateway, "/v1/messages", &messages(3)).await;
    assert_eq!(marks(&sent(&provider.only_exchange())), 0);
    gateway.finish().await;
}

#[tokio::test]
async fn openai_is_told_which_conversation_it_is() {
    let provider = provider().await;
    let gateway = Gateway::builder(&provider)
        .append("[[upstream]]\nname = 'real'\nprotocol = 'openai'\nprovider = 'openai'\nbase_url = 'PROVIDER'\napi_key_env = 'KEY'\n[[model]]\nname = 'gpt-4o'\nupstream = 'real'\n".replace("PROVIDER", &provider.url()).as_str())
        .env("KEY", "sk")
        .start()
        .await;
    let path = "/v1/chat/completions";
    let ask = |model: &str, text: &str| json!({ "model": model, "messages": [{ "role": "user", "content": text }] });
    for (model, text) in [
        ("gpt-4o", "a"),
        ("gpt-4o", "a"),
        ("gpt-4o", "b"),
        ("gpt-fake-1", "a"),
    ] {
        send(&gateway, path, &ask(model, text)).await;
    }
    let mut own = ask("gpt-4o", "a");
    own["prompt_cache_key"] = "mine".into();
    send(&gateway, path, &own).await;
    let all = provider.exchanges();
    let keys: Vec<_> = all
        .iter()
        .map(|exchange| sent(exchange)["prompt_cache_key"].clone())
        .collect();
    assert!(keys[0].as_str().is_some_and(|key| key.len() == 32));
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
    assert_eq!((&keys[3], &keys[4]), (&Value::Null, &json!("mine")));
    gateway.finish().await;
}
