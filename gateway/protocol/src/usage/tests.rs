use super::*;
use crate::json::{Document, JsonLimits};

fn report(dialect: Dialect, usage: &str) -> UsageReport {
    let document = Document::parse(usage.as_bytes(), JsonLimits::default()).unwrap();
    UsageReport::read(dialect, document.root())
}

fn openai(usage: &str) -> Option<Usage> {
    report(Dialect::OpenAi, usage).usage()
}

fn anthropic(usage: &str) -> Option<Usage> {
    report(Dialect::Anthropic, usage).usage()
}

#[test]
fn chat_prompts_include_what_was_cached() {
    let usage = openai(
        r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
            "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":6},
            "completion_tokens_details":{"reasoning_tokens":192,"audio_tokens":8,
              "accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#,
    );
    let expected = Usage {
        fresh_input: 86,
        cache_read: 1920,
        output: 300,
        reasoning: 192,
        audio_input: 6,
        audio_output: 8,
        ..Usage::default()
    };
    assert_eq!(usage, Some(expected));
    assert_eq!(expected.input(), 2006);
}

#[test]
fn cache_writes_are_taken_out_of_openai_prompts_too() {
    let expected = Usage {
        fresh_input: 100,
        cache_read: 400,
        cache_write_5m: 500,
        output: 7,
        ..Usage::default()
    };
    for details in [
        r#""prompt_tokens_details":{"cached_tokens":400,"cache_write_tokens":500}"#,
        r#""prompt_tokens_details":{"cached_tokens":400,"cache_creation_tokens":500}"#,
        r#""input_tokens_details":{"cached_tokens":400,"cache_write_tokens":500}"#,
    ] {
        let usage = format!(r#"{{"prompt_tokens":1000,"completion_tokens":7,{details}}}"#);
        assert_eq!(openai(&usage), Some(expected), "{details}");
    }
}

#[test]
fn responses_name_the_term_of_cache_writes() {
    let usage = openai(
        r#"{"input_tokens":1000,"output_tokens":50,"total_tokens":1050,
            "input_tokens_details":{"cached_tokens":100,"cache_write_tokens":500,
              "cache_write_tokens_details":{"ttl_30m_tokens":200,"ttl_12h_tokens":300}},
            "output_tokens_details":{"reasoning_tokens":40}}"#,
    );
    let expected = Usage {
        fresh_input: 400,
        cache_read: 100,
        cache_write_5m: 200,
        cache_write_1h: 300,
        output: 50,
        reasoning: 40,
        ..Usage::default()
    };
    assert_eq!(usage, Some(expected));
}

#[test]
fn compatible_providers_tell_cache_hits_elsewhere() {
    let deepseek = openai(
        r#"{"prompt_tokens":30,"completion_tokens":5,
            "prompt_cache_hit_tokens":20,"prompt_cache_miss_tokens":10}"#,
    );
    let moonshot = openai(r#"{"prompt_tokens":30,"completion_tokens":5,"cached_tokens":20}"#);
    for usage in [deepseek, moonshot] {
        let usage = usage.unwrap();
        assert_eq!((usage.fresh_input, usage.cache_read), (10, 20));
    }
    // Where the details speak, they are right even when they say zero.
    let both = openai(
        r#"{"prompt_tokens":30,"prompt_cache_hit_tokens":20,
            "prompt_tokens_details":{"cached_tokens":0}}"#,
    );
    assert_eq!(both.unwrap().cache_read, 0);
}

#[test]
fn reasoning_that_only_the_total_counts_is_output() {
    let usage = openai(
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,
            "completion_tokens_details":{"reasoning_tokens":100}}"#,
    );
    let usage = usage.unwrap();
    assert_eq!((usage.output, usage.reasoning), (105, 100));
}

#[test]
fn anthropic_prompts_exclude_what_was_cached() {
    let usage = anthropic(
        r#"{"input_tokens":4,"cache_creation_input_tokens":1200,"cache_read_input_tokens":90000,
            "cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":1000},
            "output_tokens":512,"output_tokens_details":{"thinking_tokens":400},
            "server_tool_use":{"web_search_requests":2,"web_fetch_requests":1},
            "service_tier":"standard"}"#,
    );
    let expected = Usage {
        fresh_input: 4,
        cache_read: 90_000,
        cache_write_5m: 200,
        cache_write_1h: 1000,
        output: 512,
        reasoning: 400,
        server_tool_uses: 3,
        ..Usage::default()
    };
    assert_eq!(usage, Some(expected));
    assert_eq!(expected.input(), 91_204);
}

