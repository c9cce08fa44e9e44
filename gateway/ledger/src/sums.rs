//! What calls add up to: tokens by kind, cost, savings.

use serde::Serialize;
use skinflint_money::{NanoUsd, NanoUsdDelta};
use skinflint_protocol::Usage;

use crate::entry::{Money, Reservation, Settlement};
use crate::error::LedgerError;
use crate::store::{Cells, Value};

/// What settled attempts add up to. What a subscription paid is in `notional` alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sums {
    /// Attempts.
    pub calls: u64,
    /// Prompt tokens neither read from nor written to the provider's cache.
    pub fresh_input: u64,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to it for the short term.
    pub cache_write_5m: u64,
    /// Prompt tokens written to it for the long term.
    pub cache_write_1h: u64,
    /// Tokens generated.
    pub output: u64,
    /// Of these: reasoning.
    pub reasoning: u64,
    /// What they cost.
    pub cost: NanoUsd,
    /// What they would have cost if no subscription had paid.
    pub notional: NanoUsd,
    /// What the same calls would have cost as they were asked for.
    pub counterfactual: NanoUsd,
    /// Saved by the provider's cache.
    pub saved_provider_cache: NanoUsdDelta,
    /// Saved by us.
    pub saved_ours: NanoUsdDelta,
    /// What we made worse; not above zero.
    pub harm: NanoUsdDelta,
}

/// Numbers in [`Sums`], as columns of `tasks` and `usage_hours`.
pub(crate) const WIDTH: usize = 13;

/// A change of [`Sums`]: an attempt that is added, or prices that changed. In the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Change([i64; WIDTH]);

impl Change {
    /// What a settled attempt adds.
    pub(crate) fn of(reservation: &Reservation, settlement: &Settlement) -> Self {
        let usage = &settlement.usage;
        let mut change = Self::of_money(&settlement.money, reservation.notional);
        change.0[0] = 1;
        change.count(usage);
        change
    }

    /// What the money of an attempt adds.
    pub(crate) fn of_money(money: &Money, notional: bool) -> Self {
        let mut change = Self::default();
        if notional {
            change.0[8] = signed(money.cost.get());
        } else {
            change.0[7] = signed(money.cost.get());
            change.0[9] = signed(money.counterfactual.get());
            change.0[10] = money.saved_provider_cache.get();
            change.0[11] = money.saved_ours.get();
            change.0[12] = money.harm.get();
        }
        change
    }

    fn count(&mut self, usage: &Usage) {
        let kinds = [
            usage.fresh_input,
            usage.cache_read,
            usage.cache_write_5m,
            usage.cache_write_1h,
            usage.output,
            usage.reasoning,
        ];
        for (slot, tokens) in self.0[1..].iter_mut().zip(kinds) {
            *slot = signed(tokens);
        }
    }

    /// Adds another change. Nothing overflows: each call is bounded, and a batch has few.
    pub(crate) fn add(&mut self, other: &Self) {
        for (slot, more) in self.0.iter_mut().zip(other.0) {
            *slot = slot.saturating_add(more);
        }
    }

    /// The change from another one to this.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut change = *self;
        for (slot, less) in change.0.iter_mut().zip(before.0) {
            *slot = slot.saturating_sub(less);
        }
        change
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = Value> {
        self.0.into_iter().map(Value::from)
    }
}

impl Sums {
    /// Reads them from a row.
    pub(crate) fn read(row: &mut Cells) -> Result<Self, LedgerError> {
        Ok(Self {
            calls: row.count()?,
            fresh_input: row.count()?,
            cache_read: row.count()?,
            cache_write_5m: row.count()?,
            cache_write_1h: row.count()?,
            output: row.count()?,
            reasoning: row.count()?,
            cost: row.amount()?,
            notional: row.amount()?,
            counterfactual: row.amount()?,
            saved_provider_cache: row.delta()?,
            saved_ours: row.delta()?,
            harm: row.delta()?,
        })
    }

    /// Adds others.
    pub(crate) fn add(&mut self, other: &Self) {
        let count = |slot: &mut u64, more: u64| *slot = slot.saturating_add(more);
        let amount = |slot: &mut NanoUsd, more| *slot = slot.saturating_add(more);
        let delta = |slot: &mut NanoUsdDelta, more: NanoUsdDelta| {
            *slot = NanoUsdDelta::new(slot.get().saturating_add(more.get()));
        };
        count(&mut self.calls, other.calls);
        count(&mut self.fresh_input, other.fresh_input);
        count(&mut self.cache_read, other.cache_read);
        count(&mut self.cache_write_5m, other.cache_write_5m);
        count(&mut self.cache_write_1h, other.cache_write_1h);
        count(&mut self.output, other.output);
        count(&mut self.reasoning, other.reasoning);
        amount(&mut self.cost, other.cost);
        amount(&mut self.notional, other.notional);
        amount(&mut self.counterfactual, other.counterfactual);
        delta(&mut self.saved_provider_cache, other.saved_provider_cache);
        delta(&mut self.saved_ours, other.saved_ours);
        delta(&mut self.harm, other.harm);
    }

    /// Prompt tokens, cached or not.
    pub fn input(&self) -> u64 {
        self.fresh_input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write_5m)
            .saturating_add(self.cache_write_1h)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
