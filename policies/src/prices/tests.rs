use std::collections::BTreeSet;

use serde::Deserialize;
use skinflint_money::{MachinePrice, NanoUsd, PicoUsd, ServiceTier, Usage};

use super::*;

mod overrides;

/// What the shipped table bills, line by line, in dollars.
fn bill(provider: &str, model: &str, tier: ServiceTier, usage: Usage) -> String {
    let table = PriceTable::shipped().unwrap();
    let price = table.find(Some(provider), model).unwrap();
    let charge = price.charge(&usage, tier).unwrap();
    let mut lines: Vec<_> = charge
        .lines()
        .into_iter()
        .filter(|(_, line)| *line != NanoUsd::ZERO)
        .map(|(name, line)| format!("{name} {line}"))
        .collect();
    lines.push(format!("total {}", charge.total()));
    lines.join(", ")
}

#[test]
fn claude_bills_cache_reads_and_writes_of_both_terms() {
    let usage = Usage {
        fresh_input: 1_000,
        cache_read: 20_000,
        cache_write_5m: 2_000,
        cache_write_1h: 3_000,
        output: 500,
        server_tool_uses: 2,
        ..Usage::default()
    };
    // 3 / 0.30 / 3.75 / 6 / 15 dollars per million, a search is a cent.
    assert_eq!(
        bill(
            "anthropic",
            "claude-sonnet-4-5",
            ServiceTier::Standard,
            usage
        ),
        "fresh_input 0.003, cache_read 0.006, cache_write_5m 0.0075, cache_write_1h 0.018, output 0.0075, tools 0.02, \
         total 0.062"
    );
}

#[test]
fn a_batch_of_claude_costs_half() {
    let usage = Usage {
        fresh_input: 1_000,
        cache_read: 20_000,
        cache_write_5m: 2_000,
        cache_write_1h: 3_000,
        output: 500,
        ..Usage::default()
    };
    assert_eq!(
        bill("anthropic", "claude-sonnet-4-5", ServiceTier::Batch, usage),
        "fresh_input 0.0015, cache_read 0.003, cache_write_5m 0.00375, cache_write_1h 0.009, output 0.00375, total 0.021"
    );
}

#[test]
fn fast_mode_of_claude_costs_double() {
    let usage = Usage {
        fresh_input: 1_000,
        output: 1_000,
        ..Usage::default()
    };
    // 5 / 25 dollars per million.
    assert_eq!(
        bill("anthropic", "claude-opus-5", ServiceTier::Standard, usage),
        "fresh_input 0.005, output 0.025, total 0.03"
    );
    assert_eq!(
        bill("anthropic", "claude-opus-5", ServiceTier::Priority, usage),
        "fresh_input 0.01, output 0.05, total 0.06"
    );
}

#[test]
fn gpt_bills_reasoning_as_output() {
    let usage = Usage {
        fresh_input: 2_000,
        cache_read: 8_000,
        output: 1_500,
        reasoning: 1_024,
        ..Usage::default()
    };
    // 1.25 / 0.125 / 10 dollars per million.
    assert_eq!(
        bill("openai", "gpt-5", ServiceTier::Standard, usage),
        "fresh_input 0.0025, cache_read 0.001, output 0.00476, reasoning 0.01024, total 0.0185"
    );
    assert_eq!(
        bill("openai", "gpt-5", ServiceTier::Flex, usage),
        "fresh_input 0.00125, cache_read 0.0005, output 0.00238, reasoning 0.00512, total 0.00925"
    );
    assert_eq!(
        bill("openai", "gpt-5", ServiceTier::Priority, usage),
        "fresh_input 0.005, cache_read 0.002, output 0.00952, reasoning 0.02048, total 0.037"
    );
}

#[test]
fn gpt_bills_writes_and_long_prompts() {
    let usage = |cache_write_1h| Usage {
        fresh_input: 100,
        cache_write_5m: 1_000,
        cache_write_1h,
        output: 1_000,
        ..Usage::default()
    };
    // 4 / 5 / 10 / 20 dollars per million.
    assert_eq!(
        bill("openai", "gpt-5.6", ServiceTier::Standard, usage(2_000)),
        "fresh_input 0.0004, cache_write_5m 0.005, cache_write_1h 0.02, output 0.02, total 0.0454"
    );
    // Above 272,000 tokens: 8 / 10 / 20 / 30.
    assert_eq!(
        bill("openai", "gpt-5.6", ServiceTier::Standard, usage(300_000)),
        "fresh_input 0.0008, cache_write_5m 0.01, cache_write_1h 6.00, output 0.03, total 6.0408"
    );
}