#[test]
fn cache_writes_beyond_the_split_keep_its_term() {
    let writes = |usage: &str| {
        let usage = anthropic(usage).unwrap();
        (usage.cache_write_5m, usage.cache_write_1h)
    };
    assert_eq!(
        writes(r#"{"input_tokens":1,"cache_creation_input_tokens":10}"#),
        (10, 0)
    );
    assert_eq!(
        writes(
            r#"{"input_tokens":1,"cache_creation_input_tokens":15,
                "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":10}}"#
        ),
        (0, 15)
    );
    assert_eq!(
        writes(
            r#"{"input_tokens":1,"cache_creation_input_tokens":15,
                "cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":10}}"#
        ),
        (5, 10)
    );
    assert_eq!(
        writes(
            r#"{"input_tokens":1,
                "cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3}}"#
        ),
        (2, 3)
    );
}

#[test]
fn absent_and_null_are_missing_and_zero_is_not() {
    for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
        for nothing in ["null", "{}", r#"{"input_tokens":null}"#, "[]", "7"] {
            let report = report(dialect, nothing);
            assert!(report.is_empty(), "{nothing}");
            assert_eq!(report.usage(), None, "{nothing}");
        }
        let zero = report(dialect, r#"{"input_tokens":0,"output_tokens":0}"#);
        assert_eq!((zero.input, zero.output), (Some(0), Some(0)));
        assert_eq!((zero.cache_read, zero.reasoning), (None, None));
        assert_eq!(zero.usage(), Some(Usage::default()));
    }
}

#[test]
fn numbers_that_are_no_counts_are_missing() {
    let odd = report(
        Dialect::OpenAi,
        r#"{"prompt_tokens":-1,"completion_tokens":"5","total_tokens":1e400}"#,
    );
    assert!(odd.is_empty());
}

#[test]
fn a_count_never_wraps() {
    let usage = openai(
        r#"{"prompt_tokens":5,"completion_tokens":18446744073709551615,"total_tokens":3,
            "prompt_tokens_details":{"cached_tokens":9,"cache_write_tokens":9}}"#,
    );
    let usage = usage.unwrap();
    assert_eq!((usage.fresh_input, usage.output), (0, u64::MAX));
}

#[test]
fn parts_are_no_more_than_their_whole() {
    let usage = openai(
        r#"{"prompt_tokens":5,"completion_tokens":3,
            "prompt_tokens_details":{"audio_tokens":18446744073709551615},
            "completion_tokens_details":{"audio_tokens":9,"reasoning_tokens":9}}"#,
    );
    let usage = usage.unwrap();
    assert_eq!((usage.audio_input, usage.audio_output), (5, 3));
    assert_eq!(usage.reasoning, 3);
    let writes = anthropic(
        r#"{"input_tokens":18446744073709551615,"cache_read_input_tokens":18446744073709551615,
            "cache_creation_input_tokens":18446744073709551615,
            "cache_creation":{"ephemeral_5m_input_tokens":18446744073709551615,"ephemeral_1h_input_tokens":7}}"#,
    );
    assert_eq!(writes.unwrap().input(), u64::MAX);
}

#[test]
fn a_total_alone_says_nothing_of_the_output() {
    let usage = openai(r#"{"completion_tokens":5,"total_tokens":900}"#).unwrap();
    assert_eq!((usage.input(), usage.output), (0, 5));
}

#[test]
fn later_anthropic_reports_override_field_by_field() {
    let mut sum = report(
        Dialect::Anthropic,
        r#"{"input_tokens":25,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,
            "cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":50},
            "output_tokens":1}"#,
    );
    sum.update(report(Dialect::Anthropic, r#"{"output_tokens":15}"#));
    sum.update(report(Dialect::Anthropic, "null"));
    sum.update(report(
        Dialect::Anthropic,
        r#"{"output_tokens":30,"input_tokens":0,"cache_read_input_tokens":null}"#,
    ));
    let expected = Usage {
        fresh_input: 0,
        cache_read: 100,
        cache_write_1h: 50,
        output: 30,
        ..Usage::default()
    };
    assert_eq!(sum.usage(), Some(expected));
}

#[test]
fn later_openai_reports_replace_earlier_ones() {
    let mut sum = report(
        Dialect::OpenAi,
        r#"{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":80}}"#,
    );
    sum.update(report(
        Dialect::OpenAi,
        r#"{"prompt_tokens":100,"completion_tokens":9}"#,
    ));
    sum.update(report(Dialect::OpenAi, "{}"));
    let usage = sum.usage().unwrap();
    assert_eq!((usage.fresh_input, usage.cache_read), (100, 0));
    assert_eq!(usage.output, 9);
}
