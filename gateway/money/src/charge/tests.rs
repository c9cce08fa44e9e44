use proptest::prelude::*;

use super::*;
use crate::rates::{ListedRates, RateCard};

fn per_million(dollars: &str) -> PicoUsd {
    PicoUsd::per_million(dollars).unwrap()
}

/// Every kind of token at a price of its own, in pico-dollars per token that no sum of others yields by chance.
fn distinct() -> RateCard {
    RateCard::new(ListedRates {
        cache_read: Some(PicoUsd::new(1_000)),
        cache_write_5m: Some(PicoUsd::new(12_000)),
        cache_write_1h: Some(PicoUsd::new(20_000)),
        reasoning: Some(PicoUsd::new(60_000)),
        audio_input: Some(PicoUsd::new(300_000)),
        audio_cache_read: Some(PicoUsd::new(30_000)),
        audio_output: Some(PicoUsd::new(700_000)),
        ..ListedRates::new(PicoUsd::new(10_000), PicoUsd::new(50_000))
    })
}

fn charge(usage: Usage) -> Charge {
    Price::new("test", &distinct(), &[])
        .charge(&usage, ServiceTier::Standard)
        .unwrap()
}

fn nano(charge: &Charge) -> Vec<(&'static str, u64)> {
    charge
        .lines()
        .into_iter()
        .filter(|(_, line)| *line != NanoUsd::ZERO)
        .map(|(name, line)| (name, line.get()))
        .collect()
}

#[test]
fn every_token_stands_in_one_line() {
    let usage = Usage {
        fresh_input: 100,
        cache_read: 200,
        cache_write_5m: 30,
        cache_write_1h: 40,
        output: 500,
        reasoning: 300,
        audio_input: 0,
        audio_output: 50,
        server_tool_uses: 0,
    };
    assert_eq!(
        nano(&charge(usage)),
        [
            ("fresh_input", 1_000),
            ("cache_read", 200),
            ("cache_write_5m", 360),
            ("cache_write_1h", 800),
            ("output", 150 * 50),
            ("reasoning", 300 * 60),
            ("audio_output", 50 * 700),
        ]
    );
}

#[test]
fn audio_is_fresh_before_it_is_cached_and_before_it_is_written() {
    let usage = |audio_input| Usage {
        fresh_input: 100,
        cache_read: 200,
        cache_write_5m: 30,
        audio_input,
        ..Usage::default()
    };
    let lines = |audio_input| nano(&charge(usage(audio_input)));
    assert_eq!(
        lines(60),
        [
            ("fresh_input", 40 * 10),
            ("cache_read", 200),
            ("cache_write_5m", 360),
            ("audio_input", 60 * 300)
        ]
    );
    assert_eq!(
        lines(150),
        [
            ("cache_read", 150),
            ("cache_write_5m", 360),
            ("audio_input", 100 * 300 + 50 * 30)
        ]
    );
    assert_eq!(
        lines(320),
        [
            ("cache_write_5m", 360),
            ("audio_input", 100 * 300 + 200 * 30)
        ]
    );
}

#[test]
fn parts_that_are_more_than_the_whole_are_billed_and_do_not_underflow() {
    let usage = Usage {
        fresh_input: 10,
        output: 50,
        reasoning: 80,
        audio_input: 25,
        audio_output: 5,
        ..Usage::default()
    };
    assert_eq!(
        nano(&charge(usage)),
        [
            ("reasoning", 80 * 60),
            ("audio_input", 25 * 300),
            ("audio_output", 5 * 700)
        ]
    );
}

#[test]
fn tools_are_billed_by_use() {
    let mut price = Price::new("test", &distinct(), &[]);
    price.tool_use = NanoUsd::parse("0.01").unwrap();
    let usage = Usage {
        server_tool_uses: 3,
        ..Usage::default()
    };
    let charge = price.charge(&usage, ServiceTier::Standard).unwrap();
    assert_eq!(nano(&charge), [("tools", 30_000_000)]);
}

