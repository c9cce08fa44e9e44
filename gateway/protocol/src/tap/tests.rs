mod text;

use bytes::Bytes;

use super::*;
use crate::json::JsonErrorKind;

fn event(data: &str) -> Event {
    Event {
        name: None,
        data: Bytes::copy_from_slice(data.as_bytes()),
        id: None,
    }
}

/// Feeds events, one a line, and gives what each was.
fn watch(endpoint: Endpoint, lines: &str) -> (StreamTap, Vec<Progress>) {
    let mut tap = StreamTap::new(endpoint);
    let progress = lines
        .lines()
        .map(|line| tap.observe(&event(line.trim())).unwrap())
        .collect();
    (tap, progress)
}

use Progress::{Delta, Error, Other, Terminal, UsageOnly};

#[test]
fn a_chat_stream_tells_its_usage_before_the_end() {
    let (tap, progress) = watch(
        Endpoint::ChatCompletions,
        r#"{"id":"","choices":[],"prompt_filter_results":[]}
        {"id":"c-1","model":"gpt-6-2026","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}
        {"id":"c-1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}
        {"id":"c-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}
        {"id":"c-1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}
        [DONE]"#,
    );
    assert_eq!(progress, [Other, Other, Delta, Other, UsageOnly, Terminal]);
    assert_eq!(tap.response_id(), Some("c-1"));
    assert_eq!(tap.model(), Some("gpt-6-2026"));
    assert_eq!(tap.stop_reason(), Some(StopReason::EndTurn));
    assert!(tap.is_complete());
    assert!(!tap.saw_error());
    let usage = tap.usage().unwrap();
    assert_eq!((usage.fresh_input, usage.output), (9, 2));
}

#[test]
fn a_chat_stream_is_complete_when_every_choice_is_finished() {
    let chunk = |index: u32, reason: &str| {
        event(&format!(
            r#"{{"choices":[{{"index":{index},"delta":{{"content":"a"}},"finish_reason":{reason}}}]}}"#
        ))
    };
    let mut tap = StreamTap::new(Endpoint::ChatCompletions);
    for (index, reason, complete) in [
        (0, "null", false),
        (200, "null", false),
        (0, r#""length""#, false),
        (200, r#""stop""#, true),
    ] {
        assert_eq!(tap.observe(&chunk(index, reason)), Ok(Delta));
        assert_eq!(tap.is_complete(), complete, "{index} {reason}");
    }
    assert_eq!(tap.usage(), None);
}

#[test]
fn usage_after_the_end_still_counts_and_is_not_added_up() {
    let (tap, progress) = watch(
        Endpoint::ChatCompletions,
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1}}
        {"choices":[{"index":0,"delta":{"content":"b"}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}
        [DONE]
        {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}"#,
    );
    assert_eq!(progress, [Delta, Delta, Terminal, UsageOnly]);
    let usage = tap.usage().unwrap();
    assert_eq!((usage.fresh_input, usage.output), (5, 3));
}

#[test]
fn usage_within_the_choice_is_read() {
    let (tap, progress) = watch(
        Endpoint::ChatCompletions,
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}
        {"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":8,"completion_tokens":2,"cached_tokens":6}}]}
        [DONE]"#,
    );
    assert_eq!(progress, [Delta, Other, Terminal]);
    let usage = tap.usage().unwrap();
    assert_eq!(
        (usage.fresh_input, usage.cache_read, usage.output),
        (2, 6, 2)
    );
    // Where the chunk itself tells usage, that is the whole.
    let (tap, _) = watch(
        Endpoint::ChatCompletions,
        r#"{"choices":[{"index":0,"usage":{"prompt_tokens":1}}],"usage":{"prompt_tokens":9}}"#,
    );
    assert_eq!(tap.usage().unwrap().fresh_input, 9);
}

#[test]
fn a_number_that_cannot_be_gone_on_from_is_not_kept() {
    let (tap, _) = watch(
        Endpoint::Responses,
        r#"{"type":"a","sequence_number":4}
        {"type":"a","sequence_number":18446744073709551615}
        {"type":"a","sequence_number":-1}"#,
    );
    assert_eq!(tap.last_sequence(), Some(4));
}

#[test]
fn stop_reasons_have_labels() {
    use StopReason::{EndTurn, MaxTokens, Other, Pause, Refusal, StopSequence, ToolUse};
    let labels = [
        EndTurn,
        MaxTokens,
        StopSequence,
        ToolUse,
        Refusal,
        Pause,
        Other,
    ]
    .map(StopReason::as_str);
    assert_eq!(
        labels,
        [
            "end_turn",
            "max_tokens",
            "stop_sequence",
            "tool_use",
            "refusal",
            "pause",
            "other"
        ]
    );
}

/// A list of so many zeros.
fn zeros(count: usize) -> String {
    format!("[0{}]", ",0".repeat(count - 1))
}

#[test]
fn numbers_by_the_million_are_passed_over() {
    let many = zeros(2_000_000);
    let embedded = format!(
        r#"{{"data":[{{"embedding":{many}}}],"usage":{{"prompt_tokens":8,"prompt_tokens_details":{{"cached_tokens":3}}}}}}"#
    );
    let outcome = body_tap(Endpoint::Embeddings, embedded.as_bytes()).unwrap();
    let usage = outcome.usage().unwrap();
    assert_eq!((usage.fresh_input, usage.cache_read), (5, 3));
    let with_logprobs = format!(
        r#"{{"choices":[{{"finish_reason":"stop","logprobs":{{"content":[{{"top_logprobs":{many}}}]}}}}]}}"#
    );
    let outcome = body_tap(Endpoint::ChatCompletions, with_logprobs.as_bytes()).unwrap();
    assert_eq!(outcome.stop_reason, Some(StopReason::EndTurn));
}

#[test]
fn numbers_by_the_million_where_they_would_be_read_are_refused() {
    let many = zeros(1_000_000);
    for body in [
        many.clone(),
        format!(r#"{{"data":{many}}}"#),
        format!(r#"{{"response":{{"output":{many}}}}}"#),
    ] {
        let mut tap = StreamTap::new(Endpoint::Responses);
        for refused in [
            body_tap(Endpoint::Embeddings, body.as_bytes()).map(|_| ()),
            tap.observe(&event(&body)).map(|_| ()),
        ] {
            let Err(TapError::NotJson(error)) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(error.kind, JsonErrorKind::TooManyValues);
        }
    }
    let deep = "[".repeat(1_000_000);
    assert!(body_tap(Endpoint::Responses, deep.as_bytes()).is_err());
}

#[test]
fn the_deepest_usage_is_within_what_is_kept() {
    let details = r#"{"input_tokens":9,"input_tokens_details":{"cache_write_tokens_details":{"ttl_12h_tokens":4}}}"#;
    let (tap, _) = watch(
        Endpoint::Responses,
        &format!(r#"{{"type":"response.completed","response":{{"usage":{details}}}}}"#),
    );
    assert_eq!(tap.usage().unwrap().cache_write_1h, 4);
    let (tap, _) = watch(
        Endpoint::ChatCompletions,
        r#"{"choices":[{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}}]}"#,
    );
    assert_eq!(tap.usage().unwrap().cache_read, 4);
}

#[test]
fn pieces_of_every_sort_are_deltas() {
    for delta in [
        r#"{"content":"a"}"#,
        r#"{"reasoning_content":"a"}"#,
        r#"{"reasoning":"a"}"#,
        r#"{"refusal":"a"}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}"#,
        r#"{"audio":{"data":"AA=="}}"#,
        r#"{"content":[{"type":"text","text":"a"}]}"#,
    ] {
        let chunk = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
        let (_, progress) = watch(Endpoint::ChatCompletions, &chunk);
        assert_eq!(progress, [Delta], "{delta}");
    }
    let empty =
        r#"{"choices":[{"index":0,"delta":{"content":[],"refusal":null,"tool_calls":null}}]}"#;
    assert_eq!(watch(Endpoint::ChatCompletions, empty).1, [Other]);
}

#[test]
fn a_message_stream_merges_its_usage() {
    let (tap, progress) = watch(
        Endpoint::Messages,
        r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-x","usage":{"input_tokens":25,"cache_read_input_tokens":10,"output_tokens":1}}}
        {"type":"ping"}
        {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}
        {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}
        {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQ="}}
        {"type":"content_block_stop","index":0}
        {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15}}
        {"type":"message_stop"}"#,
    );
    assert_eq!(
        progress,
        [Other, Other, Other, Delta, Delta, Other, Other, Terminal]
    );
    assert_eq!(tap.response_id(), Some("msg_1"));
    assert_eq!(tap.stop_reason(), Some(StopReason::ToolUse));
    assert!(tap.is_complete());
    let usage = tap.usage().unwrap();
    assert_eq!((usage.fresh_input, usage.cache_read), (25, 10));
    assert_eq!(usage.output, 15);
}

#[test]
fn a_response_stream_tells_all_in_its_last_event() {
    let (tap, progress) = watch(
        Endpoint::Responses,
        r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","model":"gpt-6","status":"in_progress","usage":null}}
        {"type":"response.output_item.added","sequence_number":1,"item":{"type":"function_call"}}
        {"type":"response.function_call_arguments.delta","sequence_number":2,"delta":"{}"}
        {"type":"response.completed","sequence_number":3,"response":{"status":"completed","error":null,"output":[{"type":"function_call"}],"tool_usage":{"web_search":{"num_requests":2}},"usage":{"input_tokens":7,"output_tokens":3}}}
        [DONE]"#,
    );
    assert_eq!(progress, [Other, Other, Delta, Terminal, Other]);
    assert_eq!(tap.response_id(), Some("resp_1"));
    assert_eq!(tap.stop_reason(), Some(StopReason::ToolUse));
    assert_eq!(tap.last_sequence(), Some(3));
    assert!(tap.is_complete() && !tap.saw_error());
    let usage = tap.usage().unwrap();
    assert_eq!((usage.fresh_input, usage.output), (7, 3));
    assert_eq!(usage.server_tool_uses, 2);
}

#[test]
fn a_failed_response_is_complete_and_an_error() {
    let (tap, progress) = watch(
        Endpoint::Responses,
        r#"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_error"}}}"#,
    );
    assert_eq!(progress, [Terminal]);
    assert!(tap.is_complete() && tap.saw_error());
}

#[test]
fn an_error_within_a_stream_is_told() {
    for (endpoint, data) in [
        (
            Endpoint::ChatCompletions,
            r#"{"error":{"message":"overloaded","type":"server_error"}}"#,
        ),
        (
            Endpoint::Messages,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        ),
        (Endpoint::Messages, r#"{"error":{"message":"no type"}}"#),
        (
            Endpoint::Responses,
            r#"{"type":"error","code":"server_error","message":"no","sequence_number":3}"#,
        ),
        (Endpoint::Responses, r#"{"error":{"message":"no"}}"#),
    ] {
        let (tap, progress) = watch(endpoint, data);
        assert_eq!(progress, [Error], "{data}");
        assert!(tap.saw_error());
        assert!(!tap.is_complete());
    }
}

#[test]
fn garbage_is_noticed() {
    let mut tap = StreamTap::new(Endpoint::ChatCompletions);
    assert!(matches!(
        tap.observe(&event("<html>")),
        Err(TapError::NotJson(_))
    ));
    assert!(matches!(
        tap.observe(&event(r#"{"choices":["#)),
        Err(TapError::NotJson(_))
    ));
    assert_eq!(
        tap.observe(&event("[1]")),
        Err(TapError::NotAnObject { found: "an array" })
    );
    assert_eq!(tap.observe(&event(" ")), Ok(Other));
    assert!(!tap.is_complete());
}

#[test]
fn shapes_that_are_not_known_do_no_harm() {
    for endpoint in Endpoint::ALL {
        for data in [
            "{}",
            r#"{"type":7,"choices":{},"usage":[],"message":1,"response":null,"delta":"x"}"#,
            r#"{"choices":[1,null,{"delta":[],"finish_reason":{}}]}"#,
            r#"{"type":"message_start"}"#,
            r#"{"type":"response.something_new"}"#,
        ] {
            let (tap, progress) = watch(endpoint, data);
            assert_eq!(progress, [Other], "{endpoint} {data}");
            assert_eq!(tap.usage(), None);
        }
    }
}

#[test]
fn bodies_are_read_like_streams() {
    let chat = body_tap(
        Endpoint::ChatCompletions,
        br#"{"id":"c-1","model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"length"}],
            "usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
    )
    .unwrap();
    assert_eq!(chat.stop_reason, Some(StopReason::MaxTokens));
    assert_eq!(chat.usage().unwrap().output, 4);
    assert!(chat.is_complete && !chat.has_error);

    let message = body_tap(
        Endpoint::Messages,
        br#"{"id":"msg_1","type":"message","model":"m","content":[],"stop_reason":"pause_turn",
            "usage":{"input_tokens":3,"output_tokens":4}}"#,
    )
    .unwrap();
    assert_eq!(message.stop_reason, Some(StopReason::Pause));
    assert_eq!(message.id.as_deref(), Some("msg_1"));

    let counted = body_tap(Endpoint::CountTokens, br#"{"input_tokens":14}"#).unwrap();
    assert_eq!(counted.usage(), None);

    let embedded = body_tap(
        Endpoint::Embeddings,
        br#"{"object":"list","model":"e","data":[{"embedding":[0.1,-2e-3]}],
            "usage":{"prompt_tokens":8,"total_tokens":8}}"#,
    )
    .unwrap();
    let usage = embedded.usage().unwrap();
    assert_eq!((usage.fresh_input, usage.output), (8, 0));

    let error = body_tap(Endpoint::Messages, br#"{"type":"error","error":{}}"#).unwrap();
    assert!(error.has_error);
    assert!(body_tap(Endpoint::Messages, b"upstream request timeout").is_err());
}

#[test]
fn a_response_ends_for_the_reason_that_it_gives() {
    let reason = |response: &str| {
        body_tap(Endpoint::Responses, response.as_bytes())
            .unwrap()
            .stop_reason
    };
    for (response, expected) in [
        (
            r#"{"status":"completed","output":[{"type":"message"}]}"#,
            Some(StopReason::EndTurn),
        ),
        (
            r#"{"status":"completed","output":[{"type":"reasoning"},{"type":"custom_tool_call"}]}"#,
            Some(StopReason::ToolUse),
        ),
        (
            r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#,
            Some(StopReason::MaxTokens),
        ),
        (
            r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}"#,
            Some(StopReason::Refusal),
        ),
        (r#"{"status":"failed"}"#, Some(StopReason::Other)),
        (r#"{"status":"queued"}"#, None),
    ] {
        assert_eq!(reason(response), expected, "{response}");
    }
}
