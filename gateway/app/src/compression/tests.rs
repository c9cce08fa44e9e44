use std::fmt::Write;

use bytes::Bytes;
use serde_json::{Value, json};
use skinflint_protocol::JsonLimits;

use super::*;

mod laws;

const TENANT: &str = "acme";

/// Rows of a table, as Python prints them.
fn rows(from: usize) -> String {
    let mut text = String::from("[");
    for row in from..from + 20 {
        let comma = if row == from { "" } else { ", " };
        write!(
            text,
            "{comma}{{\"order_id\": \"W{row}\", \"status\": \"shipped\", \"total\": {row}.50}}"
        )
        .unwrap();
    }
    text + "]"
}

pub(super) fn compression() -> Compression {
    let (metrics, _) = crate::metrics::Metrics::new(skinflint_upstream::InFlight::default());
    let trials = Trials::in_memory(metrics, crate::drain::Drain::default());
    Compression::new(DecisionStore::in_memory(1 << 20), trials)
}

/// Messages of Claude Code's shape: a call of a tool and its result for each name of a tool, the newest message with a
/// breakpoint.
fn messages(tools: &[&str]) -> Bytes {
    let mut messages = vec![json!({ "role": "user", "content": "Find the orders." })];
    for (turn, tool) in tools.iter().enumerate() {
        let id = format!("toolu_{turn}");
        messages.push(json!({ "role": "assistant", "content": [
            { "type": "thinking", "thinking": "Hm.", "signature": "c2ln" },
            { "type": "tool_use", "id": id, "name": tool, "input": { "command": "ls" } },
        ] }));
        messages.push(json!({ "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": id, "content": rows(turn * 100) },
        ] }));
    }
    let last = messages.last_mut().unwrap();
    last["content"][0]["cache_control"] = json!({ "type": "ephemeral" });
    let system = json!([{ "type": "text", "text": "You are Claude Code.", "cache_control": { "type": "ephemeral" } }]);
    let body = json!({ "model": "claude-sonnet-4-5", "max_tokens": 9, "system": system, "messages": messages });
    Bytes::from(serde_json::to_vec(&body).unwrap())
}

async fn send(compression: &Compression, tenant: &str, body: &Bytes) -> Bytes {
    let view = RequestView::parse(Endpoint::Messages, body, JsonLimits::default()).unwrap();
    let view = Arc::new(view);
    let terms = Terms {
        mode: CompressMode::Safe,
        tenant,
        task: "t",
        trial: None,
        prose: None,
        window: None,
        compacted: false,
    };
    let done = compression.compress(terms, &view, body).await;
    let (sent_view, sent) = done.request(&view, body).unwrap();
    let seen = RequestView::parse(Endpoint::Messages, &sent, JsonLimits::default()).unwrap();
    assert_eq!(*sent_view, seen);
    sent
}

/// The results of tools in a body.
fn results(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|message| message["content"][0]["content"].as_str())
        .map(str::to_owned)
        .collect()
}

/// What a provider's cache is asked by: everything before the newest message, without breakpoints.
fn prefix(body: &[u8]) -> Value {
    let mut body: Value = serde_json::from_slice(body).unwrap();
    for message in body["messages"].as_array_mut().unwrap() {
        if let Some(parts) = message["content"].as_array_mut() {
            for part in parts {
                part.as_object_mut().unwrap().remove("cache_control");
            }
        }
    }
    body
}

#[tokio::test]
async fn a_result_is_made_smaller_once_and_stays_as_it_was_sent() {
    let compression = compression();
    let mut tools = Vec::new();
    let mut last: Option<Value> = None;
    for turn in 0..6 {
        tools.push("list_orders");
        let body = messages(&tools);
        let sent = send(&compression, TENANT, &body).await;
        assert_eq!(
            sent,
            send(&compression, TENANT, &body).await,
            "a call made again"
        );
        for (before, after) in results(&body).iter().zip(results(&sent)) {
            let restored = skinflint_compressor::restore(&after).unwrap();
            assert_eq!(
                restored,
                skinflint_compressor::jton::minify(before).unwrap()
            );
            assert!(after.len() * 2 < before.len());
        }
        let sent = prefix(&sent);
        if let Some(last) = &last {
            let earlier = &sent["messages"].as_array().unwrap()[..=turn * 2];
            assert_eq!(earlier, last["messages"].as_array().unwrap());
        }
        last = Some(sent);
    }
}

#[tokio::test]
async fn what_was_sent_without_us_is_left_alone() {
    let compression = compression();
    let body = messages(&["list_orders", "list_orders", "list_orders"]);
    let (before, after) = (
        results(&body),
        results(&send(&compression, TENANT, &body).await),
    );
    assert_eq!(before[..2], after[..2]);
    assert_ne!(before[2], after[2]);
}

