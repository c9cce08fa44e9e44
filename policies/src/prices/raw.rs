//! A price as it is written, in the shipped table and by operators alike.

use std::fmt;

use serde::{Deserialize, Serialize};
use skinflint_money::{ListedRates, NanoUsd, PicoUsd, Price, RateCard};

use crate::{file::Invalid, prices::table::PriceTable};

/// A `[[price]]`. Rates are dollars per million tokens.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    pub(super) provider: Option<String>,
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    /// Another model whose prices this one has.
    pub(super) like: Option<String>,
    input: Option<PicoUsd>,
    cached_input: Option<PicoUsd>,
    cache_write_5m: Option<PicoUsd>,
    cache_write_1h: Option<PicoUsd>,
    output: Option<PicoUsd>,
    reasoning: Option<PicoUsd>,
    audio_input: Option<PicoUsd>,
    audio_cached_input: Option<PicoUsd>,
    audio_output: Option<PicoUsd>,
    /// Whether a price of zero is meant.
    #[serde(default)]
    free: bool,
    /// Whether the model generates nothing, so that it has no price of output.
    #[serde(default)]
    embedding: bool,
    /// Dollars per use of a tool that the provider runs.
    tool_use: Option<NanoUsd>,
    context: Option<u64>,
    max_output: Option<u64>,
    hidden_reasoning: Option<bool>,
    batch: Option<RawRates>,
    flex: Option<RawRates>,
    priority: Option<RawRates>,
    #[serde(default)]
    long: Vec<RawLong>,
}

/// The rates of one service tier.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRates {
    input: Option<PicoUsd>,
    cached_input: Option<PicoUsd>,
    cache_write_5m: Option<PicoUsd>,
    cache_write_1h: Option<PicoUsd>,
    output: Option<PicoUsd>,
    reasoning: Option<PicoUsd>,
    audio_input: Option<PicoUsd>,
    audio_cached_input: Option<PicoUsd>,
    audio_output: Option<PicoUsd>,
}

/// The rates of prompts above a length.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLong {
    /// In tokens.
    above: u64,
    input: Option<PicoUsd>,
    cached_input: Option<PicoUsd>,
    cache_write_5m: Option<PicoUsd>,
    cache_write_1h: Option<PicoUsd>,
    output: Option<PicoUsd>,
    reasoning: Option<PicoUsd>,
    audio_input: Option<PicoUsd>,
    audio_cached_input: Option<PicoUsd>,
    audio_output: Option<PicoUsd>,
    batch: Option<RawRates>,
    flex: Option<RawRates>,
    priority: Option<RawRates>,
}

/// What holds for all rates of one price.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateRules {
    /// Whether a price of zero is meant.
    pub(super) free: bool,
    /// Whether there is no output.
    pub(super) embedding: bool,
}

/// More than any model costs; above it, somebody took another unit for dollars per million.
const MOST_PER_MILLION: PicoUsd = PicoUsd::new(10_000 * 1_000_000);
/// More than any tool costs.
const MOST_PER_TOOL_USE: NanoUsd = NanoUsd::new(1_000 * 1_000_000_000);

// === impl Raw ===

impl Raw {
    /// The price itself. `hides_reasoning` holds where the entry does not say; `table` is where `like` is looked up.
    pub(super) fn price(
        &self,
        name: String,
        hides_reasoning: bool,
        table: Option<&PriceTable>,
    ) -> Result<Price, Invalid> {
        let mut price = match (&self.like, table) {
            (Some(like), Some(table)) => self.price_like(like, name, table)?,
            (Some(_), None) => return Err(Invalid::new("like", "expected a price here")),
            (None, _) => self.own_price(name, hides_reasoning)?,
        };
        if let Some(tool_use) = self.tool_use {
            price.tool_use = self.checked_tool_use(tool_use)?;
        }
        price.context_window = tokens("context", self.context)?.or(price.context_window);
        price.max_output = tokens("max_output", self.max_output)?.or(price.max_output);
        price.hidden_reasoning = self.hidden_reasoning.unwrap_or(price.hidden_reasoning);
        Ok(price)
    }

    fn own_price(&self, name: String, hides_reasoning: bool) -> Result<Price, Invalid> {
        let rules = RateRules {
            free: self.free,
            embedding: self.embedding,
        };
        if self.embedding && self.output.is_some() {
            return Err(Invalid::new(
                "output",
                "a model with `embedding = true` generates nothing, take one of the two away",
            ));
        }
        let short = card(self.rates(), [self.batch, self.flex, self.priority], rules)?;
        let mut long = Vec::with_capacity(self.long.len());
        for (index, level) in self.long.iter().enumerate() {
            let under = |invalid: Invalid| invalid.under(format_args!("long[{index}]"));
            tokens("above", Some(level.above)).map_err(under)?;
            if long.iter().any(|(above, _)| *above == level.above) {
                let message = format!("prompts above {} already have a price", level.above);
                return Err(under(Invalid::new("above", message)));
            }
            let tiers = [level.batch, level.flex, level.priority];
            let card = card(level.rates(), tiers, rules).map_err(under)?;
            long.push((level.above, card));
        }
        let mut price = Price::new(name, &short, &long);
        price.hidden_reasoning = hides_reasoning;
        Ok(price)
    }

