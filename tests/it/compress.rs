//! Results of tools reach the provider smaller, in the same bytes in every turn.

use serde_json::{Value, json};
use skinflint_tests::{FakeProvider, Gateway, Script};

const PATH: &str = "/v1/messages";

/// What a tool gives: a list as Python prints it.
fn rows(from: usize) -> String {
    let row =
        |row: usize| json!({ "order_id": format!("W{row}"), "status": "shipped", "total": row });
    let rows: Vec<String> = (from..from + 20)
        .map(|number| {
            row(number)
                .to_string()
                .replace(':', ": ")
                .replace(',', ", ")
        })
        .collect();
    format!("[{}]", rows.join(", "))
}

/// The call after so many results of a tool, as Claude Code makes it.
fn turn(tool: &str, results: usize) -> String {
    let mut messages = vec![json!({ "role": "user", "content": "Find the orders." })];
    for number in 0..results {
        let id = format!("toolu_{number}");
        messages.push(json!({ "role": "assistant", "content": [
            { "type": "tool_use", "id": id, "name": tool, "input": { "page": number } },
        ] }));
        messages.push(json!({ "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": id, "content": rows(number * 100) },
        ] }));
    }
    messages[2 * results]["content"][0]["cache_control"] = json!({ "type": "ephemeral" });
    json!({ "model": "claude-sonnet-4-5", "max_tokens": 64, "messages": messages }).to_string()
}

/// The results of tools that the provider was sent last.
fn sent(provider: &FakeProvider) -> Vec<String> {
    let exchange = provider.exchanges().pop().unwrap();
    let body: Value = serde_json::from_slice(&exchange.body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let results = messages
        .iter()
        .filter_map(|message| message["content"][0]["content"].as_str());
    results.map(str::to_owned).collect()
}

async fn call(gateway: &Gateway, body: String, mode: Option<&str>) -> String {
    let mut request = gateway.post(PATH, body);
    if let Some(mode) = mode {
        request = request.header("x-skinflint-compress", mode);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let id = answer.headers()["x-skinflint-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    answer.bytes().await.unwrap();
    id
}

#[tokio::test]
async fn a_result_is_sent_as_a_table_from_its_first_turn_on() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(3)));
    let mut gateway = Gateway::start(&provider).await;
    let id = call(&gateway, turn("list_orders", 1), None).await;
    let first = sent(&provider);
    assert!(
        first[0].starts_with("Tables: ")
            && first[0].contains("[20:order_id,status,total;\"W0\",\"shipped\",0;"),
        "{}",
        first[0]
    );
    call(&gateway, turn("list_orders", 2), None).await;
    let second = sent(&provider);
    assert_eq!(second[0], first[0]);
    assert!(second[1].starts_with("Tables:\n[20:"));

    // What a call asks for, a new process and a new turn do not change what was sent before.
    gateway.signal(nix::sys::signal::Signal::SIGTERM);
    gateway.exited().await;
    let told = gateway.cli(&["explain", &id]).await;
    assert!(
        told.stdout.contains("compressed: ") && told.stdout.contains("stages minify + jton"),
        "{}{}",
        told.stdout,
        told.stderr
    );
    gateway.start_again().await;
    call(&gateway, turn("list_orders", 3), Some("off")).await;
    let third = sent(&provider);
    assert_eq!(third[..2], second[..]);
    assert_eq!(third[2], rows(200));
    gateway.finish().await;
}

#[tokio::test]
async fn what_must_not_change_does_not() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(3)));
    let gateway = Gateway::start(&provider).await;
    for (tool, mode) in [("Read", None), ("list_orders", Some("off"))] {
        let body = turn(tool, 1);
        call(&gateway, body.clone(), mode).await;
        assert_eq!(provider.exchanges().pop().unwrap().body, body);
    }
    // First seen midway: only the newest result is known not to have been sent.
    call(&gateway, turn("list_pages", 3), None).await;
    let midway = sent(&provider);
    assert_eq!(midway[..2], [rows(0), rows(100)]);
    assert!(midway[2].starts_with("Tables: "));
    gateway.finish().await;
}

#[tokio::test]
async fn tables_come_and_go_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.json");
    std::fs::write(&path, turn("list_orders", 3)).unwrap();
    let replayed =
        skinflint_tests::Command::run(folder.path(), &["replay", "--json", "calls.json"]).await;
    let row: Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert_eq!(
        (&row["calls"], &row["prefix_changes"], &row["not_restored"]),
        (&json!(3), &json!(0), &json!(0))
    );
    assert!(row["tool_tokens"]["after"].as_u64() < row["tool_tokens"]["before"].as_u64());
    let refused = skinflint_tests::Command::run(folder.path(), &["replay", "none.json"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("none.json"), "{}", refused.stderr);
}
