//! What each provider reports, and what it comes to. The reports have the shape and the sums that the
//! providers document.

use super::{Dialect, report};
use Dialect::{Anthropic, OpenAi};

/// Fresh input, cache read, short write, long write, output, reasoning, audio in, audio out, tools.
type Counts = [u64; 9];

const GOLDEN: &[(&str, Dialect, &str, Counts)] = &[
    (
        "OpenAI chat: cached, reasoning, audio and predictions are parts of the sums",
        OpenAi,
        r#"{"prompt_tokens":2006,"completion_tokens":300,"total_tokens":2306,
            "prompt_tokens_details":{"cached_tokens":1920,"audio_tokens":6},
            "completion_tokens_details":{"reasoning_tokens":192,"audio_tokens":8,
              "accepted_prediction_tokens":20,"rejected_prediction_tokens":11}}"#,
        [86, 1920, 0, 0, 300, 192, 6, 8, 0],
    ),
    (
        "OpenAI chat: cache writes are parts of the prompt",
        OpenAi,
        r#"{"prompt_tokens":1000,"completion_tokens":7,"total_tokens":1007,
            "prompt_tokens_details":{"cached_tokens":400,"cache_write_tokens":500}}"#,
        [100, 400, 500, 0, 7, 0, 0, 0, 0],
    ),
    (
        "OpenAI responses: cached, writes by term, reasoning",
        OpenAi,
        r#"{"input_tokens":1000,"output_tokens":50,"total_tokens":1050,
            "input_tokens_details":{"cached_tokens":100,"cache_write_tokens":500,
              "cache_write_tokens_details":{"ttl_30m_tokens":200,"ttl_12h_tokens":300}},
            "output_tokens_details":{"reasoning_tokens":40}}"#,
        [400, 100, 200, 300, 50, 40, 0, 0, 0],
    ),
    (
        "OpenAI embeddings: no output",
        OpenAi,
        r#"{"prompt_tokens":8,"total_tokens":8}"#,
        [8, 0, 0, 0, 0, 0, 0, 0, 0],
    ),
    (
        "Anthropic: cached tokens stand beside the input, writes by term, thinking, searches",
        Anthropic,
        r#"{"input_tokens":4,"cache_creation_input_tokens":1200,"cache_read_input_tokens":90000,
            "cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":1000},
            "output_tokens":512,"output_tokens_details":{"thinking_tokens":400},
            "server_tool_use":{"web_search_requests":2,"web_fetch_requests":1},
            "service_tier":"standard","speed":"standard","inference_geo":"us"}"#,
        [4, 90000, 200, 1000, 512, 400, 0, 0, 2],
    ),
    (
        "Anthropic: writes without a term are short",
        Anthropic,
        r#"{"input_tokens":4,"cache_creation_input_tokens":1200,"output_tokens":5}"#,
        [4, 0, 1200, 0, 5, 0, 0, 0, 0],
    ),
    (
        "Anthropic: iterations of the message are in the sums, compactions and advisors are not",
        Anthropic,
        r#"{"input_tokens":30,"cache_read_input_tokens":500,"output_tokens":70,"iterations":[
            {"type":"compaction","input_tokens":1000,"output_tokens":90,"cache_read_input_tokens":7,
             "cache_creation_input_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":5}},
            {"type":"message","input_tokens":10,"output_tokens":40},
            {"type":"advisor_message","model":"m","input_tokens":200,"output_tokens":11,
             "cache_creation_input_tokens":3},
            {"type":"fallback_message","model":"m","input_tokens":20,"output_tokens":30}]}"#,
        [1230, 507, 3, 5, 171, 0, 0, 0, 0],
    ),
    (
        "DeepSeek: hits and misses are the prompt",
        OpenAi,
        r#"{"prompt_tokens":30,"completion_tokens":25,"total_tokens":55,
            "prompt_cache_hit_tokens":20,"prompt_cache_miss_tokens":10,
            "completion_tokens_details":{"reasoning_tokens":15}}"#,
        [10, 20, 0, 0, 25, 15, 0, 0, 0],
    ),
    (
        "Gemini, compatible: thinking is in the total alone",
        OpenAi,
        r#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":421}"#,
        [9, 0, 0, 0, 412, 0, 0, 0, 0],
    ),
    (
        "Gemini, compatible, without thinking",
        OpenAi,
        r#"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,
            "prompt_tokens_details":{"cached_tokens":4}}"#,
        [5, 4, 0, 0, 12, 0, 0, 0, 0],
    ),
    (
        "Mistral: cached, in each of its spellings",
        OpenAi,
        r#"{"prompt_tokens":1013,"completion_tokens":30,"total_tokens":1043,
            "prompt_tokens_details":{"cached_tokens":1008},"num_cached_tokens":1008}"#,
        [5, 1008, 0, 0, 30, 0, 0, 0, 0],
    ),
    (
        "Mistral: cached, at the top alone",
        OpenAi,
        r#"{"prompt_tokens":1013,"completion_tokens":30,"total_tokens":1043,
            "prompt_audio_seconds":null,"num_cached_tokens":1008}"#,
        [5, 1008, 0, 0, 30, 0, 0, 0, 0],
    ),
    (
        "xAI: reasoning stands beside the completion, and in the total",
        OpenAi,
        r#"{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,
            "prompt_tokens_details":{"text_tokens":10120,"cached_tokens":128},
            "completion_tokens_details":{"reasoning_tokens":2809},"num_sources_used":3}"#,
        [9992, 128, 0, 0, 4308, 2809, 0, 0, 3],
    ),
    (
        "xAI without a total: reasoning beyond the completion is no part of it",
        OpenAi,
        r#"{"prompt_tokens":12,"completion_tokens":2,
            "completion_tokens_details":{"reasoning_tokens":317}}"#,
        [12, 0, 0, 0, 319, 317, 0, 0, 0],
    ),
    (
        "xAI, responses: reasoning is a part of the output",
        OpenAi,
        r#"{"input_tokens":32,"output_tokens":103,"total_tokens":135,
            "output_tokens_details":{"reasoning_tokens":94},"num_server_side_tools_used":2}"#,
        [32, 0, 0, 0, 103, 94, 0, 0, 2],
    ),
    (
        "Groq: times are no tokens",
        OpenAi,
        r#"{"queue_time":0.0753,"prompt_tokens":23,"prompt_time":0.006,"completion_tokens":19,
            "completion_time":0.022,"total_tokens":42,"total_time":0.0279}"#,
        [23, 0, 0, 0, 19, 0, 0, 0, 0],
    ),
    (
        "Moonshot: cached at the top",
        OpenAi,
        r#"{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35,"cached_tokens":20}"#,
        [10, 20, 0, 0, 5, 0, 0, 0, 0],
    ),
    (
        "Qwen: explicit cache",
        OpenAi,
        r#"{"prompt_tokens":2000,"completion_tokens":9,"total_tokens":2009,
            "prompt_tokens_details":{"cached_tokens":300,"cache_creation_input_tokens":1500,
              "cache_creation":{"ephemeral_5m_input_tokens":1500},"cache_type":"ephemeral"}}"#,
        [200, 300, 1500, 0, 9, 0, 0, 0, 0],
    ),
    (
        "Qwen: explicit cache for an hour",
        OpenAi,
        r#"{"prompt_tokens":2000,"completion_tokens":9,"total_tokens":2009,
            "prompt_tokens_details":{"cached_tokens":0,"cache_creation_input_tokens":1500,
              "cache_creation":{"ephemeral_1h_input_tokens":1500}}}"#,
        [500, 0, 0, 1500, 9, 0, 0, 0, 0],
    ),
];

