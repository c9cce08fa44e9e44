//! What a call would have cost without us, and without the provider's cache.

use skinflint_ledger::Spared;
use skinflint_money::{MoneyOverflow, NanoUsd, NanoUsdDelta, Price, ServiceTier};
use skinflint_protocol::Usage;

/// A call's cost beside what it would have been. The lines are apart, so that nobody takes the provider's merit for ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Savings {
    /// The same call to the model that was asked for, with the provider's own cache.
    pub counterfactual: NanoUsd,
    /// What the provider's cache saved; negative where what was written to it was not read.
    pub provider_cache: NanoUsdDelta,
    /// What we saved.
    pub ours: NanoUsdDelta,
    /// What we made dearer: never positive.
    pub harm: NanoUsdDelta,
}

// === impl Savings ===

impl Savings {
    /// Holds what a call cost against the price of the model that was asked for.
    ///
    /// The counterfactual is the usage as billed, and what we kept out of the prompt as the provider would have billed
    /// that: what had been sent before from its cache, if it read any, and the rest as it billed what was new. Where
    /// another model answered, its token counts stand for those of the one asked for. A call that we made for ends of our
    /// own has none.
    pub(crate) fn of(
        cost: NanoUsd,
        asked: &Price,
        usage: &Usage,
        spared: &Spared,
        tier: ServiceTier,
    ) -> Result<Self, MoneyOverflow> {
        let usage = if spared.extra {
            Usage::default()
        } else {
            without_us(usage, spared)
        };
        let counterfactual = asked.charge(&usage, tier)?.total();
        let uncached = asked.without_cache(&usage, tier)?.total();
        let ours = counterfactual.delta(cost);
        let (ours, harm) = if ours < NanoUsdDelta::default() {
            (NanoUsdDelta::default(), ours)
        } else {
            (ours, NanoUsdDelta::default())
        };
        Ok(Self {
            counterfactual,
            provider_cache: uncached.delta(counterfactual),
            ours,
            harm,
        })
    }

    /// A call that nobody else would have been asked for.
    pub(crate) fn none(cost: NanoUsd) -> Self {
        Self {
            counterfactual: cost,
            provider_cache: NanoUsdDelta::default(),
            ours: NanoUsdDelta::default(),
            harm: NanoUsdDelta::default(),
        }
    }
}

/// The usage of the same call with its prompt as it came.
fn without_us(usage: &Usage, spared: &Spared) -> Usage {
    let mut usage = *usage;
    let (earlier, new) = (usage.cache_read > 0, spared.new);
    let fresh = if usage.cache_write_5m > 0 {
        &mut usage.cache_write_5m
    } else if usage.cache_write_1h > 0 {
        &mut usage.cache_write_1h
    } else {
        &mut usage.fresh_input
    };
    *fresh = fresh.saturating_add(new);
    if earlier {
        usage.cache_read = usage.cache_read.saturating_add(spared.earlier);
    } else {
        *fresh = fresh.saturating_add(spared.earlier);
    }
    usage
}

#[cfg(test)]
mod tests {
    use skinflint_money::{ListedRates, PicoUsd, RateCard};

    use super::*;

    /// A dollar per million fresh, ten cents read, 1.25 written.
    fn price() -> Price {
        let rates = ListedRates {
            cache_read: Some(PicoUsd::new(100_000)),
            cache_write_5m: Some(PicoUsd::new(1_250_000)),
            ..ListedRates::new(PicoUsd::new(1_000_000), PicoUsd::new(5_000_000))
        };
        Price::new("asked", &RateCard::new(rates), &[])
    }

    fn savings(cost: u64, usage: Usage) -> (u64, i64, i64, i64) {
        savings_of(cost, usage, Spared::default())
    }

    fn savings_of(cost: u64, usage: Usage, spared: Spared) -> (u64, i64, i64, i64) {
        let cost = NanoUsd::new(cost);
        let of = Savings::of(cost, &price(), &usage, &spared, ServiceTier::Standard).unwrap();
        (
            of.counterfactual.get(),
            of.provider_cache.get(),
            of.ours.get(),
            of.harm.get(),
        )
    }

    #[test]
    fn the_providers_cache_is_not_our_merit() {
        let usage = Usage {
            fresh_input: 10,
            cache_read: 1_000,
            output: 2,
            ..Usage::default()
        };
        assert_eq!(savings(120_000, usage), (120_000, 900_000, 0, 0));
    }

    #[test]
    fn a_write_that_nobody_read_cost_extra() {
        let usage = Usage {
            cache_write_5m: 1_000,
            ..Usage::default()
        };
        assert_eq!(savings(1_250_000, usage), (1_250_000, -250_000, 0, 0));
    }

    #[test]
    fn a_cheaper_answer_is_our_merit_and_a_dearer_one_our_harm() {
        let usage = Usage {
            fresh_input: 100,
            ..Usage::default()
        };
        assert_eq!(savings(40_000, usage), (100_000, 0, 60_000, 0));
        assert_eq!(savings(130_000, usage), (100_000, 0, 0, -30_000));
    }

    #[test]
    fn what_was_not_sent_would_have_been_billed_as_what_was() {
        let spared = Spared {
            new: 10,
            earlier: 100,
            extra: false,
        };
        let cached = Usage {
            cache_read: 1_000,
            cache_write_5m: 20,
            ..Usage::default()
        };
        // 100,000 read and 25,000 written; and 10,000 and 12,500 more.
        assert_eq!(
            savings_of(125_000, cached, spared),
            (147_500, 982_500, 22_500, 0)
        );
        let uncached = Usage {
            fresh_input: 50,
            ..Usage::default()
        };
        assert_eq!(
            savings_of(50_000, uncached, spared),
            (160_000, 0, 110_000, 0)
        );
    }

    #[test]
    fn a_call_of_our_own_is_harm_whatever_it_cost() {
        let usage = Usage {
            fresh_input: 50,
            ..Usage::default()
        };
        let spared = Spared {
            extra: true,
            ..Spared::default()
        };
        assert_eq!(savings_of(50_000, usage, spared), (0, 0, 0, -50_000));
    }
}
