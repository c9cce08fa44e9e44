use proptest::prelude::*;
use skinflint_protocol::Usage;

use super::*;
use crate::rates::{ListedRates, RateCard};

fn pico() -> impl Strategy<Value = PicoUsd> {
    prop_oneof![Just(0), 0..2_000_u64, 0..200_000_000_u64, Just(1_000_000)].prop_map(PicoUsd::new)
}

prop_compose! {
    fn listed()(
        input in pico(),
        output in pico(),
        rest in proptest::array::uniform7(proptest::option::of(pico())),
    ) -> ListedRates {
        let [cache_read, cache_write_5m, cache_write_1h, reasoning, audio_input, audio_cache_read, audio_output] = rest;
        ListedRates {
            input, output, cache_read, cache_write_5m, cache_write_1h, reasoning, audio_input, audio_cache_read, audio_output,
        }
    }
}

prop_compose! {
    fn card()(
        standard in listed().boxed(),
        rest in proptest::array::uniform3(proptest::option::of(listed().boxed())),
    ) -> RateCard {
        let [batch, flex, priority] = rest;
        RateCard { standard, batch, flex, priority }
    }
}

prop_compose! {
    fn price()(
        short in card().boxed(),
        long in proptest::collection::vec((1..400_000_u64, card().boxed()), 0..3),
    ) -> Price {
        Price::new("test", &short, &long)
    }
}

fn tokens() -> impl Strategy<Value = u64> {
    prop_oneof![0..6_u64, 0..500_000_u64]
}

prop_compose! {
    fn usage()(counts in proptest::array::uniform8(tokens())) -> Usage {
        let [fresh_input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, audio_input, audio_output] = counts;
        Usage {
            fresh_input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, audio_input, audio_output,
            server_tool_uses: 0,
        }
    }
}

fn tier() -> impl Strategy<Value = ServiceTier> {
    proptest::sample::select(ServiceTier::ALL.to_vec())
}

fn writes() -> impl Strategy<Value = CacheWrites> {
    proptest::sample::select(vec![
        CacheWrites::None,
        CacheWrites::Short,
        CacheWrites::Long,
    ])
}

/// The usage with nothing of what the extent rules out.
fn within(extent: &Extent, usage: Usage) -> Usage {
    let keep = |count: u64, kept: bool| if kept { count } else { 0 };
    Usage {
        cache_write_5m: keep(usage.cache_write_5m, extent.writes >= CacheWrites::Short),
        cache_write_1h: keep(usage.cache_write_1h, extent.writes >= CacheWrites::Long),
        audio_input: keep(usage.audio_input, extent.audio),
        audio_output: keep(usage.audio_output, extent.audio),
        ..usage
    }
}

proptest! {
    #[test]
    fn no_charge_is_above_the_bound(
        price in price(), usage in usage(), tier in tier(), writes in writes(), audio: bool, spare in 0..300_000_u64,
    ) {
        let mut extent = Extent { input_tokens: 0, writes, audio, tier };
        let usage = within(&extent, usage);
        extent.input_tokens = usage.input().max(usage.audio_input) + spare;
        let output = usage.output.max(usage.reasoning + usage.audio_output);
        let bound = price.upper_bound(&extent, output).unwrap();
        let billed = price.charge(&usage, tier).unwrap().total();
        prop_assert!(billed <= bound, "{} > {}", billed, bound);
        // Priority may be served as standard.
        if tier == ServiceTier::Priority {
            let billed = price.charge(&usage, ServiceTier::Standard).unwrap().total();
            prop_assert!(billed <= bound, "{} > {}", billed, bound);
        }
    }

    #[test]
    fn what_is_affordable_fits_and_one_more_does_not(
        price in price(), input_tokens in tokens(), tier in tier(), writes in writes(), audio: bool,
        money in prop_oneof![0..5_000_u64, 0..2_000_000_000_u64].prop_map(NanoUsd::new),
    ) {
        let extent = Extent { input_tokens, writes, audio, tier };
        let tokens = price.output_affordable(&extent, money);
        let fits = |tokens| price.upper_bound(&extent, tokens).is_ok_and(|bound| bound <= money);
        prop_assert!(tokens == 0 || fits(tokens), "{} tokens do not fit", tokens);
        if let Some(more) = tokens.checked_add(1) {
            prop_assert!(!fits(more), "{} tokens fit too", more);
        }
    }
}

fn flat(input: &str, output: &str) -> RateCard {
    let pico = |text| PicoUsd::per_million(text).unwrap();
    RateCard::new(ListedRates::new(pico(input), pico(output)))
}

const TEXT: Extent = Extent {
    input_tokens: 1_000,
    writes: CacheWrites::None,
    audio: false,
    tier: ServiceTier::Standard,
};

#[test]
fn the_bound_of_text_is_its_price_but_for_rounding() {
    let bound = |input, output| {
        let price = Price::new("test", &flat(input, output), &[]);
        price.upper_bound(&TEXT, 500).unwrap().get()
    };
    // 1,000 × 2,500 + 500 × 10,000 nano-dollars.
    assert_eq!(bound("2.50", "10"), 2_500_000 + 5_000_000);
    // With parts of a nano-dollar, and a half per line for rounding.
    assert_eq!(bound("2.5005", "10.0001"), 2_500_500 + 5_000_050 + 4);
}

#[test]
fn what_a_call_cannot_cause_is_not_held_against_it() {
    let mut card = flat("2", "10");
    card.standard.cache_write_5m = Some(PicoUsd::new(2_500_000));
    card.standard.audio_input = Some(PicoUsd::new(32_000_000));
    let price = Price::new("test", &card, &[(200_000, flat("4", "15"))]);
    let bound = |extent: Extent| price.upper_bound(&extent, 0).unwrap().get() / 1_000;
    assert_eq!(bound(TEXT), 2_000);
    let writes = CacheWrites::Short;
    assert_eq!(bound(Extent { writes, ..TEXT }), 2_500);
    let writes = CacheWrites::Long;
    assert_eq!(bound(Extent { writes, ..TEXT }), 4_000);
    assert_eq!(
        bound(Extent {
            audio: true,
            ..TEXT
        }),
        32_000
    );
    let input_tokens = 200_001;
    assert_eq!(
        bound(Extent {
            input_tokens,
            ..TEXT
        }),
        800_004
    );
}

#[test]
fn what_is_free_is_affordable_without_end_once_the_prompt_is_paid() {
    let free = Price::free("test");
    assert_eq!(free.upper_bound(&TEXT, u64::MAX), Ok(NanoUsd::ZERO));
    assert_eq!(free.output_affordable(&TEXT, NanoUsd::ZERO), u64::MAX);
    let input_only = Price::new("test", &flat("1", "0"), &[]);
    let output_only = Price::new("test", &flat("0", "1"), &[]);
    assert_eq!(input_only.output_affordable(&TEXT, NanoUsd::new(5)), 0);
    assert_eq!(output_only.output_affordable(&TEXT, NanoUsd::new(999)), 0);
}

#[test]
fn a_bound_that_does_not_fit_is_an_error() {
    let price = Price::new("test", &flat("10000", "10000"), &[]);
    assert_eq!(price.upper_bound(&TEXT, u64::MAX), Err(MoneyOverflow));
}
