//! What a call may cost, before it is sent.

use std::sync::Arc;

use skinflint_money::{CacheWrites, Extent, MoneyOverflow, NanoUsd, Price, ServiceTier};
use skinflint_protocol::{BlockKind, CacheTtl, Dialect, Endpoint, Reasoning, RequestView};

use crate::error::MoneyError;

/// What a call may cost at the prices of its model.
#[derive(Debug, Clone)]
pub(crate) struct Quote {
    /// The prices.
    pub price: Arc<Price>,
    /// The prompt, and the tier asked for.
    pub extent: Extent,
    /// Answers asked for at once.
    pub answers: u64,
    /// The most tokens that one answer can have, if nobody sets a lower limit.
    pub longest: u64,
    /// The tokens that one answer is likely to stay within.
    pub likely: u64,
    /// The fewest tokens of one answer that are of any use.
    pub least: u64,
    /// Whether what is generated can be seen as it passes.
    pub metered: bool,
    /// What server tools may add.
    pub tools: NanoUsd,
}

/// Where neither request nor price list says how long an answer can be: more than any model now writes.
const LONGEST_ANSWER: u64 = 131_072;
/// An answer cut to fewer tokens than this helps nobody; a call that cannot pay for them is refused.
const LEAST_ANSWER: u64 = 64;
/// Uses of server tools in one call that a budget is prepared for.
const TOOL_USES: u64 = 10;

// === impl Quote ===

impl Quote {
    /// Reads from a request what decides about its cost; `input_tokens` is an upper bound of its prompt.
    pub(crate) fn of(
        price: Arc<Price>,
        view: &RequestView,
        input_tokens: u64,
        likely_output: u64,
    ) -> Result<Self, MoneyError> {
        let generates = view.endpoint != Endpoint::Embeddings;
        let asked = view.max_output_tokens.as_ref().map(|limit| limit.value);
        let longest = match (generates, asked) {
            (false, _) => 0,
            (true, Some(asked)) => asked,
            (true, None) => price.max_output.unwrap_or(LONGEST_ANSWER),
        };
        let thinking = view.thinking_budget.unwrap_or(0);
        let least = LEAST_ANSWER.saturating_add(thinking).min(longest);
        let answers = view.sampling.n.unwrap_or(1).max(1);
        let audio = view.media_output
            || view
                .blocks
                .iter()
                .any(|block| block.kind == BlockKind::Audio);
        let hidden = price.hidden_reasoning && may_reason(view);
        let tools = if view.server_tools {
            price.tools(TOOL_USES)?
        } else {
            NanoUsd::ZERO
        };
        Ok(Self {
            extent: Extent {
                input_tokens,
                writes: writes(view),
                audio,
                tier: tier(view)?,
            },
            answers,
            longest,
            likely: likely_output.clamp(least, longest.max(least)),
            least,
            metered: view.stream && generates && !hidden && !audio && !view.server_tools,
            tools,
            price,
        })
    }

    /// The most that the call costs if each answer has at most so many tokens.
    pub(crate) fn at_most(&self, tokens: u64) -> Result<NanoUsd, MoneyOverflow> {
        let output = tokens.saturating_mul(self.answers);
        self.price
            .upper_bound(&self.extent, output)?
            .checked_add(self.tools)
    }

    /// The longest answer whose call costs no more than `money`.
    pub(crate) fn affordable(&self, money: NanoUsd) -> u64 {
        let left = money.saturating_sub(self.tools);
        self.price.output_affordable(&self.extent, left) / self.answers
    }
}

/// Anthropic's models reason only where they are told to; with the others it is a matter of the model.
fn may_reason(view: &RequestView) -> bool {
    match view.reasoning {
        Reasoning::Off => false,
        Reasoning::On => true,
        Reasoning::Unsaid => view.endpoint.dialect() != Dialect::Anthropic,
    }
}

/// Anthropic writes to its cache where it is told to; the others do so by themselves, for their short term.
fn writes(view: &RequestView) -> CacheWrites {
    match view.cache_ttl {
        None if view.endpoint.dialect() == Dialect::Anthropic => CacheWrites::None,
        None | Some(CacheTtl::FiveMinutes) => CacheWrites::Short,
        Some(CacheTtl::OneHour) => CacheWrites::Long,
    }
}

/// The tier that the request asks for. One that is not known may cost a multiple of any that is.
fn tier(view: &RequestView) -> Result<ServiceTier, MoneyError> {
    let asked = view.speed.as_deref().or(view.service_tier.as_deref());
    asked.map_or(Ok(ServiceTier::Standard), |asked| {
        ServiceTier::parse(asked).ok_or_else(|| MoneyError::UnknownTier {
            tier: asked.to_owned(),
        })
    })
}
