//! Requests that two readers would take differently, or that would make a reader work without end.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Endpoint, JsonLimits, RequestView, ViewError, parse};
use crate::json::{JsonErrorKind, literal};

/// Requests in which every member of every object is read.
fn read_throughout() -> Vec<(Endpoint, Value)> {
    let identity = |mut body: Value| {
        let members = json!({"metadata": {"task": "a"}, "client_metadata": {"task": "a"}, "user": "a",
            "safety_identifier": "a", "prompt_cache_key": "a", "store": true, "stream": true,
            "temperature": 1, "top_p": 1, "tool_choice": {"type": "allowed_tools", "mode": "auto",
            "allowed_tools": {"mode": "auto"}}});
        for (key, value) in members.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let chat = json!({
        "model": "a", "max_tokens": 1, "top_k": 1, "seed": 1, "n": 1, "stop": ["a"],
        "stream_options": {"include_usage": true}, "response_format": {"type": "text"},
        "service_tier": "auto", "reasoning_effort": "low", "enable_thinking": true, "enable_search": false,
        "cache_control": {"ttl": "5m"}, "prompt_cache_options": {"ttl": "30m"}, "web_search_options": {},
        "search_parameters": {}, "plugins": [], "modalities": ["text"],
        "tools": [{"type": "function", "function": {"name": "a"}}, {"type": "custom", "custom": {"name": "a"}}],
        "functions": [{"name": "a"}], "function_call": {"name": "a"},
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"ttl": "5m"}}]},
            {"role": "assistant", "content": "a", "reasoning_content": "a", "refusal": "a", "audio": {},
                "function_call": {"arguments": "a"}, "cache_control": {},
                "tool_calls": [{"function": {"arguments": "a"}}, {"custom": {"input": "a"}}]},
        ],
    });
    // Three spellings of the same wish: the first that is there is read.
    let mut thinking = chat.clone();
    let mut reasoning = chat.clone();
    for other in [&mut thinking, &mut reasoning] {
        other.as_object_mut().unwrap().remove("reasoning_effort");
    }
    thinking["thinking"] = json!({"type": "enabled"});
    reasoning["reasoning"] = json!({"effort": "low", "enabled": true});
    let responses = json!({
        "model": "a", "instructions": [{"role": "system", "content": "a"}], "max_output_tokens": 1,
        "tools": [{"type": "function", "name": "a"}], "text": {"format": {"type": "text"}},
        "previous_response_id": "a", "conversation": {"id": "a"}, "prompt": {}, "background": false,
        "service_tier": "auto", "reasoning": {"effort": "low", "enabled": true},
        "cache_control": {"ttl": "5m"}, "prompt_cache_options": {"ttl": "30m"},
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "function_call", "arguments": "a"},
            {"type": "custom_tool_call", "input": "a"},
            {"type": "function_call_output", "output": [{"type": "input_text", "text": "a"}]},
            {"type": "additional_tools", "role": "developer"},
            {"type": "from_the_future"},
        ],
    });
    let messages = json!({
        "model": "a", "max_tokens": 1, "stream": true, "temperature": 1, "top_p": 1, "top_k": 1,
        "stop_sequences": ["a"], "metadata": {"user_id": "a"}, "thinking": {"type": "enabled", "budget_tokens": 1},
        "service_tier": "auto", "speed": "fast", "mcp_servers": [], "cache_control": {"ttl": "5m"},
        "prompt_cache_options": {"ttl": "30m"},
        "output_config": {"format": {"type": "text"}}, "output_format": {"type": "text"},
        "system": [{"type": "text", "text": "a", "cache_control": {"ttl": "1h"}}],
        "tools": [{"type": "custom", "name": "a", "cache_control": {"ttl": "5m"}}], "tool_choice": {"type": "auto"},
        "messages": [{"role": "user", "content": [
            {"type": "tool_result", "content": [{"type": "text", "text": "a"}]},
            {"type": "thinking", "thinking": "a"},
            {"type": "refusal", "refusal": "a"},
        ]}],
    });
    vec![
        (Endpoint::ChatCompletions, identity(chat)),
        (Endpoint::ChatCompletions, identity(thinking)),
        (Endpoint::ChatCompletions, identity(reasoning)),
        (Endpoint::Responses, identity(responses)),
        (Endpoint::Messages, messages.clone()),
        (Endpoint::CountTokens, messages),
        (
            Endpoint::Embeddings,
            json!({"model": "a", "input": "a", "user": "a", "service_tier": "auto"}),
        ),
    ]
}