#[test]
fn gpt_audio_bills_audio_in_and_out() {
    let usage = Usage {
        fresh_input: 1_200,
        output: 500,
        audio_input: 1_000,
        audio_output: 400,
        ..Usage::default()
    };
    // 2.50 / 10 for text, 32 / 64 for audio.
    assert_eq!(
        bill("openai", "gpt-audio", ServiceTier::Standard, usage),
        "fresh_input 0.0005, output 0.001, audio_input 0.032, audio_output 0.0256, total 0.0591"
    );
}

#[test]
fn gemini_bills_long_prompts_by_their_whole_length() {
    let usage = |fresh_input| Usage {
        fresh_input,
        cache_read: 100_000,
        output: 2_000,
        reasoning: 1_500,
        ..Usage::default()
    };
    // Above 200,000 tokens 2.50 / 0.25 / 15 dollars per million, else 1.25 / 0.125 / 10.
    assert_eq!(
        bill(
            "google",
            "gemini-2.5-pro",
            ServiceTier::Standard,
            usage(150_000)
        ),
        "fresh_input 0.375, cache_read 0.025, output 0.0075, reasoning 0.0225, total 0.43"
    );
    assert_eq!(
        bill(
            "google",
            "gemini-2.5-pro",
            ServiceTier::Standard,
            usage(100_000)
        ),
        "fresh_input 0.125, cache_read 0.0125, output 0.005, reasoning 0.015, total 0.1575"
    );
}

#[test]
fn gemini_bills_audio_apart() {
    let usage = Usage {
        fresh_input: 3_000,
        cache_read: 1_000,
        output: 100,
        audio_input: 3_500,
        ..Usage::default()
    };
    // Audio 1 dollar per million and 0.10 from the cache, text 0.03 from the cache.
    assert_eq!(
        bill("google", "gemini-2.5-flash", ServiceTier::Standard, usage),
        "cache_read 0.000015, output 0.00025, audio_input 0.00305, total 0.003315"
    );
}

#[test]
fn deepseek_bills_cache_hits() {
    let usage = Usage {
        fresh_input: 1_000,
        cache_read: 63_000,
        output: 800,
        ..Usage::default()
    };
    // 0.30 / 0.006 / 1.20 dollars per million.
    assert_eq!(
        bill(
            "deepseek",
            "deepseek-v4-flash",
            ServiceTier::Standard,
            usage
        ),
        "fresh_input 0.0003, cache_read 0.000378, output 0.00096, total 0.001638"
    );
}

#[test]
fn mistral_bills_its_list_prices() {
    let usage = Usage {
        fresh_input: 10_000,
        cache_read: 1_000,
        output: 2_000,
        ..Usage::default()
    };
    // 0.50 / 0.05 / 1.50 dollars per million.
    assert_eq!(
        bill(
            "mistral",
            "mistral-large-latest",
            ServiceTier::Standard,
            usage
        ),
        "fresh_input 0.005, cache_read 0.00005, output 0.003, total 0.00805"
    );
}

#[test]
fn an_embedding_bills_its_input() {
    let usage = Usage {
        fresh_input: 8_000,
        ..Usage::default()
    };
    assert_eq!(
        bill(
            "openai",
            "text-embedding-3-small",
            ServiceTier::Standard,
            usage
        ),
        "fresh_input 0.00016, total 0.00016"
    );
}

