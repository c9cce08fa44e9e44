//! What leaves something out is served only where calls that were asked both ways show that it does no harm.

use serde_json::{Value, json};
use skinflint_tests::{Answer, FakeProvider, Gateway, Script, ToolCall};

const TENANT: &str =
    "[tenant]\nid = 'acme'\nkeyless = true\n[compress]\nmode = 'balanced'\naudit = 1.0\n";

/// The opening of a conversation, or that with the result of a tool behind it.
fn request(number: usize, with_result: bool) -> String {
    let mut messages =
        vec![json!({ "role": "user", "content": format!("Is all well with {number}?") })];
    if with_result {
        let row = |row: u32| json!({ "seq": row, "level": "INFO", "msg": format!("heartbeat, load {}", row % 7) });
        let rows: Vec<Value> = (0..400).map(row).collect();
        let call =
            json!({ "type": "tool_use", "id": "toolu_0", "name": "list_events", "input": {} });
        messages.push(json!({ "role": "assistant", "content": [call] }));
        let result = json!({ "type": "tool_result", "tool_use_id": "toolu_0", "content": serde_json::to_string(&rows).unwrap() });
        messages.push(json!({ "role": "user", "content": [result] }));
    }
    let tools = json!([{ "name": "list_events", "input_schema": { "type": "object" } }]);
    json!({ "model": "claude-sonnet-4-5", "max_tokens": 64, "stream": number.is_multiple_of(2), "tools": tools, "messages": messages })
        .to_string()
}

async fn gateway(provider: &FakeProvider) -> Gateway {
    let gateway = Gateway::builder(provider).tenant("acme", TENANT);
    gateway.start().await
}

async fn converse(gateway: &Gateway, number: usize) {
    for with_result in [false, true] {
        let body = request(number, with_result);
        let answer = gateway.post("/v1/messages", body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
    }
}

/// How many calls were asked both ways.
const TRIALS: &str = "skinflint_trials_total";

/// Whether the call that the client's third request of a conversation became told the model that something was left out.
fn was_cut(provider: &FakeProvider, conversation: usize) -> bool {
    // Opening, the client's call, the same call the other way.
    let exchange = &provider.exchanges()[conversation * 3 + 1];
    String::from_utf8_lossy(&exchange.body).contains("rows omitted; source intact")
}

#[tokio::test]
async fn something_is_left_out_once_it_is_shown_to_change_nothing() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::text("All is well.")));
    let gateway = gateway(&provider).await;
    let mut served = 0;
    for number in 0..200_u32 {
        let conversation = usize::try_from(number).unwrap();
        converse(&gateway, conversation).await;
        gateway.wait_metric(TRIALS, f64::from(number + 1)).await;
        served += u32::from(was_cut(&provider, conversation));
        if served > 3 {
            // Thirty comparisons at least stand behind the first.
            assert!(number > 30, "{number}");
            break;
        }
    }
    assert_eq!(served, 4);
    gateway.finish().await;
}

#[tokio::test]
async fn nothing_is_left_out_where_that_changes_answers() {
    let provider = FakeProvider::start().await;
    provider.script_by(|exchange| {
        let text = String::from_utf8_lossy(&exchange.body).into_owned();
        let page = u32::from(text.contains("omitted; source"));
        Some(Script::answer(Answer {
            tool_calls: vec![ToolCall {
                name: "list_events".to_owned(),
                arguments: json!({ "page": page }),
            }],
            ..Answer::default()
        }))
    });
    let gateway = gateway(&provider).await;
    for number in 0..40_u32 {
        let conversation = usize::try_from(number).unwrap();
        converse(&gateway, conversation).await;
        gateway.wait_metric(TRIALS, f64::from(number + 1)).await;
        assert!(!was_cut(&provider, conversation));
    }
    gateway.finish().await;
}

#[tokio::test]
async fn the_command_line_tells_where_trials_stand() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::text("All is well.")));
    let gateway = gateway(&provider).await;
    let told = gateway.cli(&["trials"]).await;
    assert!(
        told.stderr.contains("no call was asked both ways yet"),
        "{}",
        told.stderr
    );
    converse(&gateway, 0).await;
    gateway.wait_metric(TRIALS, 1.0).await;
    let told = poll(&gateway).await;
    assert!(
        told.contains("claude-sonnet-4-5/main")
            && told.contains("omission")
            && told.contains("shadow"),
        "{told}"
    );
    gateway.finish().await;
}

/// The table, once it is written: some milliseconds after the comparison.
async fn poll(gateway: &Gateway) -> String {
    for _ in 0..100 {
        let told = gateway.cli(&["trials"]).await;
        if told.stdout.contains("omission") {
            return told.stdout;
        }
    }
    panic!("nothing is written");
}
