//! What a call would have cost without us, and without the provider's cache.

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
    /// The counterfactual is the usage as billed, which for calls that are sent on unchanged is their own; where another
    /// model answered, its token counts stand for those of the one asked for.
    pub(crate) fn of(
        cost: NanoUsd,
        asked: &Price,
        usage: &Usage,
        tier: ServiceTier,
    ) -> Result<Self, MoneyOverflow> {
        let counterfactual = asked.charge(usage, tier)?.total();
        let uncached = asked.without_cache(usage, tier)?.total();
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
        let cost = NanoUsd::new(cost);
        let of = Savings::of(cost, &price(), &usage, ServiceTier::Standard).unwrap();
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
}
