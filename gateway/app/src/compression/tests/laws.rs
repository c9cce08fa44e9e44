//! What holds for every conversation, in every mode.

use proptest::prelude::*;

use super::*;

/// What a tool gives: lists, logs, listings, prose, and texts with marks of ours.
fn output() -> impl Strategy<Value = String> {
    let list = (1..60_usize, "[a-z]{1,8}").prop_map(|(rows, word)| {
        let row = |row| json!({ "id": row, "name": word, "note": format!("{word} {}", row % 5) });
        serde_json::to_string_pretty(&(0..rows).map(row).collect::<Vec<_>>()).unwrap()
    });
    let log = (1..60_u32, "[a-z]{1,8}").prop_map(|(lines, word)| {
        let line = |line: u32| {
            format!(
                "2026-11-28T10:00:{:02}Z INFO worker {word} done in {line} ms",
                line % 60
            )
        };
        (0..lines).map(line).collect::<Vec<_>>().join("\n")
    });
    let lines = proptest::collection::vec("[ -~]{0,60}", 0..20).prop_map(|lines| lines.join("\n"));
    let marked = lines
        .clone()
        .prop_map(|text| format!("[skinflint: 3 of 9 rows omitted]\n{text}"));
    prop_oneof![list, log, lines, marked, any::<String>()]
}

/// Calls of tools with what they gave, and what is said between.
fn conversation() -> impl Strategy<Value = Vec<(bool, String)>> {
    proptest::collection::vec((any::<bool>(), output()), 1..6)
}

fn body(turns: &[(bool, String)]) -> Bytes {
    let mut messages = vec![json!({ "role": "user", "content": "Go on, with id 7." })];
    for (turn, (is_read, text)) in turns.iter().enumerate() {
        let (id, name) = (
            format!("toolu_{turn}"),
            if *is_read { "Read" } else { "list" },
        );
        messages.push(json!({ "role": "assistant", "content": [
            { "type": "thinking", "thinking": text, "signature": "c2ln" },
            { "type": "tool_use", "id": id, "name": name, "input": { "note": text } },
        ] }));
        messages.push(json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": text }, { "type": "text", "text": text }] }));
    }
    let tools =
        json!([{ "name": "list", "input_schema": {} }, { "name": "Read", "input_schema": {} }]);
    Bytes::from(json!({ "model": "claude-sonnet-4-5", "max_tokens": 9, "tools": tools, "messages": messages }).to_string())
}

async fn sent(compression: &Compression, mode: CompressMode, body: &Bytes) -> Value {
    let view = RequestView::parse(Endpoint::Messages, body, JsonLimits::default()).unwrap();
    let view = Arc::new(view);
    let terms = Terms {
        mode,
        tenant: TENANT,
        task: "t",
        trial: None,
        prose: None,
        window: None,
        compacted: false,
    };
    let done = compression.compress(terms, &view, body).await;
    let (sent_view, sent) = done.request(&view, body).unwrap();
    assert_eq!(
        *sent_view,
        RequestView::parse(Endpoint::Messages, &sent, JsonLimits::default()).unwrap()
    );
    serde_json::from_slice(&sent).unwrap()
}

/// The request without the texts of results, and without the gateway's tool.
fn rest(mut request: Value) -> Value {
    for message in request["messages"].as_array_mut().unwrap() {
        if message["content"][0]["type"] == "tool_result" {
            message["content"][0]["content"] = Value::Null;
        }
    }
    request["tools"].as_array_mut().unwrap().truncate(2);
    request
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_prefix_stays_and_nothing_but_results_changes(turns in conversation(), balanced in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mode = if balanced { CompressMode::Balanced } else { CompressMode::Safe };
        let compression = compression().without_hurry();
        let other = super::compression().without_hurry();
        let mut before: Option<Value> = None;
        for length in 0..=turns.len() {
            let body = body(&turns[..length]);
            let now = runtime.block_on(sent(&compression, mode, &body));
            // The same again, in another mode, and by another gateway.
            prop_assert_eq!(&runtime.block_on(sent(&compression, CompressMode::Off, &body)), &now);
            prop_assert_eq!(&runtime.block_on(sent(&other, mode, &body)), &now);
            let came: Value = serde_json::from_slice(&body).unwrap();
            prop_assert_eq!(rest(now.clone()), rest(came));
            if let Some(before) = before {
                let earlier = before["messages"].as_array().unwrap();
                prop_assert_eq!(&now["messages"].as_array().unwrap()[..earlier.len()], &earlier[..]);
                prop_assert_eq!(&now["tools"], &before["tools"]);
            }
            for ((is_read, text), sent) in turns[..length].iter().zip(results(now.to_string().as_bytes())) {
                let tokens = |text: &str| compression.counter.text(&Encoding::O200k, text).tokens;
                prop_assert!(sent == *text || (!is_read && tokens(&sent) < tokens(text)));
                prop_assert!(!text.contains("[skinflint:") || sent == *text);
            }
            before = Some(now);
        }
    }
}