#[test]
fn each_provider_in_normal_form() {
    for (name, dialect, usage, expected) in GOLDEN {
        let usage = report(*dialect, usage).usage().unwrap();
        let found = [
            usage.fresh_input,
            usage.cache_read,
            usage.cache_write_5m,
            usage.cache_write_1h,
            usage.output,
            usage.reasoning,
            usage.audio_input,
            usage.audio_output,
            usage.server_tool_uses,
        ];
        assert_eq!(found, *expected, "{name}");
    }
}

/// Bad reports: the rule, the report, and the counts of input read from the cache, all input, output.
const BAD: &[(&str, &str, Option<[u64; 3]>)] = &[
    ("null is no report", "null", None),
    ("an empty object is none", "{}", None),
    ("a total alone is none", r#"{"total_tokens":9}"#, None),
    (
        "an explicit zero is a report of zero",
        r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#,
        Some([0, 0, 0]),
    ),
    (
        "null beside a count is absent",
        r#"{"prompt_tokens":7,"completion_tokens":null,"prompt_tokens_details":null}"#,
        Some([0, 7, 0]),
    ),
    (
        "a negative count says nothing",
        r#"{"prompt_tokens":-7,"completion_tokens":3}"#,
        Some([0, 0, 3]),
    ),
    (
        "a fraction says nothing, a whole number with a point is one",
        r#"{"prompt_tokens":7.5,"completion_tokens":3.0}"#,
        Some([0, 0, 3]),
    ),
    (
        "a string says nothing",
        r#"{"prompt_tokens":"7","completion_tokens":3}"#,
        Some([0, 0, 3]),
    ),
    (
        "a number beyond 64 bits says nothing",
        r#"{"prompt_tokens":18446744073709551616,"completion_tokens":3}"#,
        Some([0, 0, 3]),
    ),
    (
        "a cache read larger than the prompt is the prompt",
        r#"{"prompt_tokens":5,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":9}}"#,
        Some([5, 5, 3]),
    ),
    (
        "reads and writes larger than the prompt are cut to it, reads last",
        r#"{"prompt_tokens":1000,"completion_tokens":3,
            "prompt_tokens_details":{"cached_tokens":600,"cache_write_tokens":500}}"#,
        Some([600, 1000, 3]),
    ),
    (
        "a total smaller than its parts is not believed",
        r#"{"prompt_tokens":10,"completion_tokens":3,"total_tokens":4}"#,
        Some([0, 10, 3]),
    ),
    (
        "reasoning larger than the completion is cut where a total says that it is within",
        r#"{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13,
            "completion_tokens_details":{"reasoning_tokens":9}}"#,
        Some([0, 10, 3]),
    ),
    (
        "of two members with one key the last counts",
        r#"{"prompt_tokens":10,"prompt_tokens":20,"completion_tokens":3}"#,
        Some([0, 20, 3]),
    ),
];

