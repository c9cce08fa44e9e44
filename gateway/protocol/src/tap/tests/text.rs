//! What a meter sees of an answer, and what the provider says it billed.

use super::{Endpoint, StreamTap, TakenText, body_tap, event, watch};
use Endpoint::{ChatCompletions, Messages, Responses};

/// The text of events, one a line, and the count of its bytes.
fn said(endpoint: Endpoint, lines: &str) -> (String, u64) {
    let mut tap = StreamTap::new(endpoint);
    tap.keep_text(usize::MAX);
    for line in lines.lines() {
        tap.observe(&event(line.trim())).unwrap();
    }
    let TakenText {
        text,
        omitted_bytes,
    } = tap.take_text();
    assert_eq!(omitted_bytes, 0);
    (text, tap.outcome().visible_bytes)
}

#[test]
fn all_that_a_chat_says_is_text() {
    let (text, bytes) = said(
        ChatCompletions,
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null}}]}
        {"choices":[{"index":0,"delta":{"reasoning_content":"hm ","reasoning":"hm "}}]}
        {"choices":[{"index":0,"delta":{"reasoning":"so "}}]}
        {"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"and "}]}}]}
        {"choices":[{"index":0,"delta":{"content":"caf\u00e9 \n"}},{"index":1,"delta":{"content":"tea "}}]}
        {"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"deep "}]},{"type":"text","text":"flat "}]}}]}
        {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"read ","arguments":""}}]}}]}
        {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}},{"index":1,"custom":{"name":"run ","input":"ls "}}]}}]}
        {"choices":[{"index":0,"delta":{"function_call":{"name":"old ","arguments":"{}"}}}]}
        {"choices":[{"index":0,"delta":{"audio":{"id":"a","data":"UklGRg==","transcript":" spoken"}}}]}
        {"choices":[{"index":1,"delta":{"refusal":" no"}}]}
        {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}
        [DONE]"#,
    );
    assert_eq!(
        text,
        "hm so and café \ntea deep flat read {\"a\":run ls old {} spoken no"
    );
    assert_eq!(bytes, u64::try_from(text.len()).unwrap());
}

#[test]
fn all_that_a_message_says_is_text() {
    let (text, bytes) = said(
        Messages,
        r#"{"type":"message_start","message":{"content":[],"usage":{"input_tokens":1}}}
        {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
        {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm "}}
        {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}
        {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi "}}
        {"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"cited_text":"x"}}}
        {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"read ","input":{}}}
        {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
    );
    assert_eq!(text, "hm Hi read {\"a\":");
    assert_eq!(bytes, 16);
}

#[test]
fn all_that_a_response_says_is_text_and_once() {
    let (text, bytes) = said(
        Responses,
        r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}
        {"type":"response.reasoning_summary_text.delta","delta":"hm "}
        {"type":"response.reasoning_summary_text.done","text":"hm "}
        {"type":"response.output_text.delta","delta":"Hi ","obfuscation":"xxxx"}
        {"type":"response.refusal.delta","delta":"no "}
        {"type":"response.output_text.done","text":"Hi "}
        {"type":"response.output_item.added","item":{"type":"function_call","name":"read ","arguments":""}}
        {"type":"response.function_call_arguments.delta","delta":"{}"}
        {"type":"response.output_audio.delta","delta":"UklGRg=="}
        {"type":"response.output_item.done","item":{"type":"function_call","name":"read ","arguments":"{}"}}
        {"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Hi "}]}]}}"#,
    );
    assert_eq!(text, "hm Hi no read {}");
    assert_eq!(bytes, 16);
}

#[test]
fn nothing_is_kept_before_it_is_asked_for_and_nothing_twice() {
    let chunk = |text: &str| {
        event(&format!(
            r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#
        ))
    };
    let mut tap = StreamTap::new(ChatCompletions);
    tap.observe(&chunk("unheard")).unwrap();
    assert_eq!(tap.take_text(), TakenText::default());
    tap.keep_text(100);
    tap.observe(&chunk("a")).unwrap();
    tap.observe(&chunk("b")).unwrap();
    assert_eq!(tap.take_text().text, "ab");
    assert_eq!(tap.take_text(), TakenText::default());
    tap.observe(&chunk("c")).unwrap();
    assert_eq!(tap.take_text().text, "c");
    assert_eq!(tap.outcome().visible_bytes, 10);
}

#[test]
fn what_is_beyond_the_limit_is_counted() {
    let mut tap = StreamTap::new(ChatCompletions);
    tap.keep_text(4);
    for text in ["ab", "né!", "x"] {
        let chunk = format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#);
        tap.observe(&event(&chunk)).unwrap();
    }
    let taken = tap.take_text();
    // The é of two bytes would end at the fifth; what comes after it would leave a hole.
    assert_eq!((taken.text.as_str(), taken.omitted_bytes), ("abn", 4));
    assert_eq!(tap.outcome().visible_bytes, 7);
    // A later limit holds for what comes later, and nothing kept is lost.
    tap.keep_text(1);
    tap.keep_text(2);
    let chunk = r#"{"choices":[{"delta":{"content":"xyz"}}]}"#;
    tap.observe(&event(chunk)).unwrap();
    assert_eq!(tap.take_text().text, "xy");
}

