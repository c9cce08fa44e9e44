use serde_json::{Value, json};
use skinflint_policies::CompressMode;

use super::*;
use crate::compression::tests::compression;

/// What a conversation was asked with.
#[derive(Clone, Copy, Default)]
struct Call {
    turns: usize,
    window: Option<u64>,
    compacted: bool,
}

/// Reads of a file each, and at last an edit of the first.
fn body(turns: usize) -> Bytes {
    let mut messages = vec![json!({ "role": "user", "content": "Mend it." })];
    for turn in 0..turns {
        let (name, path) = if turn == 6 {
            ("Edit", 0)
        } else {
            ("Read", turn)
        };
        let id = format!("toolu_{turn}");
        let input = json!({ "file_path": format!("/src/{path}.rs") });
        messages.push(json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": name, "input": input }] }));
        let text = format!("fn f{turn}() {{}}\n").repeat(200);
        messages.push(json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": text }] }));
    }
    let tools =
        json!([{ "name": "Read", "input_schema": {} }, { "name": "Edit", "input_schema": {} }]);
    let body = json!({ "model": "claude-sonnet-4-5", "max_tokens": 9, "tools": tools, "messages": messages });
    Bytes::from(body.to_string())
}

async fn send(compression: &Compression, call: Call) -> (Vec<String>, Option<String>) {
    let body = body(call.turns);
    let view = RequestView::parse(Endpoint::Messages, &body, JsonLimits::default()).unwrap();
    let view = Arc::new(view);
    let terms = Terms {
        mode: CompressMode::Balanced,
        tenant: "acme",
        task: "t",
        trial: None,
        prose: None,
        window: call.window,
        compacted: call.compacted,
    };
    let done = compression.compress(terms, &view, &body).await;
    let because = done.because.clone();
    let (_, sent) = done.request(&view, &body).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    let messages = sent["messages"].as_array().unwrap();
    let results = messages
        .iter()
        .filter_map(|message| message["content"][0]["content"].as_str());
    (results.map(str::to_owned).collect(), because)
}

/// The results that are not sent any more.
fn elided(results: &[String]) -> Vec<usize> {
    let is_stub = |text: &String| text.starts_with("[skinflint:") && text.len() < 200;
    let indices = results.iter().enumerate();
    indices
        .filter(|(_, text)| is_stub(text))
        .map(|(index, _)| index)
        .collect()
}

async fn talk(compression: &Compression, turns: usize) {
    for turns in 0..=turns {
        let (results, because) = send(
            compression,
            Call {
                turns,
                ..Call::default()
            },
        )
        .await;
        assert_eq!((elided(&results), because), (vec![], None));
    }
}

#[tokio::test]
async fn what_does_not_fit_loses_its_oldest_results_for_good() {
    let compression = compression();
    talk(&compression, 8).await;
    let full = Call {
        turns: 9,
        window: Some(5_000),
        compacted: false,
    };
    let (results, because) = send(&compression, full).await;
    let gone = elided(&results);
    assert!(gone.contains(&0) && !gone.contains(&8), "{gone:?}");
    assert!(because.is_some_and(|because| because.contains("5,000")));
    assert!(
        results[0].contains("/src/0.rs") && results[0].contains("edited later"),
        "{}",
        results[0]
    );
    // With room again, in a later turn: the same bytes.
    let (later, because) = send(
        &compression,
        Call {
            turns: 9,
            ..Call::default()
        },
    )
    .await;
    assert_eq!((elided(&later), because), (gone, None));
    assert_eq!(later[0], results[0]);
}

#[tokio::test]
async fn a_compacted_context_is_a_free_moment() {
    let compression = compression();
    talk(&compression, 10).await;
    // The read of a file that was edited since, and no other.
    let (results, _) = send(
        &compression,
        Call {
            turns: 11,
            compacted: true,
            window: None,
        },
    )
    .await;
    assert_eq!(elided(&results), [0]);
}

#[tokio::test(start_paused = true)]
async fn so_is_a_cache_that_has_gone_cold() {
    let compression = compression();
    talk(&compression, 11).await;
    tokio::time::advance(Duration::from_mins(5)).await;
    let (results, _) = send(
        &compression,
        Call {
            turns: 11,
            ..Call::default()
        },
    )
    .await;
    assert!(elided(&results).is_empty());
    tokio::time::advance(Duration::from_mins(7)).await;
    let (results, because) = send(
        &compression,
        Call {
            turns: 11,
            ..Call::default()
        },
    )
    .await;
    assert_eq!(elided(&results), [0]);
    assert!(because.is_some());
}

#[tokio::test]
async fn a_short_conversation_in_a_warm_cache_stays() {
    let compression = compression();
    // In the tenth turn it is looked at, and does not pay.
    talk(&compression, 14).await;
}