#[tokio::test]
async fn files_and_other_tenants_are_told_apart() {
    let compression = compression();
    let body = messages(&["Read"]);
    assert_eq!(send(&compression, TENANT, &body).await, body);
    let body = messages(&["list_orders"]);
    send(&compression, TENANT, &body).await;
    let later = messages(&["list_orders", "list_orders"]);
    let of_other = results(&send(&compression, "globex", &later).await);
    assert_eq!(of_other[0], rows(0));
    assert_ne!(
        results(&send(&compression, TENANT, &later).await)[0],
        rows(0)
    );
}

#[tokio::test]
async fn everything_else_is_copied() {
    let compression = compression();
    let body = messages(&["list_orders"]);
    let sent = send(&compression, TENANT, &body).await;
    let (mut before, mut after): (Value, Value) = (
        serde_json::from_slice(&body).unwrap(),
        serde_json::from_slice(&sent).unwrap(),
    );
    for body in [&mut before, &mut after] {
        body["messages"][2]["content"][0]["content"] = Value::Null;
    }
    assert_eq!(before, after);
}

#[tokio::test]
async fn counting_sees_what_was_sent_and_decides_nothing() {
    let compression = compression();
    let body = messages(&["list_orders"]);
    let count = async || {
        let view = RequestView::parse(Endpoint::CountTokens, &body, JsonLimits::default()).unwrap();
        let terms = Terms {
            mode: CompressMode::Safe,
            tenant: TENANT,
            task: "t",
            trial: None,
            prose: None,
            window: None,
            compacted: false,
        };
        let done = compression.compress(terms, &Arc::new(view), &body).await;
        done.blocks
    };
    assert_eq!(count().await, 0);
    send(&compression, TENANT, &body).await;
    assert_eq!(count().await, 1);
}

#[tokio::test]
async fn breakpoints_and_spelling_of_content_do_not_tell_blocks_apart() {
    let keys = |messages: Value| {
        let body = json!({ "model": "m", "max_tokens": 9, "messages": messages });
        let body = serde_json::to_vec(&body).unwrap();
        let view = RequestView::parse(Endpoint::Messages, &body, JsonLimits::default()).unwrap();
        Conversation::of(TENANT, &view, &body)
            .results()
            .into_iter()
            .map(|result| result.key)
            .collect::<Vec<_>>()
    };
    let result =
        |content: &str| json!({ "type": "tool_result", "tool_use_id": "t", "content": content });
    let plain = keys(json!([
        { "role": "user", "content": "Go." },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "f", "input": {} }] },
        { "role": "user", "content": [result("a")] },
    ]));
    let marked = keys(json!([
        { "role": "user", "content": [{ "type": "text", "text": "Go.", "cache_control": { "type": "ephemeral" } }] },
        { "role": "assistant", "content": [
            { "type": "tool_use", "id": "t", "name": "f", "input": {}, "cache_control": { "type": "ephemeral" } },
        ] },
        { "role": "user", "content": [result("a")] },
    ]));
    assert_eq!(plain.len(), 1);
    assert_eq!(plain, marked);
    let other = keys(json!([
        { "role": "user", "content": "Go on." },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t", "name": "f", "input": {} }] },
        { "role": "user", "content": [result("a")] },
    ]));
    assert_ne!(plain, other);
}

#[tokio::test]
async fn what_was_said_before_is_referred_to() {
    let compression = compression();
    let line = |line: u32| {
        format!(
            "component {line} of the assembly, drawer {}\n",
            line * 7 % 11
        )
    };
    let listing = (0..30).map(line).collect::<Vec<_>>().concat();
    let call = |id: &str| json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": "inventory", "input": {} }] });
    let result = |id: &str, text: &str| json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": text }] });
    let second = format!("checked again\n{listing}nothing is missing\n");
    let mut messages = vec![
        json!({ "role": "user", "content": "Check." }),
        call("a"),
        result("a", &listing),
    ];
    let body = |messages: &[Value]| {
        let body = json!({ "model": "claude-sonnet-4-5", "max_tokens": 9, "messages": messages });
        Bytes::from(body.to_string())
    };
    assert_eq!(
        results(&send(&compression, TENANT, &body(&messages)).await)[0],
        listing
    );
    messages.extend([call("b"), result("b", &second)]);
    let sent = results(&send(&compression, TENANT, &body(&messages)).await);
    assert_eq!(sent[0], listing);
    assert!(
        sent[1].contains("of tool result 1: \"component 0") && sent[1].len() < 200,
        "{}",
        sent[1]
    );
    let restored = restore_references(&sent[1], sent.iter().map(String::as_str));
    assert_eq!(restored.as_deref(), Some(second.as_str()));
    assert!(super::repeats::refers_to(&sent[1], 0) && !super::repeats::refers_to(&sent[1], 1));
    // What shows files is not touched, whatever stands before it.
    messages.extend([
        json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": "c", "name": "Read", "input": {} }] }),
        result("c", &second),
    ]);
    assert_eq!(
        results(&send(&compression, TENANT, &body(&messages)).await)[2],
        second
    );
}
