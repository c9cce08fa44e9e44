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
        bytes.extend_from_slice(&emitter.text(text, &[]));
    }
    bytes.extend_from_slice(&emitter.finish(stop, &USAGE));
    Bytes::from(bytes)
}

fn hello() -> Answer {
    Answer {
        text: "Hello".to_owned(),
        ..Answer::default()
    }
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
    insta::assert_snapshot!(text(&stream), @r#"
    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}

    : keep-alive

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"content":"He"},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"content":"llo \""},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{"content":"\n"},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"gemma-3-270m","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}

    data: [DONE]
    "#);
}

#[test]
fn a_response_stream() {
    let stream = stream(Endpoint::Responses, &Stop::EndTurn);
    insta::assert_snapshot!(text(&stream), @r#"
    event: response.created
    data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_01","object":"response","created_at":1790000000,"status":"in_progress","error":null,"incomplete_details":null,"model":"gemma-3-270m","output":[],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":null}}

    event: response.in_progress
    data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_01","object":"response","created_at":1790000000,"status":"in_progress","error":null,"incomplete_details":null,"model":"gemma-3-270m","output":[],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":null}}

    : keep-alive

    event: response.output_item.added
    data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_01","type":"message","status":"in_progress","role":"assistant","content":[]}}

    event: response.content_part.added
    data: {"type":"response.content_part.added","sequence_number":3,"item_id":"msg_01","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_01","output_index":0,"content_index":0,"delta":"He","logprobs":[]}

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_01","output_index":0,"content_index":0,"delta":"llo \"","logprobs":[]}

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":6,"item_id":"msg_01","output_index":0,"content_index":0,"delta":"\n","logprobs":[]}

    event: response.output_text.done
    data: {"type":"response.output_text.done","sequence_number":7,"item_id":"msg_01","output_index":0,"content_index":0,"text":"Hello \"\n","logprobs":[]}

    event: response.content_part.done
    data: {"type":"response.content_part.done","sequence_number":8,"item_id":"msg_01","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hello \"\n","annotations":[],"logprobs":[]}}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":9,"output_index":0,"item":{"id":"msg_01","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello \"\n","annotations":[],"logprobs":[]}]}}

    event: response.completed
    data: {"type":"response.completed","sequence_number":10,"response":{"id":"resp_01","object":"response","created_at":1790000000,"status":"completed","error":null,"incomplete_details":null,"model":"gemma-3-270m","output":[{"id":"msg_01","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello \"\n","annotations":[],"logprobs":[]}]}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14}}}
    "#);
}

#[test]
fn a_message_stream() {
    let stream = stream(Endpoint::Messages, &Stop::StopSequence("User:".to_owned()));
    insta::assert_snapshot!(text(&stream), @r#"
    event: message_start
    data: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"gemma-3-270m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":0}}}

    event: ping
    data: {"type": "ping"}

    event: content_block_start
    data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"He"}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"llo \""}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\n"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":0}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"User:"},"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
}

#[test]
fn bodies() {
    let body = |endpoint, stop| text(&emitter(endpoint).body(&hello(), stop, &USAGE));
    insta::assert_snapshot!(body(Endpoint::ChatCompletions, &Stop::EndTurn), @r#"{"id":"chatcmpl-01","object":"chat.completion","created":1790000000,"model":"gemma-3-270m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}"#);
    insta::assert_snapshot!(body(Endpoint::Responses, &Stop::MaxTokens), @r#"{"id":"resp_01","object":"response","created_at":1790000000,"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"model":"gemma-3-270m","output":[{"id":"msg_01","type":"message","status":"incomplete","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[],"logprobs":[]}]}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14}}"#);
    insta::assert_snapshot!(body(Endpoint::Messages, &Stop::MaxTokens), @r#"{"id":"msg_01","type":"message","role":"assistant","model":"gemma-3-270m","content":[{"type":"text","text":"Hello"}],"stop_reason":"max_tokens","stop_sequence":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":3}}"#);
    insta::assert_snapshot!(text(&count_tokens_body(14)), @r#"{"input_tokens":14}"#);
}

#[test]
fn lists_of_models() {
    let models = ["gemma-3-270m", "claude-x"].map(|id| ModelEntry {
        id: id.to_owned(),
        owned_by: "skinflint".to_owned(),
        created_unix: 1_700_000_000,
    });
    let body = |dialect, models| text(&models_body(dialect, models));
    insta::assert_snapshot!(body(Dialect::OpenAi, &models[..]), @r#"{"object":"list","data":[{"id":"gemma-3-270m","object":"model","created":1700000000,"owned_by":"skinflint"},{"id":"claude-x","object":"model","created":1700000000,"owned_by":"skinflint"}]}"#);
    insta::assert_snapshot!(body(Dialect::Anthropic, &models[..]), @r#"{"data":[{"type":"model","id":"gemma-3-270m","display_name":"gemma-3-270m","created_at":"2023-11-14T22:13:20Z","lifecycle":"active"},{"type":"model","id":"claude-x","display_name":"claude-x","created_at":"2023-11-14T22:13:20Z","lifecycle":"active"}],"has_more":false,"first_id":"gemma-3-270m","last_id":"claude-x"}"#);
    insta::assert_snapshot!(body(Dialect::Anthropic, &[]), @r#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#);
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
        emitter.text("a", &[]),
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

            let body = emitter(endpoint).body(&hello(), &stop, &USAGE);
            let outcome = body_tap(endpoint, &body).unwrap();
            assert_eq!(outcome.usage(), Some(USAGE));
            assert_eq!(outcome.stop_reason, Some(reason));
            assert_eq!(outcome.id.as_deref(), tap.response_id());
        }
    }
}

mod calls;