#[test]
fn whole_answers_count_the_same_text() {
    for (endpoint, body, text) in [
        (
            ChatCompletions,
            r#"{"choices":[{"message":{"content":"Hi","reasoning_content":"hm","tool_calls":[{"id":"x","type":"function","function":{"name":"read","arguments":"{}"}}]}},
                {"message":{"content":null,"refusal":"no"}}]}"#,
            "Hihmread{}no",
        ),
        (
            Messages,
            r#"{"content":[{"type":"thinking","thinking":"hm","signature":"EqQB"},{"type":"text","text":"Hi"},{"type":"tool_use","id":"x","name":"read","input":{"a": 1}}]}"#,
            r#"hmHiread{"a": 1}"#,
        ),
        (
            Responses,
            r#"{"status":"completed","output":[{"id":"rs","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"},
                {"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi","annotations":[]}]},
                {"id":"f","type":"function_call","name":"read","arguments":"{}"}]}"#,
            "hmHiread{}",
        ),
    ] {
        let outcome = body_tap(endpoint, body.as_bytes()).unwrap();
        let expected = u64::try_from(text.len()).unwrap();
        assert_eq!(outcome.visible_bytes, expected, "{endpoint}");
    }
}

#[test]
fn the_tier_that_was_served_is_told() {
    let (tap, _) = watch(
        ChatCompletions,
        r#"{"service_tier":"auto","choices":[{"delta":{"content":"a"}}]}
        {"service_tier":null,"choices":[]}
        {"service_tier":"flex","choices":[]}"#,
    );
    assert_eq!(tap.outcome().service_tier.as_deref(), Some("flex"));
    let (tap, _) = watch(
        Responses,
        r#"{"type":"response.created","response":{"service_tier":"auto"}}
        {"type":"response.completed","response":{"status":"completed","service_tier":"priority"}}"#,
    );
    assert_eq!(tap.outcome().service_tier.as_deref(), Some("priority"));
    let (tap, _) = watch(
        Messages,
        r#"{"type":"message_start","message":{"usage":{"input_tokens":1,"service_tier":"standard","speed":"fast"}}}
        {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
    );
    assert_eq!(tap.outcome().service_tier.as_deref(), Some("standard"));
    assert_eq!(tap.outcome().speed.as_deref(), Some("fast"));
    let whole = body_tap(
        Messages,
        br#"{"content":[],"usage":{"input_tokens":1,"service_tier":"batch","speed":"standard"}}"#,
    );
    let whole = whole.unwrap();
    assert_eq!(whole.service_tier.as_deref(), Some("batch"));
    assert_eq!(whole.speed.as_deref(), Some("standard"));
    let whole = body_tap(ChatCompletions, br#"{"service_tier":"flex","choices":[]}"#).unwrap();
    assert_eq!(whole.service_tier.as_deref(), Some("flex"));
}

#[test]
fn groq_tells_usage_in_a_member_of_its_own() {
    let (tap, _) = watch(
        ChatCompletions,
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"x_groq":{"id":"req_1"}}
        {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":{"queue_time":0.07,"prompt_tokens":23,"completion_tokens":19,"total_tokens":42}}}
        [DONE]"#,
    );
    let usage = tap.usage().unwrap();
    assert_eq!((usage.fresh_input, usage.output), (23, 19));
}

#[test]
fn usage_in_every_event_and_after_the_end_counts_once() {
    let (tap, _) = watch(
        ChatCompletions,
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6,"prompt_tokens_details":{"cached_tokens":2}}}
        {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}
        {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":0}}
        {"choices":[],"usage":{}}
        [DONE]
        {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9}}
        {"choices":[],"usage":{"prompt_tokens":"5","completion_tokens":-4}}"#,
    );
    let usage = tap.usage().unwrap();
    assert_eq!(
        (usage.fresh_input, usage.cache_read, usage.output),
        (3, 2, 4)
    );
    let (tap, _) = watch(
        Messages,
        r#"{"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}
        {"type":"message_delta","delta":{},"usage":{"output_tokens":15}}
        {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":40,"iterations":[{"type":"compaction","input_tokens":100,"output_tokens":7},{"type":"message","input_tokens":25,"output_tokens":40}]}}
        {"type":"message_stop"}"#,
    );
    let usage = tap.usage().unwrap();
    assert_eq!((usage.fresh_input, usage.output), (125, 47));
}