    fn price_like(&self, like: &str, name: String, table: &PriceTable) -> Result<Price, Invalid> {
        let own = self.rates().fields();
        let own = own
            .iter()
            .find_map(|(field, rate)| rate.map(|_| *field))
            .or(self.batch.map(|_| "batch"))
            .or(self.flex.map(|_| "flex"))
            .or(self.priority.map(|_| "priority"))
            .or((!self.long.is_empty()).then_some("long"))
            .or(self.free.then_some("free"))
            .or(self.embedding.then_some("embedding"));
        if let Some(field) = own {
            let message =
                "`like` takes over every price of the other model, take one of the two away";
            return Err(Invalid::new(field, message));
        }
        let Some(other) = table.find(None, like) else {
            let message = format!("the shipped table has no price of `{like}`");
            return Err(Invalid::new("like", message));
        };
        let mut price = Price::clone(other);
        price.name = name;
        Ok(price)
    }

    fn checked_tool_use(&self, tool_use: NanoUsd) -> Result<NanoUsd, Invalid> {
        if tool_use == NanoUsd::ZERO && !self.free {
            return Err(zero("tool_use"));
        }
        if tool_use > MOST_PER_TOOL_USE {
            let message = format!("expected at most {MOST_PER_TOOL_USE} dollars per use");
            return Err(Invalid::new("tool_use", message));
        }
        Ok(tool_use)
    }

    fn rates(&self) -> RawRates {
        RawRates {
            input: self.input,
            cached_input: self.cached_input,
            cache_write_5m: self.cache_write_5m,
            cache_write_1h: self.cache_write_1h,
            output: self.output,
            reasoning: self.reasoning,
            audio_input: self.audio_input,
            audio_cached_input: self.audio_cached_input,
            audio_output: self.audio_output,
        }
    }
}

// === impl RawLong ===

impl RawLong {
    fn rates(&self) -> RawRates {
        RawRates {
            input: self.input,
            cached_input: self.cached_input,
            cache_write_5m: self.cache_write_5m,
            cache_write_1h: self.cache_write_1h,
            output: self.output,
            reasoning: self.reasoning,
            audio_input: self.audio_input,
            audio_cached_input: self.audio_cached_input,
            audio_output: self.audio_output,
        }
    }
}

// === impl RawRates ===

impl RawRates {
    const fn fields(&self) -> [(&'static str, Option<PicoUsd>); 9] {
        [
            ("input", self.input),
            ("cached_input", self.cached_input),
            ("cache_write_5m", self.cache_write_5m),
            ("cache_write_1h", self.cache_write_1h),
            ("output", self.output),
            ("reasoning", self.reasoning),
            ("audio_input", self.audio_input),
            ("audio_cached_input", self.audio_cached_input),
            ("audio_output", self.audio_output),
        ]
    }

    fn listed(&self, rules: RateRules) -> Result<ListedRates, Invalid> {
        for (field, rate) in self.fields() {
            if let Some(rate) = rate {
                checked_rate(field, rate, rules)?;
            }
        }
        let output = if rules.embedding {
            // Billed only if something is generated against all expectation, and then not for nothing.
            self.output.or(self.input)
        } else {
            self.output
        };
        Ok(ListedRates {
            cache_read: self.cached_input,
            cache_write_5m: self.cache_write_5m,
            cache_write_1h: self.cache_write_1h,
            reasoning: self.reasoning,
            audio_input: self.audio_input,
            audio_cache_read: self.audio_cached_input,
            audio_output: self.audio_output,
            ..ListedRates::new(required("input", self.input)?, required("output", output)?)
        })
    }
}

/// Checks a rate that every price has.
pub(super) fn required(field: &str, rate: Option<PicoUsd>) -> Result<PicoUsd, Invalid> {
    rate.ok_or_else(|| {
        Invalid::new(
            field,
            "missing, expected dollars per million tokens such as \"0.20\"",
        )
    })
}

pub(super) fn checked_rate(
    field: &str,
    rate: PicoUsd,
    rules: RateRules,
) -> Result<PicoUsd, Invalid> {
    if rate == PicoUsd::ZERO && !rules.free {
        return Err(zero(field));
    }
    if rate > MOST_PER_MILLION {
        let message = format!(
            "{rate} dollars per million tokens is more than any model costs, expected at most {MOST_PER_MILLION}"
        );
        return Err(Invalid::new(field, message));
    }
    Ok(rate)
}

pub(super) fn zero(field: impl fmt::Display) -> Invalid {
    Invalid::new(
        field.to_string(),
        "is zero; if that is meant, write `free = true` beside it",
    )
}

fn card(
    standard: RawRates,
    [batch, flex, priority]: [Option<RawRates>; 3],
    rules: RateRules,
) -> Result<RateCard, Invalid> {
    let tier = |field: &str, rates: Option<RawRates>| {
        rates
            .map(|rates| rates.listed(rules).map_err(|invalid| invalid.under(field)))
            .transpose()
    };
    Ok(RateCard {
        standard: standard.listed(rules)?,
        batch: tier("batch", batch)?,
        flex: tier("flex", flex)?,
        priority: tier("priority", priority)?,
    })
}

fn tokens(field: &str, tokens: Option<u64>) -> Result<Option<u64>, Invalid> {
    if tokens == Some(0) {
        return Err(Invalid::new(field, "expected at least 1 token"));
    }
    Ok(tokens)
}
