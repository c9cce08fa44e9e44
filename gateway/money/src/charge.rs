//! What usage costs, line by line.

use serde::Serialize;
use skinflint_protocol::Usage;

use crate::{
    amount::{MoneyOverflow, NanoUsd, PicoUsd},
    price::Price,
    tier::ServiceTier,
};

/// What a call cost, each line rounded once. Every token stands in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Charge {
    /// Text of the prompt that no cache had a part in.
    pub fresh_input: NanoUsd,
    /// Text of the prompt read from the provider's cache.
    pub cache_read: NanoUsd,
    /// Prompt tokens written to the cache for the short term.
    pub cache_write_5m: NanoUsd,
    /// Prompt tokens written to the cache for the long term.
    pub cache_write_1h: NanoUsd,
    /// Generated text.
    pub output: NanoUsd,
    /// Generated reasoning.
    pub reasoning: NanoUsd,
    /// Audio of the prompt, fresh or from the cache.
    pub audio_input: NanoUsd,
    /// Generated audio.
    pub audio_output: NanoUsd,
    /// Uses of tools that the provider runs.
    pub tools: NanoUsd,
}

/// Usage taken apart so that no token is counted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    fresh_text: u64,
    cached_text: u64,
    write_5m: u64,
    write_1h: u64,
    fresh_audio: u64,
    cached_audio: u64,
    text_output: u64,
    reasoning: u64,
    audio_output: u64,
}

// === impl Parts ===

impl Parts {
    /// Audio is taken to be fresh first, which is the dearer reading, then read from the cache; what is left of it was
    /// written and is billed as that. Where a report's parts are more than its whole, the parts count: what the provider
    /// names is billed.
    fn of(usage: &Usage) -> Self {
        let known_audio = usage.audio_input.min(usage.input());
        let excess_audio = usage.audio_input - known_audio;
        let fresh_audio = known_audio.min(usage.fresh_input);
        let cached_audio = (known_audio - fresh_audio).min(usage.cache_read);
        Self {
            fresh_text: usage.fresh_input - fresh_audio,
            cached_text: usage.cache_read - cached_audio,
            write_5m: usage.cache_write_5m,
            write_1h: usage.cache_write_1h,
            fresh_audio: fresh_audio.saturating_add(excess_audio),
            cached_audio,
            text_output: usage
                .output
                .saturating_sub(usage.reasoning)
                .saturating_sub(usage.audio_output),
            reasoning: usage.reasoning,
            audio_output: usage.audio_output,
        }
    }

    /// Tokens of the whole prompt, by which long contexts are told.
    const fn prompt(&self) -> u64 {
        self.fresh_text
            .saturating_add(self.cached_text)
            .saturating_add(self.write_5m)
            .saturating_add(self.write_1h)
            .saturating_add(self.fresh_audio)
            .saturating_add(self.cached_audio)
    }
}

// === impl Charge ===

impl Charge {
    /// The lines with their names, in the order of a receipt.
    pub const fn lines(&self) -> [(&'static str, NanoUsd); 9] {
        [
            ("fresh_input", self.fresh_input),
            ("cache_read", self.cache_read),
            ("cache_write_5m", self.cache_write_5m),
            ("cache_write_1h", self.cache_write_1h),
            ("output", self.output),
            ("reasoning", self.reasoning),
            ("audio_input", self.audio_input),
            ("audio_output", self.audio_output),
            ("tools", self.tools),
        ]
    }

    /// The sum of the lines. It fits: [`Price::charge`] makes no charge of which it does not.
    pub fn total(&self) -> NanoUsd {
        self.lines()
            .into_iter()
            .fold(NanoUsd::ZERO, |sum, (_, line)| sum.saturating_add(line))
    }

    fn checked(self) -> Result<Self, MoneyOverflow> {
        self.lines()
            .into_iter()
            .try_fold(NanoUsd::ZERO, |sum, (_, line)| sum.checked_add(line))?;
        Ok(self)
    }
}

// === impl Price ===

impl Price {
    /// What the usage of one call costs.
    pub fn charge(&self, usage: &Usage, tier: ServiceTier) -> Result<Charge, MoneyOverflow> {
        let parts = Parts::of(usage);
        let rates = self.rates(parts.prompt(), tier);
        Charge {
            fresh_input: rates.fresh_input.times(parts.fresh_text)?,
            cache_read: rates.cache_read.times(parts.cached_text)?,
            cache_write_5m: rates.cache_write_5m.times(parts.write_5m)?,
            cache_write_1h: rates.cache_write_1h.times(parts.write_1h)?,
            output: rates.output.times(parts.text_output)?,
            reasoning: rates.reasoning.times(parts.reasoning)?,
            audio_input: PicoUsd::line(&[
                (rates.audio_input, parts.fresh_audio),
                (rates.audio_cache_read, parts.cached_audio),
            ])?,
            audio_output: rates.audio_output.times(parts.audio_output)?,
            tools: self.tools(usage.server_tool_uses)?,
        }
        .checked()
    }

    /// What the same call had cost without the provider's cache: the whole prompt fresh.
    pub fn without_cache(&self, usage: &Usage, tier: ServiceTier) -> Result<Charge, MoneyOverflow> {
        let uncached = Usage {
            fresh_input: usage.input(),
            cache_read: 0,
            cache_write_5m: 0,
            cache_write_1h: 0,
            ..*usage
        };
        self.charge(&uncached, tier)
    }
}

#[cfg(test)]
mod tests;