/// The place of every member, as a JSON pointer to its object and a key.
fn members(value: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                found.push((pointer.to_owned(), key.clone()));
                members(value, &format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                members(value, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The body with one more member, whose key is spelled as given.
fn with_member(body: &Value, pointer: &str, key: &str, value: &Value) -> String {
    const MARK: &str = "the new member";
    let mut body = body.clone();
    body.pointer_mut(pointer).unwrap()[MARK] = value.clone();
    body.to_string().replacen(&literal(MARK), key, 1)
}

/// Calls `check` for every member that a second one could be smuggled in beside.
fn for_every_member(mut check: impl FnMut(Endpoint, &Value, &str, &str)) -> usize {
    let mut count = 0;
    for (endpoint, body) in read_throughout() {
        parse(endpoint, &body.to_string()).unwrap();
        let mut found = Vec::new();
        members(&body, "", &mut found);
        count += found.len();
        for (pointer, key) in found {
            check(endpoint, &body, &pointer, &key);
        }
    }
    count
}

#[test]
fn no_read_key_can_be_given_twice_at_any_level() {
    let count = for_every_member(|endpoint, body, pointer, key| {
        let mut escaped = String::new();
        for byte in key.bytes() {
            write!(escaped, "\\u{byte:04x}").unwrap();
        }
        let partly = format!("\\u{:04X}{}", key.as_bytes()[0], &key[1..]);
        let same = body.pointer(&format!("{pointer}/{key}")).unwrap();
        for spelled in [key, &escaped, &partly] {
            for value in [same, &Value::Null, &json!("b")] {
                let twice = with_member(body, pointer, &format!("\"{spelled}\""), value);
                let fault = parse(endpoint, &twice).expect_err(&twice);
                assert!(
                    matches!(fault, ViewError::DuplicateKey { .. }),
                    "{fault}: {twice}"
                );
            }
        }
    });
    assert!(count > 150, "{count} members are read");
}

#[test]
fn no_read_key_can_be_given_in_another_letter_case_at_any_level() {
    for_every_member(|endpoint, body, pointer, key| {
        // Readers that fold the case of names leave the keys of a map of any names alone.
        if pointer.ends_with("metadata") {
            return;
        }
        let mut title = key.to_owned();
        title[..1].make_ascii_uppercase();
        let mut spellings = vec![key.to_ascii_uppercase(), title];
        // The two letters outside ASCII that fold into it.
        for (ascii, other) in [('s', "\u{17f}"), ('k', "\u{212a}"), ('k', "\\u212A")] {
            if key.contains(ascii) {
                spellings.push(key.replacen(ascii, other, 1));
            }
        }
        for spelled in spellings {
            let other = with_member(body, pointer, &format!("\"{spelled}\""), &Value::Null);
            let fault = parse(endpoint, &other).expect_err(&other);
            assert!(
                matches!(fault, ViewError::LetterCase { .. }),
                "{fault}: {other}"
            );
            assert!(fault.path().unwrap().ends_with(key), "{fault}");
        }
    });
}

#[test]
fn letter_case_is_told_and_free_where_it_means_nothing() {
    let messages = r#""messages":[{"role":"user","content":"a","Name":"x"}]"#;
    let fault = parse(
        Endpoint::ChatCompletions,
        &format!(r#"{{"model":"a",{messages},"Model":"b"}}"#),
    );
    assert_eq!(
        fault.unwrap_err().to_string(),
        "model: key in another letter case at byte 75"
    );
    let body = format!(
        r#"{{"model":"a",{messages},"metadata":{{"Task":"a","task":"b"}},"X":1,"x":2,"models":3}}"#
    );
    let view = parse(Endpoint::ChatCompletions, &body).unwrap();
    assert_eq!(view.metadata.len(), 2);
}

#[test]
fn of_two_definitions_or_two_texts_none_is_guessed() {
    for (body, told) in [
        (
            r#"{"model":"a","messages":[{"role":"assistant","tool_calls":[{"type":"custom","function":{"arguments":"1"},"custom":{"input":"2"}}]}]}"#,
            "messages[0].tool_calls[0].function: cannot be combined with custom",
        ),
        (
            r#"{"model":"a","messages":[{"role":"user","content":"a"}],"tools":[{"type":"custom","function":{"name":"1"},"custom":{"name":"2"}}]}"#,
            "tools[0].function: cannot be combined with custom",
        ),
    ] {
        let fault = parse(Endpoint::ChatCompletions, body).unwrap_err();
        assert_eq!(fault.to_string(), told);
    }
    // The type says which text the model sees.
    let body = r#"{"model":"a","input":[{"type":"custom_tool_call","arguments":"no","input":"yes"},
        {"type":"function_call","arguments":"yes","input":"no"}]}"#;
    let view = parse(Endpoint::Responses, body).unwrap();
    for block in view.blocks {
        assert_eq!(&body[block.text.unwrap()], r#""yes""#);
    }
}

#[test]
fn objects_of_many_keys_are_read_at_every_level() {
    let mut many = String::new();
    for key in 0..100_000 {
        write!(many, r#""k{key}":0,"#).unwrap();
    }
    for (endpoint, body) in [
        (
            Endpoint::ChatCompletions,
            format!(
                r#"{{{many}"model":"a","messages":[{{{many}"role":"user","content":[{{{many}"type":"text","text":"a"}}]}}],"tools":[{{"function":{{{many}"name":"a"}}}}]}}"#
            ),
        ),
        (
            Endpoint::Responses,
            format!(
                r#"{{"model":"a","input":[{{{many}"type":"function_call_output","output":[{{{many}"type":"input_text","text":"a"}}]}}],"metadata":{{{many}"a":"b"}}}}"#
            ),
        ),
    ] {
        let view = parse(endpoint, &body).unwrap();
        assert_eq!(view.blocks.len(), 1);
        assert_eq!(&body[view.blocks[0].text.clone().unwrap()], r#""a""#);
    }
}

#[test]
fn results_within_results_are_not_descended_into() {
    const DEPTH: usize = 100_000;
    let limits = JsonLimits {
        max_depth: usize::MAX,
        ..JsonLimits::default()
    };
    let body = format!(
        r#"{{"model":"a","messages":[{{"role":"user","content":{}"a"{}}}]}}"#,
        r#"[{"type":"tool_result","content":"#.repeat(DEPTH),
        "}]".repeat(DEPTH)
    );
    let view = RequestView::parse(Endpoint::Messages, body.as_bytes(), limits).unwrap();
    assert_eq!(view.blocks.len(), 1);
    assert_eq!(view.blocks[0].kind, super::BlockKind::Other);
}

#[test]
fn small_values_by_the_million_are_counted_wherever_they_stand() {
    let many = |value: &str| format!("[{value}{}]", format!(",{value}").repeat(999_999));
    for (endpoint, member, value) in [
        (Endpoint::Embeddings, "input", "1"),
        (Endpoint::Embeddings, "input", r#""a""#),
        (Endpoint::Messages, "unread", "{}"),
        (Endpoint::ChatCompletions, "stop", r#""a""#),
    ] {
        let body = format!(r#"{{"model":"a","{member}":{}}}"#, many(value));
        let Err(ViewError::Json(error)) = parse(endpoint, &body) else {
            panic!("{endpoint} {member}");
        };
        assert_eq!(error.kind, JsonErrorKind::TooManyValues);
    }
    assert!(size_of::<super::Block>() <= 80);
}
