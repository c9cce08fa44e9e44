//! What each kind of token costs, and how what a price list leaves out is filled in.

use crate::{amount::PicoUsd, tier::ServiceTier};

/// The prices of one model in one tier, by kind of token, with nothing left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Prompt tokens that no cache had a part in.
    pub fresh_input: PicoUsd,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: PicoUsd,
    /// Prompt tokens written to the cache for the provider's short term.
    pub cache_write_5m: PicoUsd,
    /// Prompt tokens written to the cache for the provider's long term.
    pub cache_write_1h: PicoUsd,
    /// Generated text.
    pub output: PicoUsd,
    /// Generated reasoning.
    pub reasoning: PicoUsd,
    /// Prompt tokens of audio.
    pub audio_input: PicoUsd,
    /// Prompt tokens of audio read from the provider's cache.
    pub audio_cache_read: PicoUsd,
    /// Generated audio.
    pub audio_output: PicoUsd,
}

/// The prices that a price list states for one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedRates {
    /// See [`Rates::fresh_input`].
    pub input: PicoUsd,
    /// See [`Rates::output`].
    pub output: PicoUsd,
    /// See [`Rates::cache_read`].
    pub cache_read: Option<PicoUsd>,
    /// See [`Rates::cache_write_5m`].
    pub cache_write_5m: Option<PicoUsd>,
    /// See [`Rates::cache_write_1h`].
    pub cache_write_1h: Option<PicoUsd>,
    /// See [`Rates::reasoning`].
    pub reasoning: Option<PicoUsd>,
    /// See [`Rates::audio_input`].
    pub audio_input: Option<PicoUsd>,
    /// See [`Rates::audio_cache_read`].
    pub audio_cache_read: Option<PicoUsd>,
    /// See [`Rates::audio_output`].
    pub audio_output: Option<PicoUsd>,
}

/// The prices that a price list states, by tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateCard {
    /// The list price.
    pub standard: ListedRates,
    /// See [`ServiceTier::Batch`].
    pub batch: Option<ListedRates>,
    /// See [`ServiceTier::Flex`].
    pub flex: Option<ListedRates>,
    /// See [`ServiceTier::Priority`].
    pub priority: Option<ListedRates>,
}

/// Resolved prices of every tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TierRates {
    standard: Rates,
    batch: Rates,
    flex: Rates,
    priority: Rates,
}

/// Anthropic's multiple of the fresh price for a write that lasts an hour.
const LONG_WRITE_FACTOR: u64 = 2;

// === impl Rates ===

impl Rates {
    /// The dearer of two, kind by kind.
    fn dearer(&self, other: &Self) -> Self {
        Self {
            fresh_input: self.fresh_input.max(other.fresh_input),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write_5m: self.cache_write_5m.max(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.max(other.cache_write_1h),
            output: self.output.max(other.output),
            reasoning: self.reasoning.max(other.reasoning),
            audio_input: self.audio_input.max(other.audio_input),
            audio_cache_read: self.audio_cache_read.max(other.audio_cache_read),
            audio_output: self.audio_output.max(other.audio_output),
        }
    }
}

// === impl ListedRates ===

impl ListedRates {
    /// A list that states no more than the two prices that every list has.
    pub const fn new(input: PicoUsd, output: PicoUsd) -> Self {
        Self {
            input,
            output,
            cache_read: None,
            cache_write_5m: None,
            cache_write_1h: None,
            reasoning: None,
            audio_input: None,
            audio_cache_read: None,
            audio_output: None,
        }
    }

    /// Fills in what is left open, never cheaper than what is likely to be billed:
    ///
    /// - a cache read costs as much as fresh input;
    /// - a short-term write costs as much as fresh input, as where caching is automatic, or as a long-term write if
    ///   only that is listed;
    /// - a long-term write costs twice the fresh input, Anthropic's multiple, and at least a short-term write, if that is
    ///   listed; else as much as fresh input;
    /// - reasoning costs as much as output;
    /// - audio costs as much as text; if audio is listed and its cache read is not, that costs as much as audio.
    pub fn resolve(&self) -> Rates {
        let long_write = match self.cache_write_5m {
            Some(short) => short.max(self.input.saturating_mul(LONG_WRITE_FACTOR)),
            None => self.input,
        };
        let cache_read = self.cache_read.unwrap_or(self.input);
        Rates {
            fresh_input: self.input,
            cache_read,
            cache_write_5m: self
                .cache_write_5m
                .or(self.cache_write_1h)
                .unwrap_or(self.input),
            cache_write_1h: self.cache_write_1h.unwrap_or(long_write),
            output: self.output,
            reasoning: self.reasoning.unwrap_or(self.output),
            audio_input: self.audio_input.unwrap_or(self.input),
            audio_cache_read: self
                .audio_cache_read
                .or(self.audio_input)
                .unwrap_or(cache_read),
            audio_output: self.audio_output.unwrap_or(self.output),
        }
    }

