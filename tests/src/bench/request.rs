//! The requests that are sent: what an agent's SDK sends, of an exact size.

use std::{fmt::Write, net::SocketAddr};

use serde_json::{Value, json};

use super::case::{Mode, Protocol, Size};

/// Text of which prompts, tool descriptions and tool results are made: with what JSON has to escape, and some of it outside ASCII.
const PROSE: &str = "Read the file before you edit it, and keep the change small.\n\
    fn total(rows: &[Row]) -> u64 {\n\trows.iter().map(|row| row.tokens).sum() // \"tokens\", not bytes\n}\n\
    error[E0308]: mismatched types --> src/ledger.rs:118:24, expected `u64`, found `Option<u64>`\n\
    Die Prüfung lief in 0,35 s durch — 214 passed; 0 failed.\n\
    C:\\Users\\agent\\project\\README.md | 12 +++++-------\n";
/// What brings a body to its exact size: nothing in it has to be escaped.
const FILLER: &str = "and then read it once more ";
/// The models of the two APIs.
pub(super) const CHAT_MODEL: &str = "gpt-5-mini";
pub(super) const MESSAGES_MODEL: &str = "claude-sonnet-5";

/// Head and body of the request, ready to be sent to `address` again and again; of the task of that number, if one is given.
pub(super) fn request(address: SocketAddr, size: Size, mode: Mode, task: Option<usize>) -> Vec<u8> {
    let body = body(size, mode);
    let protocol = size.protocol();
    let mut request = format!(
        "POST {}{} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n",
        protocol.path(),
        mode.query(),
        body.len()
    );
    for (name, value) in headers(protocol) {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    if let Some(task) = task {
        let _ = write!(request, "x-skinflint-task: task-{task}\r\n");
    }
    request.push_str("\r\n");
    request.push_str(&body);
    request.into_bytes()
}

/// What the official Python SDKs send.
fn headers(protocol: Protocol) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate"),
        ("connection", "keep-alive"),
        ("content-type", "application/json"),
        ("x-stainless-arch", "x64"),
        ("x-stainless-async", "false"),
        ("x-stainless-lang", "python"),
        ("x-stainless-os", "Linux"),
        ("x-stainless-package-version", "2.8.0"),
        ("x-stainless-read-timeout", "600"),
        ("x-stainless-retry-count", "0"),
        ("x-stainless-runtime", "CPython"),
        ("x-stainless-runtime-version", "3.13.7"),
    ];
    headers.extend(match protocol {
        Protocol::Chat => [
            ("authorization", "Bearer not-a-key"),
            ("user-agent", "OpenAI/Python 2.8.0"),
        ]
        .as_slice(),
        Protocol::Messages => [
            ("anthropic-version", "2023-06-01"),
            ("user-agent", "Anthropic/Python 0.75.0"),
            ("x-api-key", "not-a-key"),
        ]
        .as_slice(),
    });
    headers
}

/// A body of exactly the size.
fn body(size: Size, mode: Mode) -> String {
    let length = size.kilobytes() << 10;
    let make = |text: &str| match size {
        Size::Small => chat(mode, text),
        Size::Agent => messages(mode, 6, text),
        Size::Session => messages(mode, 73, text),
    };
    let missing = length.saturating_sub(make("").to_string().len());
    let padding: String = FILLER.chars().cycle().take(missing).collect();
    make(&padding).to_string()
}

/// One tool and a short conversation, which `padding` fills up.
fn chat(mode: Mode, padding: &str) -> Value {
    let mut body = json!({
        "model": CHAT_MODEL,
        "messages": [
            { "role": "system", "content": "Name the conversation in at most six words. Answer with the tool." },
            { "role": "user", "content": format!("The build fails since yesterday:\n{} {padding}", prose(3, 420)) },
        ],
        "tools": [{ "type": "function", "function": {
            "name": "title",
            "description": "Sets the title.",
            "parameters": {
                "type": "object",
                "properties": { "title": { "type": "string", "maxLength": 60 } },
                "required": ["title"],
            },
        } }],
        "temperature": 0.2,
        "max_completion_tokens": 64,
    });
    if let Mode::Stream = mode {
        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

/// System prompt, tools and as many tool round trips, the last message filled up by `padding`.
fn messages(mode: Mode, turns: usize, padding: &str) -> Value {
    let tools: Vec<Value> = (0..12).map(tool).collect();
    let mut conversation = vec![json!({ "role": "user", "content": prose(1, 600) })];
    for turn in 0..turns {
        let id = format!("toolu_{turn:024}");
        conversation.push(json!({ "role": "assistant", "content": [
            { "type": "text", "text": prose(turn, 240) },
            { "type": "tool_use", "id": id, "name": "tool_3", "input": { "path": format!("src/part_{turn}.rs"), "limit": 400 } },
        ] }));
        conversation.push(json!({ "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": id, "content": [{ "type": "text", "text": prose(turn + 7, 4_600) }] },
        ] }));
    }
    let last = format!("{padding} Go on.");
    conversation.push(json!({ "role": "user", "content": [
        { "type": "text", "text": last, "cache_control": { "type": "ephemeral" } },
    ] }));
    let mut body = json!({
        "model": MESSAGES_MODEL,
        "max_tokens": 8192,
        "system": [
            { "type": "text", "text": "You are a coding agent." },
            { "type": "text", "text": prose(2, 6_000), "cache_control": { "type": "ephemeral" } },
        ],
        "tools": tools,
        "messages": conversation,
        "metadata": { "user_id": "user_0f1e_account__session_6f9619ff-8b86-4d11-b42d-00c04fc964ff" },
    });
    if let Mode::Stream = mode {
        body["stream"] = true.into();
    }
    body
}

fn tool(index: usize) -> Value {
    json!({
        "name": format!("tool_{index}"),
        "description": prose(index, 500),
        "input_schema": {
            "type": "object",
            "properties": {
                "path": { "type": "string", "description": "Absolute path." },
                "limit": { "type": "integer", "minimum": 1 },
                "mode": { "enum": ["read", "write"] },
            },
            "required": ["path"],
        },
    })
}

/// About so many bytes of prose; other ones for another `seed`.
fn prose(seed: usize, length: usize) -> String {
    let words: Vec<&str> = PROSE.split_inclusive(' ').collect();
    let mut text = String::new();
    for word in words.iter().cycle().skip(seed * 11 % words.len()) {
        if text.len() + word.len() > length {
            break;
        }
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_their_size_and_ask_for_their_mode() {
        for size in [Size::Small, Size::Agent, Size::Session] {
            for mode in [Mode::Whole, Mode::Stream] {
                let body = body(size, mode);
                assert_eq!(body.len(), size.kilobytes() << 10, "{size:?} {mode:?}");
                let value: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(value["stream"] == true, mode == Mode::Stream);
                assert!(!value["tools"].as_array().unwrap().is_empty());
            }
        }
    }

    #[test]
    fn the_head_says_how_long_the_body_is_and_whose() {
        let address = "127.0.0.1:80".parse().unwrap();
        let request = request(address, Size::Small, Mode::Whole, Some(7));
        let request = String::from_utf8(request).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.len(), 1024);
        assert!(head.contains("\r\ncontent-length: 1024\r\n"), "{head}");
        assert!(head.ends_with("\r\nx-skinflint-task: task-7"), "{head}");
    }
}
