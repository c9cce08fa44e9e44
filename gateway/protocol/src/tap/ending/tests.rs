mod streams;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::*;
use crate::sse::{Decoder, Event};
use crate::tap::{Progress, StopReason};

use streams::{CHAT, MESSAGE, RESPONSE};

const STREAMS: [(Endpoint, &str); 3] = [
    (Endpoint::ChatCompletions, CHAT),
    (Endpoint::Messages, MESSAGE),
    (Endpoint::Responses, RESPONSE),
];

fn meta() -> Meta {
    Meta {
        id: "01".to_owned(),
        model: "asked-for".to_owned(),
        created_unix: 1_790_000_000,
        include_usage: true,
    }
}

fn usage() -> Usage {
    Usage {
        fresh_input: 11,
        output: 3,
        ..Usage::default()
    }
}

fn event(data: &str) -> Event {
    Event {
        name: None,
        data: Bytes::copy_from_slice(data.as_bytes()),
        id: None,
    }
}

fn watch(tap: &mut StreamTap, lines: &[&str]) {
    for line in lines {
        tap.observe(&event(line)).unwrap();
    }
}

/// The end of a stream of which so many events have passed.
fn finished(endpoint: Endpoint, lines: &[&str]) -> String {
    let mut tap = StreamTap::stoppable(endpoint);
    watch(&mut tap, lines);
    let end = tap.finish_early(&meta(), Some(&usage()));
    String::from_utf8(end.to_vec()).unwrap()
}

/// The end after the event that holds this text.
fn finished_after(endpoint: Endpoint, mark: &str) -> String {
    let (_, stream) = STREAMS
        .iter()
        .find(|(other, _)| *other == endpoint)
        .unwrap();
    let lines: Vec<_> = stream.lines().collect();
    let at = lines.iter().position(|line| line.contains(mark)).unwrap();
    finished(endpoint, &lines[..=at])
}

fn decode(bytes: &str) -> Vec<String> {
    let mut decoder = Decoder::new();
    decoder.push(Bytes::copy_from_slice(bytes.as_bytes()));
    let events = std::iter::from_fn(|| decoder.next_frame())
        .filter_map(|frame| frame.event)
        .map(|event| String::from_utf8(event.data.to_vec()).unwrap())
        .collect();
    assert_eq!(decoder.partial_len(), 0);
    events
}