#[test]
fn bad_reports_follow_a_rule() {
    for (rule, usage, expected) in BAD {
        let usage = report(OpenAi, usage).usage();
        let found = usage.map(|usage| [usage.cache_read, usage.input(), usage.output]);
        assert_eq!(found, *expected, "{rule}");
        if let Some(usage) = usage {
            assert!(usage.reasoning <= usage.output, "{rule}");
        }
    }
}

/// Reports of one call in the order in which they came, and what they come to.
fn in_order(dialect: Dialect, reports: &[&str]) -> (u64, u64, u64) {
    let mut sum = super::UsageReport::new(dialect);
    for usage in reports {
        sum.update(report(dialect, usage));
    }
    let usage = sum.usage().unwrap();
    (usage.fresh_input, usage.cache_read, usage.output)
}

#[test]
fn of_several_reports_the_last_word_counts_field_by_field() {
    for (rule, reports, expected) in [
        (
            "the same report twice counts once",
            &[
                r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}"#,
                r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}"#,
            ][..],
            (9, 0, 5),
        ),
        (
            "cumulative reports are not added up",
            &[
                r#"{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}"#,
                r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}"#,
            ],
            (9, 0, 5),
        ),
        (
            "what a later report leaves out stays",
            &[
                r#"{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4}}"#,
                r#"{"completion_tokens":5}"#,
            ],
            (5, 4, 5),
        ),
        (
            "null and nonsense leave an earlier count alone",
            &[
                r#"{"prompt_tokens":9,"completion_tokens":5}"#,
                "null",
                r#"{"prompt_tokens":null,"completion_tokens":-1}"#,
            ],
            (9, 0, 5),
        ),
        (
            "a later zero is a zero",
            &[
                r#"{"prompt_tokens":9,"completion_tokens":5}"#,
                r#"{"completion_tokens":0}"#,
            ],
            (9, 0, 0),
        ),
        (
            "an earlier total says nothing of later counts",
            &[
                r#"{"prompt_tokens":9,"completion_tokens":5,"total_tokens":114}"#,
                r#"{"prompt_tokens":9,"completion_tokens":7}"#,
            ],
            (9, 0, 7),
        ),
    ] {
        assert_eq!(in_order(OpenAi, reports), expected, "{rule}");
    }
    let message = &[
        r#"{"input_tokens":25,"cache_read_input_tokens":10,"output_tokens":1}"#,
        r#"{"output_tokens":15}"#,
        r#"{"output_tokens":40,"input_tokens":26,"cache_read_input_tokens":10}"#,
    ];
    assert_eq!(in_order(Anthropic, message), (26, 10, 40));
}
