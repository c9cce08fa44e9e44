use super::*;
use crate::sse::{Decoder, Event};
use crate::tap::{Progress, StopReason, StreamTap, body_tap};
use crate::{Dialect, error::keep_alive};

const GENERATING: [Endpoint; 3] = [
    Endpoint::ChatCompletions,
    Endpoint::Responses,
    Endpoint::Messages,
];

const USAGE: Usage = Usage {
    fresh_input: 11,
    cache_read: 0,
    cache_write_5m: 0,
    cache_write_1h: 0,
    output: 3,
    reasoning: 0,
    audio_input: 0,
    audio_output: 0,
    server_tool_uses: 0,
};

fn emitter(endpoint: Endpoint) -> Emitter {
    let meta = Meta {
        id: "01".to_owned(),
        model: "gemma-3-270m".to_owned(),
        created_unix: 1_790_000_000,
        include_usage: true,
    };
    Emitter::new(endpoint, meta).unwrap()
}

fn stream(endpoint: Endpoint, stop: &Stop) -> Bytes {
    let mut emitter = emitter(endpoint);
    let mut bytes = emitter.start(USAGE.input()).to_vec();
    bytes.extend_from_slice(keep_alive(endpoint));
    for text in ["He", "llo \"", "\n"] {
        bytes.extend_from_slice(&emitter.delta(text));
    }
    bytes.extend_from_slice(&emitter.finish(stop, &USAGE));
    Bytes::from(bytes)
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn events(stream: Bytes) -> Vec<Event> {
    let mut decoder = Decoder::new();
    decoder.push(stream);
    let events = std::iter::from_fn(|| decoder.next_frame())
        .filter_map(|frame| frame.event)
        .collect();
    assert_eq!(decoder.partial_len(), 0);
    events
}

#[test]
fn a_chat_stream() {
    let stream = stream(Endpoint::ChatCompletions, &Stop::MaxTokens);
    insta::assert_snapshot!(text(&stream), @"");
}

#[test]
fn a_response_stream() {
    let stream = stream(Endpoint::Responses, &Stop::EndTurn);
    insta::assert_snapshot!(text(&stream), @"");
}

#[test]
fn a_message_stream() {
    let stream = stream(Endpoint::Messages, &Stop::StopSequence("User:".to_owned()));
    insta::assert_snapshot!(text(&stream), @"");
}

#[test]
fn bodies() {
    let body = |endpoint, stop| text(&emitter(endpoint).body("Hello", stop, &USAGE));
    insta::assert_snapshot!(body(Endpoint::ChatCompletions, &Stop::EndTurn), @"");
    insta::assert_snapshot!(body(Endpoint::Responses, &Stop::MaxTokens), @"");
    insta::assert_snapshot!(body(Endpoint::Messages, &Stop::MaxTokens), @"");
    insta::assert_snapshot!(text(&count_tokens_body(14)), @"");
}

#[test]
fn lists_of_models() {
    let models = ["gemma-3-270m", "claude-x"].map(|id| ModelEntry {
        id: id.to_owned(),
        owned_by: "skinflint".to_owned(),
        created_unix: 1_700_000_000,
    });
    let body = |dialect, models| text(&models_body(dialect, models));
    insta::assert_snapshot!(body(Dialect::OpenAi, &models[..]), @"");
    insta::assert_snapshot!(body(Dialect::Anthropic, &models[..]), @"");
    insta::assert_snapshot!(body(Dialect::Anthropic, &[]), @"");
}

#[test]
fn usage_in_a_chat_stream_is_told_when_asked_for() {
    let meta = Meta {
        id: "01".to_owned(),
        model: "m".to_owned(),
        created_unix: 0,
        include_usage: false,
    };
    let mut emitter = Emitter::new(Endpoint::ChatCompletions, meta).unwrap();
    let parts = [
        emitter.start(1),
        emitter.delta("a"),
        emitter.finish(&Stop::EndTurn, &USAGE),
    ];
    assert!(parts.iter().all(|part| !text(part).contains("usage")));
}

#[test]
fn endpoints_without_text_have_no_emitter() {
    for endpoint in [Endpoint::CountTokens, Endpoint::Embeddings] {
        let meta = Meta {
            id: String::new(),
            model: String::new(),
            created_unix: 0,
            include_usage: false,
        };
        assert_eq!(
            Emitter::new(endpoint, meta).unwrap_err(),
            NotGenerated(endpoint)
        );
    }
}

#[test]
fn our_own_tap_reads_what_we_write() {
    for endpoint in GENERATING {
        for (stop, reason) in [
            (Stop::EndTurn, StopReason::EndTurn),
            (Stop::MaxTokens, StopReason::MaxTokens),
        ] {
            let events = events(stream(endpoint, &stop));
            let mut tap = StreamTap::new(endpoint);
            let progress: Vec<_> = events
                .iter()
                .map(|event| tap.observe(event).unwrap())
                .collect();
            let deltas = progress.iter().filter(|p| **p == Progress::Delta).count();
            assert_eq!(deltas, 3, "{endpoint}");
            assert_eq!(progress.last(), Some(&Progress::Terminal));
            assert!(tap.is_complete());
            assert_eq!(tap.usage(), Some(USAGE));
            assert_eq!(tap.stop_reason(), Some(reason));
            assert_eq!(tap.model(), Some("gemma-3-270m"));

            let body = emitter(endpoint).body("Hello", &stop, &USAGE);
            let outcome = body_tap(endpoint, &body).unwrap();
            assert_eq!(outcome.usage(), Some(USAGE));
            assert_eq!(outcome.stop_reason, Some(reason));
            assert_eq!(outcome.id.as_deref(), tap.response_id());
        }
    }
}
