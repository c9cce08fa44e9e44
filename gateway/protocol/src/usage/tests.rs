mod providers;

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
            "completion_tokens_details":{"audio_tokens":9,"reasoning_tokens":3}}"#,
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
