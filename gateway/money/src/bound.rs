//! The most that a call can cost before it is sent.

use crate::{
    amount::{MoneyOverflow, NanoUsd, PICO_PER_NANO, PicoUsd},
    price::Price,
    rates::Rates,
    tier::ServiceTier,
};

/// What is known of a call before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The most tokens that its prompt can have.
    pub input_tokens: u64,
    /// The dearest write to the provider's cache that it can cause.
    pub writes: CacheWrites,
    /// Whether its prompt or its answer may be audio.
    pub audio: bool,
    /// The tier that it asks for.
    pub tier: ServiceTier,
}

/// Which writes to a provider's cache a call can cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheWrites {
    /// None: the request asks for none and the provider does not cache by itself.
    None,
    /// For the provider's short term, which is also what providers choose that cache by themselves.
    Short,
    /// For either term.
    Long,
}

/// Lines of a charge that prompt tokens may stand in.
const INPUT_LINES: u64 = 5;
/// Lines of a charge that generated tokens may stand in.
const OUTPUT_LINES: u64 = 3;
/// The most, in pico-dollars, that rounding half up adds to a line.
const LINE_ROUNDING: u128 = PICO_PER_NANO / 2;

impl Price {
    /// At least the token lines of every charge of a call of this extent with at most so many tokens of output.
    ///
    /// It takes every token at the dearest price that it may be billed at: of fresh, cached, written and, where there may
    /// be any, audio tokens; of text and reasoning; of every length of prompt up to this one. Uses of server tools come
    /// on top: see [`Price::tools`].
    pub fn upper_bound(
        &self,
        extent: &Extent,
        output_tokens: u64,
    ) -> Result<NanoUsd, MoneyOverflow> {
        let input = bound(self.dearest_input(extent), extent.input_tokens, INPUT_LINES);
        let output = bound(self.dearest_output(extent), output_tokens, OUTPUT_LINES);
        let pico = input.checked_add(output).ok_or(MoneyOverflow)?;
        u64::try_from(pico.div_ceil(PICO_PER_NANO))
            .map(NanoUsd::new)
            .map_err(|_| MoneyOverflow)
    }

    /// The most tokens of output whose [`Price::upper_bound`] is within `money`; none too if the prompt alone is not.
    pub fn output_affordable(&self, extent: &Extent, money: NanoUsd) -> u64 {
        let input = bound(self.dearest_input(extent), extent.input_tokens, INPUT_LINES);
        let Some(room) = (u128::from(money.get()) * PICO_PER_NANO).checked_sub(input) else {
            return 0;
        };
        let dearest = self.dearest_output(extent);
        let rate = u128::from(dearest.get());
        if rate == 0 {
            return u64::MAX;
        }
        // Each of the first tokens may stand in a line of its own and round it up; those after them add no line.
        let by_line = line_rounding(dearest);
        let rounding = by_line * u128::from(OUTPUT_LINES);
        let tokens = if room < rate * u128::from(OUTPUT_LINES) + rounding {
            room / (rate + by_line)
        } else {
            (room - rounding) / rate
        };
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }

    fn dearest_input(&self, extent: &Extent) -> PicoUsd {
        self.dearest(extent, |rates| {
            let short_write = (extent.writes >= CacheWrites::Short).then_some(rates.cache_write_5m);
            let long_write = (extent.writes >= CacheWrites::Long).then_some(rates.cache_write_1h);
            let audio = extent
                .audio
                .then_some(rates.audio_input.max(rates.audio_cache_read));
            rates
                .fresh_input
                .max(rates.cache_read)
                .max(short_write.unwrap_or(PicoUsd::ZERO))
                .max(long_write.unwrap_or(PicoUsd::ZERO))
                .max(audio.unwrap_or(PicoUsd::ZERO))
        })
    }

    fn dearest_output(&self, extent: &Extent) -> PicoUsd {
        self.dearest(extent, |rates| {
            let audio = extent.audio.then_some(rates.audio_output);
            rates
                .output
                .max(rates.reasoning)
                .max(audio.unwrap_or(PicoUsd::ZERO))
        })
    }

    fn dearest(&self, extent: &Extent, price: impl Fn(&Rates) -> PicoUsd) -> PicoUsd {
        self.reachable(extent.input_tokens, extent.tier)
            .map(price)
            .max()
            .unwrap_or(PicoUsd::ZERO)
    }
}

/// In pico-dollars; tokens spread over `lines` round up as often as there are lines with a token.
fn bound(rate: PicoUsd, tokens: u64, lines: u64) -> u128 {
    let exact = u128::from(rate.get()) * u128::from(tokens);
    exact + line_rounding(rate) * u128::from(tokens.min(lines))
}

/// What rounding adds to a line at most, in pico-dollars.
///
/// Nothing where the dearest rate is a whole number of nano-dollars: a cheaper rate is rounded up to at most as much.
fn line_rounding(dearest: PicoUsd) -> u128 {
    if u128::from(dearest.get()).is_multiple_of(PICO_PER_NANO) {
        0
    } else {
        LINE_ROUNDING
    }
}

#[cfg(test)]
mod tests;