#[test]
fn a_chat_ends() {
    let after = |mark| finished_after(Endpoint::ChatCompletions, mark);
    insta::assert_snapshot!(finished(Endpoint::ChatCompletions, &[]), @r#"
    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"asked-for","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"asked-for","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}

    data: {"id":"chatcmpl-01","object":"chat.completion.chunk","created":1790000000,"model":"asked-for","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}

    data: [DONE]
    "#);
    insta::assert_snapshot!(after("hm"), @r#"
    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}

    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}

    data: [DONE]
    "#);
    insta::assert_snapshot!(after("Reading"), @r#"
    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}

    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}

    data: [DONE]
    "#);
    insta::assert_snapshot!(after(r#"{\"pa"#), @r#"
    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}

    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":1,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}

    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}

    data: [DONE]
    "#);
    insta::assert_snapshot!(after(r#"th\":1}"#), @r#"
    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}

    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[{"index":1,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}

    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}

    data: [DONE]
    "#);
    insta::assert_snapshot!(after("finish_reason\":\"tool_calls"), @r#"
    data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1789999999,"model":"m-1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}}

    data: [DONE]
    "#);
    insta::assert_snapshot!(after("\"choices\":[],"), @r#"data: [DONE]"#);
    insta::assert_snapshot!(after("[DONE]"), @r"");
}

#[test]
fn a_message_ends() {
    let after = |mark| finished_after(Endpoint::Messages, mark);
    insta::assert_snapshot!(finished(Endpoint::Messages, &[]), @r#"
    event: message_start
    data: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"asked-for","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":3}}}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
    insta::assert_snapshot!(after("hm"), @r#"
    event: content_block_stop
    data: {"type":"content_block_stop","index":0}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
    insta::assert_snapshot!(after("Reading"), @r#"
    event: content_block_stop
    data: {"type":"content_block_stop","index":1}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
    insta::assert_snapshot!(after(r#"{\"pa"#), @r#"
    event: content_block_stop
    data: {"type":"content_block_stop","index":2}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
    insta::assert_snapshot!(after("\"content_block_stop\",\"index\":2"), @r#"
    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"input_tokens":11,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
    insta::assert_snapshot!(after("message_delta"), @r#"
    event: message_stop
    data: {"type":"message_stop"}
    "#);
    insta::assert_snapshot!(after("message_stop"), @r"");
}

#[test]
fn a_response_ends() {
    let after = |mark| finished_after(Endpoint::Responses, mark);
    insta::assert_snapshot!(finished(Endpoint::Responses, &[]), @r#"
    event: response.created
    data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_01","object":"response","created_at":1790000000,"status":"in_progress","error":null,"incomplete_details":null,"model":"asked-for","output":[],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":null}}

    event: response.incomplete
    data: {"type":"response.incomplete","sequence_number":1,"response":{"id":"resp_01","object":"response","created_at":1790000000,"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"model":"asked-for","output":[],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14}}}
    "#);
    insta::assert_snapshot!(after("\"delta\":\"hm\""), @r#"
    event: response.reasoning_summary_text.done
    data: {"type":"response.reasoning_summary_text.done","sequence_number":5,"item_id":"rs_1","output_index":0,"summary_index":0,"text":"hm"}

    event: response.reasoning_summary_part.done
    data: {"type":"response.reasoning_summary_part.done","sequence_number":6,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":"hm"}}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]}}

    event: response.incomplete
    data: {"type":"response.incomplete","sequence_number":8,"response":{"id":"resp_9","object":"response","created_at":1789999999,"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"instructions":"Be \"brief\".","model":"m-1","output":[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]}],"parallel_tool_calls":true,"tools":[{"type":"function","name":"read"}],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14},"metadata":{}}}
    "#);
    insta::assert_snapshot!(after("annotation.added"), @r#"
    event: response.output_text.done
    data: {"type":"response.output_text.done","sequence_number":13,"item_id":"msg_1","output_index":1,"content_index":0,"text":"Reading","logprobs":[]}

    event: response.content_part.done
    data: {"type":"response.content_part.done","sequence_number":14,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}],"logprobs":[],"text":"Reading"}}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":15,"output_index":1,"item":{"id":"msg_1","type":"message","status":"incomplete","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}],"logprobs":[],"text":"Reading"}]}}

    event: response.incomplete
    data: {"type":"response.incomplete","sequence_number":16,"response":{"id":"resp_9","object":"response","created_at":1789999999,"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"instructions":"Be \"brief\".","model":"m-1","output":[{"id":"rs_1","type":"reasoning","encrypted_content":"gAAA","summary":[{"type":"summary_text","text":"hm"}]},{"id":"msg_1","type":"message","status":"incomplete","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}],"logprobs":[],"text":"Reading"}]}],"parallel_tool_calls":true,"tools":[{"type":"function","name":"read"}],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14},"metadata":{}}}
    "#);
    insta::assert_snapshot!(after(r#"{\"pa"#), @r#"
    event: response.function_call_arguments.done
    data: {"type":"response.function_call_arguments.done","sequence_number":18,"item_id":"fc_1","output_index":2,"name":"read","arguments":"{\"pa"}

    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":19,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"incomplete","arguments":"{\"pa","call_id":"call_1","name":"read"}}

    event: response.incomplete
    data: {"type":"response.incomplete","sequence_number":20,"response":{"id":"resp_9","object":"response","created_at":1789999999,"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"instructions":"Be \"brief\".","model":"m-1","output":[{"id":"rs_1","type":"reasoning","encrypted_content":"gAAA","summary":[{"type":"summary_text","text":"hm"}]},{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}],"logprobs":[],"text":"Reading"}]},{"id":"fc_1","type":"function_call","status":"incomplete","arguments":"{\"pa","call_id":"call_1","name":"read"}],"parallel_tool_calls":true,"tools":[{"type":"function","name":"read"}],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14},"metadata":{}}}
    "#);
    insta::assert_snapshot!(after("arguments.done"), @r#"
    event: response.output_item.done
    data: {"type":"response.output_item.done","sequence_number":20,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"incomplete","arguments":"{\"path\":1}","call_id":"call_1","name":"read"}}

    event: response.incomplete
    data: {"type":"response.incomplete","sequence_number":21,"response":{"id":"resp_9","object":"response","created_at":1789999999,"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"instructions":"Be \"brief\".","model":"m-1","output":[{"id":"rs_1","type":"reasoning","encrypted_content":"gAAA","summary":[{"type":"summary_text","text":"hm"}]},{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}],"logprobs":[],"text":"Reading"}]},{"id":"fc_1","type":"function_call","status":"incomplete","arguments":"{\"path\":1}","call_id":"call_1","name":"read"}],"parallel_tool_calls":true,"tools":[{"type":"function","name":"read"}],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14},"metadata":{}}}
    "#);
    insta::assert_snapshot!(after("\"output_index\":3,\"item\":{\"id\":\"ws_1\",\"type\":\"web_search_call\",\"status\":\"completed\""), @r#"
    event: response.incomplete
    data: {"type":"response.incomplete","sequence_number":23,"response":{"id":"resp_9","object":"response","created_at":1789999999,"status":"incomplete","error":null,"incomplete_details":{"reason":"max_output_tokens"},"instructions":"Be \"brief\".","model":"m-1","output":[{"id":"rs_1","type":"reasoning","encrypted_content":"gAAA","summary":[{"type":"summary_text","text":"hm"}]},{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.com","start_index":0,"end_index":7,"title":"a"}],"logprobs":[],"text":"Reading"}]},{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"path\":1}","call_id":"call_1","name":"read"},{"id":"ws_1","type":"web_search_call","status":"completed"}],"parallel_tool_calls":true,"tools":[{"type":"function","name":"read"}],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":14},"metadata":{}}}
    "#);
    insta::assert_snapshot!(after("response.completed"), @r"");
}

#[test]
fn every_prefix_ends_as_a_stream_that_reached_its_limit() {
    for (endpoint, stream) in STREAMS {
        let lines: Vec<_> = stream.lines().collect();
        for length in 0..=lines.len() {
            let prefix = &lines[..length];
            let mut original = StreamTap::new(endpoint);
            watch(&mut original, prefix);
            let end = decode(&finished(endpoint, prefix));
            let end: Vec<_> = end.iter().map(String::as_str).collect();
            let mut tap = StreamTap::new(endpoint);
            watch(&mut tap, prefix);
            watch(&mut tap, &end);
            assert!(tap.is_complete() && !tap.saw_error(), "{endpoint} {length}");
            // A reason that was given stands, if it is the whole answer's and not one choice's.
            let is_given = original.is_complete() || endpoint == Endpoint::Messages;
            let given = original.stop_reason().filter(|_| is_given);
            let reason = given.unwrap_or(StopReason::MaxTokens);
            assert_eq!(tap.stop_reason(), Some(reason), "{endpoint} {length}");
            assert_eq!(tap.usage().map(|usage| usage.output), Some(3));
            if let Some(id) = original.response_id() {
                assert_eq!(tap.response_id(), Some(id));
            }
            let mut last = StreamTap::new(endpoint);
            let all = [prefix, &end].concat();
            let progress: Vec<_> = all
                .iter()
                .map(|line| last.observe(&event(line)).unwrap())
                .collect();
            let ends = progress.iter().filter(|step| **step == Progress::Terminal);
            assert_eq!(ends.count(), 1, "{endpoint} {length}");
            assert_eq!(progress.last(), Some(&Progress::Terminal));
            check_order(endpoint, &all);
        }
    }
}

/// What the readers of a protocol rely on.
fn check_order(endpoint: Endpoint, lines: &[&str]) {
    let events: Vec<Json> = lines
        .iter()
        .filter(|line| **line != "[DONE]")
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    match endpoint {
        Endpoint::ChatCompletions => check_chat(&events),
        Endpoint::Messages => check_message(&events),
        _ => check_response(&events),
    }
}

fn check_chat(chunks: &[Json]) {
    let mut stops: BTreeMap<u64, usize> = BTreeMap::new();
    let mut usages = 0;
    for chunk in chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(
            (&chunk["id"], &chunk["model"], &chunk["created"]),
            (&chunks[0]["id"], &chunks[0]["model"], &chunks[0]["created"])
        );
        for choice in chunk["choices"].as_array().unwrap() {
            let stopped = stops.entry(choice["index"].as_u64().unwrap()).or_default();
            assert_eq!(*stopped, 0, "{choice} after the stop");
            *stopped += usize::from(choice["finish_reason"].is_string());
        }
        usages += usize::from(chunk["usage"].is_object());
    }
    assert!(!stops.is_empty() && stops.values().all(|count| *count == 1));
    assert_eq!(usages, 1);
}

fn check_message(events: &[Json]) {
    assert_eq!(events[0]["type"], "message_start");
    let mut open = None;
    let mut deltas = 0;
    for event in events {
        let index = event["index"].as_u64();
        match event["type"].as_str().unwrap() {
            "content_block_start" => assert_eq!(open.replace(index), None),
            "content_block_delta" => assert_eq!(open, Some(index)),
            "content_block_stop" => assert_eq!(open.take(), Some(index)),
            "message_delta" => {
                assert_eq!(open, None);
                deltas += 1;
            }
            _ => {}
        }
    }
    assert_eq!((open, deltas), (None, 1));
}

fn check_response(events: &[Json]) {
    assert_eq!(events[0]["type"], "response.created");
    let mut items: BTreeMap<u64, (Json, Option<Json>)> = BTreeMap::new();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
        let kind = event["type"].as_str().unwrap();
        let place = ["output_index", "summary_index", "content_index"].map(|key| &event[key]);
        if let Some(stem) = kind.strip_suffix(".delta") {
            let text = texts.entry(format!("{stem} {place:?}")).or_default();
            text.push_str(event["delta"].as_str().unwrap());
        } else if let Some(stem) = kind.strip_suffix(".done")
            && let Some(text) = texts.remove(&format!("{stem} {place:?}"))
        {
            let key = if stem.ends_with("arguments") {
                "arguments"
            } else {
                "text"
            };
            assert_eq!(event[key], text.as_str());
        }
        let index = event["output_index"].as_u64();
        match kind {
            "response.output_item.added" => {
                let earlier = items.insert(index.unwrap(), (event["item"].clone(), None));
                assert_eq!(earlier, None);
            }
            "response.output_item.done" => {
                let (added, done) = items.get_mut(&index.unwrap()).unwrap();
                assert_eq!(done.replace(event["item"].clone()), None);
                assert_eq!(
                    (&event["item"]["id"], &event["item"]["type"]),
                    (&added["id"], &added["type"])
                );
                assert_ne!(event["item"]["status"], "in_progress");
            }
            _ => {}
        }
    }
    assert!(texts.is_empty(), "{texts:?}");
    let last = &events[events.len() - 1];
    let output: Vec<_> = items.into_values().map(|(_, done)| done.unwrap()).collect();
    assert_eq!(last["response"]["output"], Json::Array(output));
    assert_eq!(last["response"]["id"], events[0]["response"]["id"]);
    assert_eq!(last["response"]["usage"]["output_tokens"], 3);
}