#[test]
fn the_shipped_table_is_large_and_sound() {
    let table = PriceTable::shipped().unwrap();
    assert!(table.len() >= 150, "{} prices", table.len());
    let providers: BTreeSet<_> = table
        .iter()
        .map(|(provider, _)| provider.unwrap())
        .collect();
    for provider in [
        "openai",
        "anthropic",
        "google",
        "mistral",
        "deepseek",
        "xai",
        "cohere",
        "qwen",
        "meta",
        "groq",
        "together",
        "fireworks",
        "deepinfra",
    ] {
        assert!(providers.contains(provider), "{provider}");
    }
    assert_eq!(table.version(), "2026-11-21");
    for (provider, price) in table.iter() {
        for tier in ServiceTier::ALL {
            for prompt in [0, 40_000, 150_000, 1_000_000] {
                let rates = price.rates(prompt, tier);
                let all = [
                    rates.fresh_input,
                    rates.cache_read,
                    rates.cache_write_5m,
                    rates.cache_write_1h,
                    rates.output,
                    rates.reasoning,
                    rates.audio_input,
                    rates.audio_cache_read,
                    rates.audio_output,
                ];
                assert!(!all.contains(&PicoUsd::ZERO), "{}", price.name);
                assert!(rates.cache_read <= rates.fresh_input, "{}", price.name);
                assert!(rates.cache_write_5m >= rates.fresh_input, "{}", price.name);
                assert!(
                    rates.cache_write_1h >= rates.cache_write_5m,
                    "{}",
                    price.name
                );
                // A longer prompt is never cheaper.
                let short = price.rates(0, tier);
                assert!(short.fresh_input <= rates.fresh_input, "{}", price.name);
                assert!(short.output <= rates.output, "{}", price.name);
            }
        }
        let model = price.name.split_once('/').unwrap().1;
        assert_eq!(
            table.find(provider, model).unwrap().name,
            price.name,
            "an entry is found by its own name"
        );
    }
}

