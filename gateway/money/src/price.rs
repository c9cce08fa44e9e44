//! The price of a model.

use crate::{
    amount::{MoneyOverflow, NanoUsd, PicoUsd},
    rates::{ListedRates, RateCard, Rates, TierRates},
    tier::ServiceTier,
};

/// What a model costs: per token by kind, service tier and length of the prompt, and per use of a server tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Which entry of a price list this is, such as `openai/gpt-5`.
    pub name: String,
    short: TierRates,
    /// Ascending by length.
    long: Vec<LongContext>,
    /// Per use of a tool that the provider runs, such as a web search; zero if there is none.
    pub tool_use: NanoUsd,
    /// The most tokens that a prompt can have, where known.
    pub context_window: Option<u64>,
    /// The most tokens that an answer can have, where known.
    pub max_output: Option<u64>,
    /// Whether the model thinks without streaming every token of it, so that a stream cannot be metered as it passes.
    pub hidden_reasoning: bool,
}

/// Prices of long prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LongContext {
    /// In tokens.
    above: u64,
    rates: TierRates,
}

impl Price {
    /// A price without server tools and known limits. `long` holds cards for prompts of more than so many tokens.
    pub fn new(name: impl Into<String>, short: &RateCard, long: &[(u64, RateCard)]) -> Self {
        let mut long: Vec<_> = long
            .iter()
            .map(|(above, card)| LongContext {
                above: *above,
                rates: card.resolve_long(short),
            })
            .collect();
        long.sort_by_key(|level| level.above);
        Self {
            name: name.into(),
            short: short.resolve(),
            long,
            tool_use: NanoUsd::ZERO,
            context_window: None,
            max_output: None,
            hidden_reasoning: false,
        }
    }

    /// A price of nothing, for what is paid for in another way, such as by a machine's time.
    pub fn free(name: impl Into<String>) -> Self {
        let nothing = ListedRates::new(PicoUsd::ZERO, PicoUsd::ZERO);
        Self::new(name, &RateCard::new(nothing), &[])
    }

    /// The prices of a call whose whole prompt, cached or not, has so many tokens.
    ///
    /// A prompt above a threshold moves all lines of the call, the answer too, to the prices of that length, as `OpenAI`,
    /// Anthropic, Google and Alibaba bill it.
    pub fn rates(&self, prompt_tokens: u64, tier: ServiceTier) -> &Rates {
        self.long
            .iter()
            .rev()
            .find(|level| prompt_tokens > level.above)
            .map_or(&self.short, |level| &level.rates)
            .get(tier)
    }

    /// What so many uses of server tools cost.
    pub fn tools(&self, uses: u64) -> Result<NanoUsd, MoneyOverflow> {
        self.tool_use
            .get()
            .checked_mul(uses)
            .map(NanoUsd::new)
            .ok_or(MoneyOverflow)
    }

    /// Every set of prices that a prompt of at most so many tokens may be billed at.
    pub(crate) fn reachable(
        &self,
        prompt_tokens: u64,
        tier: ServiceTier,
    ) -> impl Iterator<Item = &Rates> {
        // What asks for priority may be served, and billed, as standard.
        let fallback = (tier == ServiceTier::Priority).then_some(ServiceTier::Standard);
        let long = self
            .long
            .iter()
            .filter(move |level| prompt_tokens > level.above)
            .map(|level| &level.rates);
        std::iter::once(&self.short)
            .chain(long)
            .flat_map(move |rates| {
                std::iter::once(rates.get(tier)).chain(fallback.map(|tier| rates.get(tier)))
            })
    }
}