#[test]
fn a_cut_call_does_not_look_complete() {
    for (endpoint, _) in STREAMS {
        let end = finished_after(endpoint, r#"{\"pa"#);
        assert!(!end.contains(r#""finish_reason":"tool_calls""#), "{end}");
        assert!(!end.contains(r#""stop_reason":"tool_use""#), "{end}");
        assert!(
            !end.contains(r#""status":"completed","arguments":"{\"pa""#),
            "{end}"
        );
    }
}

#[test]
fn usage_is_told_where_it_is_known_and_asked_for() {
    let lines: Vec<_> = CHAT.lines().take(3).collect();
    let mut tap = StreamTap::stoppable(Endpoint::ChatCompletions);
    watch(&mut tap, &lines);
    let silent = Meta {
        include_usage: false,
        ..meta()
    };
    for (meta, usage, expected) in [
        (&silent, Some(&usage()), false),
        (&meta(), None, false),
        (&meta(), Some(&usage()), true),
    ] {
        let end = tap.finish_early(meta, usage);
        let end = String::from_utf8(end.to_vec()).unwrap();
        assert_eq!(end.contains("\"prompt_tokens\":11"), expected, "{end}");
    }
    // What the provider has said so far is better than nothing.
    let start: Vec<_> = MESSAGE.lines().take(3).collect();
    let mut tap = StreamTap::stoppable(Endpoint::Messages);
    watch(&mut tap, &start);
    let end = String::from_utf8(tap.finish_early(&meta(), None).to_vec()).unwrap();
    assert!(end.contains(r#""input_tokens":25"#), "{end}");
    let mut tap = StreamTap::stoppable(Endpoint::Responses);
    watch(&mut tap, &[]);
    let end = String::from_utf8(tap.finish_early(&meta(), None).to_vec()).unwrap();
    assert!(end.contains(r#""usage":null}"#), "{end}");
}

#[test]
fn a_stream_that_is_over_is_not_ended_again() {
    for (endpoint, data) in [
        (Endpoint::ChatCompletions, r#"{"error":{"message":"no"}}"#),
        (Endpoint::Messages, r#"{"type":"error","error":{}}"#),
        (
            Endpoint::Responses,
            r#"{"type":"response.failed","response":{"status":"failed"}}"#,
        ),
    ] {
        assert_eq!(finished(endpoint, &[data]), "", "{endpoint}");
    }
}

#[test]
fn only_a_stoppable_tap_can_be_stopped() {
    let tap = StreamTap::new(Endpoint::Messages);
    assert!(tap.finish_early(&meta(), None).is_empty());
    for endpoint in [Endpoint::Embeddings, Endpoint::CountTokens] {
        assert_eq!(finished(endpoint, &[]), "");
    }
}

#[test]
fn a_response_that_is_too_long_ends_with_an_empty_output() {
    let mut tap = StreamTap::stoppable(Endpoint::Responses);
    let lines: Vec<_> = RESPONSE.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("output_text.delta"))
        .unwrap();
    watch(&mut tap, &lines[..at]);
    let piece = "x".repeat(1 << 20);
    for number in 0..17 {
        let delta = format!(
            r#"{{"type":"response.output_text.delta","sequence_number":{},"item_id":"msg_1","output_index":1,"content_index":0,"delta":"{piece}"}}"#,
            at + number
        );
        watch(&mut tap, &[&delta]);
    }
    watch(&mut tap, &[lines[at]]);
    let end = tap.finish_early(&meta(), Some(&usage()));
    let end = String::from_utf8(end.to_vec()).unwrap();
    assert!(end.len() < 1000, "{} bytes are kept", end.len());
    assert!(end.contains(r#""output":[]"#), "{end}");
    assert!(end.starts_with("event: response.incomplete"), "{end}");
}

#[test]
fn what_is_told_three_times_is_counted_once() {
    let long = "x".repeat(6 << 20);
    let stream = RESPONSE.replace("Reading", &long);
    let lines: Vec<_> = stream.lines().collect();
    for mark in [
        "output_text.done",
        "content_part.done",
        "\"item\":{\"id\":\"fc_1\"",
    ] {
        let at = lines.iter().position(|line| line.contains(mark)).unwrap();
        let end = decode(&finished(Endpoint::Responses, &lines[..=at]));
        let last: Json = serde_json::from_str(end.last().unwrap()).unwrap();
        let text = &last["response"]["output"][1]["content"][0]["text"];
        assert!(text.as_str() == Some(&long), "after {mark}");
    }
}

#[test]
fn events_out_of_order_do_no_harm() {
    for lines in [
        &[
            r#"{"type":"response.output_text.delta","output_index":4,"content_index":0,"delta":"a"}"#,
        ][..],
        &[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m"}}"#,
            r#"{"type":"response.refusal.delta","output_index":0,"content_index":7,"delta":"a"}"#,
            r#"{"type":"response.content_part.done","output_index":0,"content_index":9}"#,
        ],
        &[
            r#"{"type":"response.output_item.added","output_index":0,"item":null}"#,
            r#"{"type":"response.created","response":[]}"#,
        ],
        &[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","id":"c"}}"#,
            r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"a"}"#,
            r#"{"type":"response.custom_tool_call_input.done","output_index":0,"input":"b"}"#,
        ],
    ] {
        let end = finished(Endpoint::Responses, lines);
        let events = decode(&end);
        let last: Json = serde_json::from_str(events.last().unwrap()).unwrap();
        assert_eq!(last["type"], "response.incomplete", "{end}");
        assert_eq!(last["response"]["status"], "incomplete");
    }
    let end = finished(
        Endpoint::Messages,
        &[r#"{"type":"content_block_stop","index":3}"#],
    );
    assert!(end.contains("message_stop"));
}