    /// Fills in what is left open beside a fuller list of the same model, such as its standard tier: a kind that the
    /// fuller list prices apart costs the dearer of its price there and of what [`ListedRates::resolve`] says.
    pub fn resolve_beside(&self, fuller: &Self) -> Rates {
        let own = self.resolve();
        let fill = |listed: Option<PicoUsd>, elsewhere: Option<PicoUsd>, own: PicoUsd| {
            listed.unwrap_or_else(|| elsewhere.map_or(own, |elsewhere| own.max(elsewhere)))
        };
        Rates {
            cache_read: fill(self.cache_read, fuller.cache_read, own.cache_read),
            cache_write_5m: fill(
                self.cache_write_5m,
                fuller.cache_write_5m,
                own.cache_write_5m,
            ),
            cache_write_1h: fill(
                self.cache_write_1h,
                fuller.cache_write_1h,
                own.cache_write_1h,
            ),
            reasoning: fill(self.reasoning, fuller.reasoning, own.reasoning),
            audio_input: fill(self.audio_input, fuller.audio_input, own.audio_input),
            audio_cache_read: fill(
                self.audio_cache_read,
                fuller.audio_cache_read,
                own.audio_cache_read,
            ),
            audio_output: fill(self.audio_output, fuller.audio_output, own.audio_output),
            ..own
        }
    }
}

// === impl RateCard ===

impl RateCard {
    /// A card of list prices alone.
    pub const fn new(standard: ListedRates) -> Self {
        Self {
            standard,
            batch: None,
            flex: None,
            priority: None,
        }
    }

    /// A tier that is not listed costs as much as Standard, which may be more than is billed but is what is known.
    pub(crate) fn resolve(&self) -> TierRates {
        let standard = self.standard.resolve();
        let tier = |listed: &Option<ListedRates>| {
            listed.map_or(standard, |listed| listed.resolve_beside(&self.standard))
        };
        TierRates {
            standard,
            batch: tier(&self.batch),
            flex: tier(&self.flex),
            priority: tier(&self.priority),
        }
    }

    /// The same for a card of long contexts. A tier that only the card of short ones lists costs the dearer of its
    /// price there and of Standard here.
    pub(crate) fn resolve_long(&self, short: &Self) -> TierRates {
        let standard = self.standard.resolve_beside(&short.standard);
        let tier =
            |long: &Option<ListedRates>, short_tier: &Option<ListedRates>| match (long, short_tier)
            {
                (Some(long), _) => long.resolve_beside(&self.standard),
                (None, Some(listed)) => standard.dearer(&listed.resolve_beside(&short.standard)),
                (None, None) => standard,
            };
        TierRates {
            standard,
            batch: tier(&self.batch, &short.batch),
            flex: tier(&self.flex, &short.flex),
            priority: tier(&self.priority, &short.priority),
        }
    }
}

// === impl TierRates ===

impl TierRates {
    pub(crate) const fn get(&self, tier: ServiceTier) -> &Rates {
        match tier {
            ServiceTier::Standard => &self.standard,
            ServiceTier::Batch => &self.batch,
            ServiceTier::Flex => &self.flex,
            ServiceTier::Priority => &self.priority,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(input: u64, output: u64) -> ListedRates {
        ListedRates::new(PicoUsd::new(input), PicoUsd::new(output))
    }

    #[test]
    fn what_a_list_leaves_out_costs_as_much_as_what_stands_next_to_it() {
        let rates = listed(10, 40).resolve();
        for pico in [
            rates.cache_read,
            rates.cache_write_5m,
            rates.cache_write_1h,
            rates.audio_input,
            rates.audio_cache_read,
        ] {
            assert_eq!(pico.get(), 10);
        }
        assert_eq!(rates.reasoning.get(), 40);
        assert_eq!(rates.audio_output.get(), 40);
    }

    #[test]
    fn writes_that_cost_extra_cost_double_for_the_long_term() {
        let short_only = ListedRates {
            cache_write_5m: Some(PicoUsd::new(125)),
            ..listed(100, 500)
        };
        assert_eq!(short_only.resolve().cache_write_1h.get(), 200);
        let dear = ListedRates {
            cache_write_5m: Some(PicoUsd::new(300)),
            ..listed(100, 500)
        };
        assert_eq!(dear.resolve().cache_write_1h.get(), 300);
        let long_only = ListedRates {
            cache_write_1h: Some(PicoUsd::new(200)),
            ..listed(100, 500)
        };
        assert_eq!(long_only.resolve().cache_write_5m.get(), 200);
    }

    #[test]
    fn audio_from_the_cache_is_not_taken_for_text() {
        let rates = ListedRates {
            cache_read: Some(PicoUsd::new(1)),
            audio_input: Some(PicoUsd::new(30)),
            ..listed(10, 40)
        }
        .resolve();
        assert_eq!(rates.audio_cache_read.get(), 30);
    }

    #[test]
    fn a_tier_that_leaves_out_what_standard_lists_takes_the_dearer() {
        let standard = ListedRates {
            cache_read: Some(PicoUsd::new(10)),
            cache_write_5m: Some(PicoUsd::new(125)),
            ..listed(100, 500)
        };
        let card = RateCard {
            batch: Some(listed(50, 250)),
            ..RateCard::new(standard)
        };
        let batch = *card.resolve().get(ServiceTier::Batch);
        // Cached tokens may have no discount in a batch; writes are known only at the full price.
        assert_eq!(batch.cache_read.get(), 50);
        assert_eq!(batch.cache_write_5m.get(), 125);
        // Standard does not price reasoning apart, so neither does the batch.
        assert_eq!(batch.reasoning.get(), 250);
        assert_eq!(card.resolve().get(ServiceTier::Flex), &standard.resolve());
    }

    #[test]
    fn a_long_context_in_a_tier_that_lists_none_takes_the_dearer() {
        let short = RateCard {
            batch: Some(listed(50, 250)),
            priority: Some(listed(200, 1000)),
            ..RateCard::new(listed(100, 500))
        };
        let long = RateCard::new(listed(200, 750)).resolve_long(&short);
        let batch = long.get(ServiceTier::Batch);
        assert_eq!((batch.fresh_input.get(), batch.output.get()), (200, 750));
        let priority = long.get(ServiceTier::Priority);
        assert_eq!(
            (priority.fresh_input.get(), priority.output.get()),
            (200, 1000)
        );
    }
}
