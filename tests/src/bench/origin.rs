//! A provider without latency: fixed answers, from a process of its own, on one thread.
//!
//! It costs the same whoever asks, which the scriptable fake provider does not: that one keeps a record of every request.

use std::{
    io::{self, Write},
    os::fd::AsFd,
};

use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream, unix::pipe},
    task::JoinSet,
};

use super::{
    case::{Mode, Protocol},
    request::{CHAT_MODEL, MESSAGES_MODEL},
    wire::{Message, Wire},
};

/// Tokens of a streamed answer; with what stands around them, about 20 events.
const TOKENS: [&str; 16] = [
    "The", " test", " fails", " since", " the", " total", " is", " counted", " twice", ":",
    " once", " per", " row", ",", " once", ".",
];

/// An answer as it goes out.
#[derive(Debug)]
pub(super) struct Answer {
    /// Head and body, or head and first event, and then an event each.
    parts: Vec<Vec<u8>>,
    /// The body without transfer coding.
    pub(super) body: Vec<u8>,
}

/// All answers.
#[derive(Debug)]
struct Answers([(Protocol, Mode, Answer); 4]);

/// What the line begins with in which the origin says where it listens.
pub(super) const LISTENING: &str = "listening on ";

/// Answers on a free port of 127.0.0.1 until standard input is closed; standard output says which.
pub(super) async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(io::stdout(), "{LISTENING}{}", listener.local_addr()?)?;
    let answers: &'static Answers = Box::leak(Box::new(Answers::new()));
    let mut connections = JoinSet::new();
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let mut input = pipe::Receiver::from_owned_fd(input)?;
    let mut byte = [0];
    loop {
        tokio::select! {
            // The benchmark is gone, whatever ended it.
            _ = input.read(&mut byte) => return Ok(()),
            accepted = listener.accept() => {
                connections.spawn(converse(accepted?.0, answers));
            }
            // A proxy closes its connections as it likes, in the midst of a run too.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, answers: &'static Answers) -> io::Result<()> {
    let mut wire = Wire::new(stream)?;
    let mut request = Message::keeping(0);
    while wire.receive(&mut request).await? {
        let Some(answer) = answers.to(&request.start) else {
            return wire
                .send(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                .await;
        };
        for part in &answer.parts {
            wire.send(part).await?;
            // Each event is a packet of its own, as from a model, and the other connections have their turn.
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

// === impl Answers ===

impl Answers {
    fn new() -> Self {
        let answer = |protocol, mode| (protocol, mode, Answer::new(protocol, mode));
        Self([
            answer(Protocol::Chat, Mode::Whole),
            answer(Protocol::Chat, Mode::Stream),
            answer(Protocol::Messages, Mode::Whole),
            answer(Protocol::Messages, Mode::Stream),
        ])
    }

    /// The answer to a request line.
    fn to(&self, line: &str) -> Option<&Answer> {
        let target = line.strip_prefix("POST ")?.split(' ').next()?;
        let is_asked = |protocol: Protocol, mode: Mode| {
            target.strip_prefix(protocol.path()) == Some(mode.query())
        };
        let mut all = self.0.iter();
        all.find(|(protocol, mode, _)| is_asked(*protocol, *mode))
            .map(|(_, _, answer)| answer)
    }
}

// === impl Answer ===

impl Answer {
    pub(super) fn new(protocol: Protocol, mode: Mode) -> Self {
        match (protocol, mode) {
            (Protocol::Chat, Mode::Whole) => Self::whole(&chat_completion()),
            (Protocol::Chat, Mode::Stream) => Self::stream(&chat_events()),
            (Protocol::Messages, Mode::Whole) => Self::whole(&message(&TOKENS.concat(), 19)),
            (Protocol::Messages, Mode::Stream) => Self::stream(&message_events()),
        }
    }

    fn whole(body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        let framing = format!("content-length: {}", body.len());
        let mut whole = head("application/json", &framing);
        whole.extend_from_slice(&body);
        Self {
            parts: vec![whole],
            body,
        }
    }

    fn stream(events: &[String]) -> Self {
        let chunk = |event: &String| format!("{:x}\r\n{event}\r\n", event.len()).into_bytes();
        let mut parts: Vec<_> = events.iter().map(chunk).collect();
        let head = head(
            "text/event-stream; charset=utf-8",
            "transfer-encoding: chunked",
        );
        if let Some(first) = parts.first_mut() {
            first.splice(..0, head);
        }
        if let Some(last) = parts.last_mut() {
            last.extend_from_slice(b"0\r\n\r\n");
        }
        Self {
            parts,
            body: events.concat().into_bytes(),
        }
    }
}

fn head(content_type: &str, framing: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\n\
        date: Thu, 05 Nov 2026 12:00:00 GMT\r\n\
        content-type: {content_type}\r\n\
        {framing}\r\n\
        server: origin\r\n\
        request-id: req_011CSHoEeqs5C35K2UUqR7Fy\r\n\
        x-ratelimit-limit-requests: 10000\r\n\
        x-ratelimit-remaining-requests: 9999\r\n\
        x-ratelimit-remaining-tokens: 1999500\r\n\
        cache-control: no-cache\r\n\r\n"
    )
    .into_bytes()
}

fn chat_completion() -> Value {
    json!({
        "id": "chatcmpl-CZ8nJ5bN2vQ1",
        "object": "chat.completion",
        "created": 1_793_880_000,
        "model": CHAT_MODEL,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": TOKENS.concat(), "refusal": null, "annotations": [] },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": chat_usage(),
        "service_tier": "default",
        "system_fingerprint": null,
    })
}

fn chat_usage() -> Value {
    json!({
        "prompt_tokens": 251,
        "completion_tokens": 16,
        "total_tokens": 267,
        "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

fn chat_events() -> Vec<String> {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "chatcmpl-CZ8nJ5bN2vQ1",
            "object": "chat.completion.chunk",
            "created": 1_793_880_000,
            "model": CHAT_MODEL,
            "service_tier": "default",
            "system_fingerprint": null,
            "choices": choices,
            "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Option<&str>| {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        chunk(json!([choice]), Value::Null)
    };
    let mut events = vec![delta(json!({ "role": "assistant", "content": "" }), None)];
    events.extend(TOKENS.map(|token| delta(json!({ "content": token }), None)));
    events.push(delta(json!({}), Some("stop")));
    events.push(chunk(json!([]), chat_usage()));
    events.push("data: [DONE]\n\n".into());
    events
}

fn message(text: &str, output_tokens: u32) -> Value {
    let is_whole = !text.is_empty();
    json!({
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "model": MESSAGES_MODEL,
        "content": if is_whole { json!([{ "type": "text", "text": text }]) } else { json!([]) },
        "stop_reason": is_whole.then_some("end_turn"),
        "stop_sequence": null,
        "usage": {
            "input_tokens": 412,
            "cache_creation_input_tokens": 1_190,
            "cache_read_input_tokens": 11_840,
            "cache_creation": { "ephemeral_5m_input_tokens": 1_190, "ephemeral_1h_input_tokens": 0 },
            "output_tokens": output_tokens,
            "service_tier": "standard",
        },
    })
}

fn message_events() -> Vec<String> {
    let delta = |token: &str| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": token } });
    let mut events = vec![
        json!({ "type": "message_start", "message": message("", 1) }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "ping" }),
    ];
    events.extend(TOKENS.map(delta));
    events.extend([
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": { "output_tokens": 19 } }),
        json!({ "type": "message_stop" }),
    ]);
    let event = |data: &Value| {
        format!(
            "event: {}\ndata: {data}\n\n",
            data["type"].as_str().unwrap_or_default()
        )
    };
    events.iter().map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sse;

    #[test]
    fn request_lines_find_their_answers() {
        let answers = Answers::new();
        let body = |line: &str| {
            let answer = answers.to(line)?;
            Some(String::from_utf8(answer.body.clone()).unwrap())
        };
        let whole = body("POST /v1/messages HTTP/1.1").unwrap();
        assert!(whole.contains(r#""stop_reason":"end_turn""#), "{whole}");
        let stream = body("POST /v1/chat/completions?answer=stream HTTP/1.1").unwrap();
        assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
        assert_eq!(body("GET /v1/messages HTTP/1.1"), None);
        assert_eq!(body("POST /v1/models HTTP/1.1"), None);
    }

    #[test]
    fn streams_are_about_twenty_events_and_say_their_usage() {
        for (protocol, count) in [(Protocol::Chat, 20), (Protocol::Messages, 22)] {
            let answer = Answer::new(protocol, Mode::Stream);
            let (events, rest) = sse::events(&answer.body);
            assert_eq!((events.len(), rest.len()), (count, 0), "{protocol:?}");
            let output = |event: &sse::Event| {
                let usage = &event.json()["usage"];
                usage["completion_tokens"]
                    .as_u64()
                    .or(usage["output_tokens"].as_u64())
            };
            assert!(events.iter().filter_map(output).all(|tokens| tokens > 0));
            assert_eq!(events.iter().filter_map(output).count(), 1, "{protocol:?}");
        }
    }
}