/// Provider, name as clients send it, entry.
const REAL_NAMES: &[(Option<&str>, &str, &str)] = &[
    (Some("openai"), "gpt-5", "openai/gpt-5"),
    (Some("openai"), "gpt-5-2025-08-07", "openai/gpt-5"),
    (Some("openai"), "gpt-5-mini-2025-08-07", "openai/gpt-5-mini"),
    (None, "gpt-5.1", "openai/gpt-5.1"),
    (None, "openai/gpt-5.2", "openai/gpt-5.2"),
    (None, "openai/gpt-5.2-2025-12-11", "openai/gpt-5.2"),
    (Some("openai"), "GPT-5.6", "openai/gpt-5.6"),
    (Some("my-proxy"), "gpt-6-sol", "openai/gpt-6-sol"),
    (Some("openai"), "gpt-4o", "openai/gpt-4o"),
    (Some("openai"), "gpt-4o-2024-08-06", "openai/gpt-4o"),
    // Dearer than what bears the name without a date.
    (
        Some("openai"),
        "gpt-4o-2024-05-13",
        "openai/gpt-4o-2024-05-13",
    ),
    (Some("openai"), "gpt-4o-mini", "openai/gpt-4o-mini"),
    (Some("openai"), "gpt-4.1-2025-04-14", "openai/gpt-4.1"),
    (Some("openai"), "o3-2025-04-16", "openai/o3"),
    (
        None,
        "text-embedding-3-large",
        "openai/text-embedding-3-large",
    ),
    (
        Some("anthropic"),
        "claude-sonnet-4-5-20250929",
        "anthropic/claude-sonnet-4-5",
    ),
    (
        None,
        "claude-sonnet-4-5@20250929",
        "anthropic/claude-sonnet-4-5",
    ),
    (None, "anthropic/claude-opus-5", "anthropic/claude-opus-5"),
    (
        Some("claude"),
        "claude-opus-4-5-20251101",
        "anthropic/claude-opus-4-5",
    ),
    (
        Some("anthropic"),
        "claude-haiku-4-5",
        "anthropic/claude-haiku-4-5",
    ),
    (
        Some("anthropic"),
        "claude-opus-4-6-20260205",
        "anthropic/claude-opus-4-6",
    ),
    (Some("google"), "gemini-2.5-pro", "google/gemini-2.5-pro"),
    (
        Some("gemini"),
        "models/gemini-2.5-flash",
        "google/gemini-2.5-flash",
    ),
    (None, "gemini/gemini-3.8-flash", "google/gemini-3.8-flash"),
    (
        Some("mistral"),
        "mistral-large-latest",
        "mistral/mistral-large-2512",
    ),
    (None, "mistralai/codestral-latest", "mistral/codestral-2508"),
    (
        Some("deepseek"),
        "deepseek-v4-pro",
        "deepseek/deepseek-v4-pro",
    ),
    (Some("dashscope"), "deepseek-v4-pro", "qwen/deepseek-v4-pro"),
    (
        None,
        "deepseek/deepseek-v4-flash",
        "deepseek/deepseek-v4-flash",
    ),
    (Some("xai"), "grok-4.3-latest", "xai/grok-4.3"),
    (None, "x-ai/grok-4.5", "xai/grok-4.5"),
    (
        Some("cohere"),
        "command-a-03-2025",
        "cohere/command-a-03-2025",
    ),
    (Some("qwen"), "qwen3-max-2026-01-23", "qwen/qwen3-max"),
    (Some("qwen"), "qwen-plus-latest", "qwen/qwen-plus-latest"),
    (Some("meta"), "muse-spark-1.3", "meta/muse-spark-1.3"),
    (
        Some("groq"),
        "openai/gpt-oss-120b",
        "groq/openai/gpt-oss-120b",
    ),
    (None, "groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
    (
        Some("together_ai"),
        "meta-llama/Llama-3.1-405B-Instruct",
        "together/meta-llama/Llama-3.1-405B-Instruct",
    ),
    (
        Some("deepinfra"),
        "meta-llama/Llama-3.3-70B-Instruct",
        "deepinfra/meta-llama/Llama-3.3-70B-Instruct",
    ),
    (
        Some("fireworks_ai"),
        "accounts/fireworks/models/llama-v3p3-70b-instruct",
        "fireworks/accounts/fireworks/models/llama-v3p3-70b-instruct",
    ),
    (
        Some("sambanova"),
        "Meta-Llama-3.3-70B-Instruct",
        "sambanova/Meta-Llama-3.3-70B-Instruct",
    ),
    (Some("cerebras"), "gpt-oss-120b", "cerebras/gpt-oss-120b"),
    (Some("moonshot"), "kimi-k3", "moonshot/kimi-k3"),
];

#[test]
fn names_of_real_life_are_found() {
    let table = PriceTable::shipped().unwrap();
    for (provider, model, expected) in REAL_NAMES {
        let found = table
            .find(*provider, model)
            .map(|price| price.name.as_str());
        assert_eq!(found, Some(*expected), "{provider:?} {model}");
    }
}

#[test]
fn names_that_only_resemble_are_unknown() {
    let table = PriceTable::shipped().unwrap();
    for (provider, model) in [
        (None, "gpt-4o-foo"),
        (None, "gpt-4"),
        (None, "gpt-5-2025-99-99"),
        (None, "gpt-5-20250"),
        (None, "ft:gpt-4o-2024-08-06:acme::abc123"),
        (None, "ft:gpt-4o-2024-08-06"),
        (None, "openai/ft:gpt-4o"),
        (None, "claude-sonnet-4-5-20250929-v1:0"),
        (None, "somewhere/gpt-5"),
        (None, "openai/"),
        (None, "/gpt-5"),
        (None, ""),
        // Known, but not there.
        (Some("anthropic"), "gpt-5"),
        (Some("anthropic"), "openai/gpt-5"),
        (Some("groq"), "gpt-oss-120b"),
    ] {
        let found = table.find(provider, model).map(|price| &price.name);
        assert_eq!(found, None, "{provider:?} {model}");
    }
}

#[test]
fn of_several_hosts_the_dearest_counts_unless_it_is_known_which_bills() {
    let table = PriceTable::shipped().unwrap();
    let standard = |price: &Price| {
        let rates = price.rates(0, ServiceTier::Standard);
        rates.fresh_input.get() + rates.output.get()
    };
    let model = "gpt-oss-120b";
    let anywhere = standard(table.find(None, model).unwrap());
    let hosts = [Some("cerebras"), Some("sambanova")]
        .map(|host| standard(table.find(host, model).unwrap()));
    assert_ne!(hosts[0], hosts[1]);
    assert_eq!(Some(anywhere), hosts.into_iter().max());
    assert_eq!(
        standard(table.find(Some("my-proxy"), model).unwrap()),
        anywhere
    );
}