#[test]
fn a_long_prompt_moves_every_line_and_its_length_counts_what_was_cached() {
    let long = RateCard::new(ListedRates::new(per_million("4"), per_million("18")));
    let short = RateCard::new(ListedRates::new(per_million("2"), per_million("12")));
    let price = Price::new("test", &short, &[(200_000, long)]);
    let total = |fresh_input, cache_read| {
        let usage = Usage {
            fresh_input,
            cache_read,
            output: 1_000,
            ..Usage::default()
        };
        price
            .charge(&usage, ServiceTier::Standard)
            .unwrap()
            .total()
            .to_string()
    };
    assert_eq!(total(200_000, 0), "0.412");
    assert_eq!(total(200_001, 0), "0.818004");
    assert_eq!(total(1, 200_000), "0.818004");
}

#[test]
fn without_the_cache_the_prompt_is_fresh() {
    let price = Price::new("test", &distinct(), &[]);
    let usage = Usage {
        fresh_input: 100,
        cache_read: 200,
        cache_write_5m: 30,
        cache_write_1h: 40,
        output: 5,
        ..Usage::default()
    };
    let charge = price.without_cache(&usage, ServiceTier::Standard).unwrap();
    assert_eq!(nano(&charge), [("fresh_input", 3_700), ("output", 250)]);
}

#[test]
fn a_charge_that_does_not_fit_is_an_error() {
    let price = Price::new("test", &distinct(), &[]);
    for usage in [
        Usage {
            fresh_input: u64::MAX,
            ..Usage::default()
        },
        // Each line fits, the sum does not.
        Usage {
            fresh_input: u64::MAX / 10,
            cache_read: u64::MAX / 2,
            ..Usage::default()
        },
    ] {
        assert_eq!(
            price.charge(&usage, ServiceTier::Standard),
            Err(MoneyOverflow)
        );
    }
}

#[test]
fn a_charge_is_written_in_dollars() {
    #[derive(Serialize)]
    struct Receipt {
        charge: Charge,
    }
    let receipt = Receipt {
        charge: charge(Usage {
            fresh_input: 100,
            output: 3,
            ..Usage::default()
        }),
    };
    insta::assert_snapshot!(toml::to_string(&receipt).unwrap(), @r#"
    [charge]
    fresh_input = "0.000001"
    cache_read = "0.00"
    cache_write_5m = "0.00"
    cache_write_1h = "0.00"
    output = "0.00000015"
    reasoning = "0.00"
    audio_input = "0.00"
    audio_output = "0.00"
    tools = "0.00"
    "#);
}

fn tokens() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_u64, 0..2_000_000_u64]
}

prop_compose! {
    fn any_usage()(
        counts in proptest::array::uniform9(tokens()),
    ) -> Usage {
        let [fresh_input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, audio_input, audio_output, tools] = counts;
        Usage {
            fresh_input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, audio_input, audio_output,
            server_tool_uses: tools % 100,
        }
    }
}

proptest! {
    #[test]
    fn the_lines_sum_up_to_the_total(usage in any_usage()) {
        let charge = charge(usage);
        let sum: u64 = charge.lines().iter().map(|(_, line)| line.get()).sum();
        prop_assert_eq!(charge.total().get(), sum);
    }

    #[test]
    fn no_token_is_lost_or_counted_twice(usage in any_usage()) {
        let parts = Parts::of(&usage);
        prop_assert_eq!(parts.prompt(), usage.input().max(usage.audio_input));
        prop_assert_eq!(
            parts.text_output + parts.reasoning + parts.audio_output,
            usage.output.max(usage.reasoning + usage.audio_output),
        );
    }

    #[test]
    fn more_tokens_never_cost_less(usage in any_usage(), more in 1..100_000_u64) {
        // Fresh tokens beyond the audio, so that a report that contradicts itself does not get sounder by them.
        let usage = Usage { audio_input: usage.audio_input.min(usage.input()), ..usage };
        let before = charge(usage).total();
        for grown in [
            Usage { fresh_input: usage.fresh_input + more, ..usage },
            Usage { cache_read: usage.cache_read + more, ..usage },
            Usage { cache_write_5m: usage.cache_write_5m + more, ..usage },
            Usage { cache_write_1h: usage.cache_write_1h + more, ..usage },
            Usage { output: usage.output + more, ..usage },
            Usage { reasoning: usage.reasoning + more, ..usage },
            Usage { audio_output: usage.audio_output + more, ..usage },
        ] {
            prop_assert!(charge(grown).total() >= before, "{:?}", grown);
        }
    }
}
