//! What calls of the past would have cost by other prices.

use std::collections::BTreeMap;

use serde::Serialize;
use skinflint_ledger::{AttemptRow, Money, Repricing};
use skinflint_money::{MoneyOverflow, NanoUsd, NanoUsdDelta, Price, ServiceTier, Tariff};
use skinflint_policies::Prices;

use crate::{accounting::Savings, reconcile::Providers};

/// Prices attempts anew and adds up what that changes.
#[derive(Debug)]
pub(crate) struct Repricer {
    prices: Prices,
    providers: Providers,
    tenants: BTreeMap<String, Change>,
}

/// What other prices change for a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// Attempts that the new prices cover.
    pub attempts: u64,
    /// Of these: attempts whose cost or savings are others now.
    pub changed: u64,
    /// Attempts that keep their cost: their upstream is not configured any more, their model or tier has no price, or they
    /// were paid by the machine's time, which the ledger does not keep.
    pub kept: u64,
    /// What the covered attempts cost before.
    pub before_usd: NanoUsd,
    /// What they cost now.
    pub after_usd: NanoUsd,
}

/// The name of the model in this process among upstreams.
const LOCAL: &str = "local";

// === impl Repricer ===

impl Repricer {
    /// By these prices.
    pub(crate) fn new(prices: Prices, providers: Providers) -> Self {
        Self {
            prices,
            providers,
            tenants: BTreeMap::new(),
        }
    }

    /// What an attempt costs now, if that is something else than it cost.
    pub(crate) fn price(&mut self, attempt: &AttemptRow) -> Option<Repricing> {
        let priced = self.priced(attempt);
        let change = self.tenants.entry(attempt.tenant.clone()).or_default();
        let Some(repricing) = priced else {
            change.kept = change.kept.saturating_add(1);
            return None;
        };
        change.attempts = change.attempts.saturating_add(1);
        change.before_usd = change.before_usd.saturating_add(attempt.money.cost);
        change.after_usd = change.after_usd.saturating_add(repricing.money.cost);
        if repricing.money == attempt.money {
            return None;
        }
        change.changed = change.changed.saturating_add(1);
        Some(repricing)
    }

    /// By tenant.
    pub(crate) fn into_changes(self) -> BTreeMap<String, Change> {
        self.tenants
    }

    fn priced(&self, attempt: &AttemptRow) -> Option<Repricing> {
        let tier = ServiceTier::parse(&attempt.tier)?;
        if attempt.upstream == LOCAL {
            return match &self.prices.local {
                Tariff::Tokens(price) => self.repriced(attempt, price, tier, true),
                Tariff::Machine(_) => None,
            };
        }
        let provider = self.providers.get(&attempt.upstream)?;
        let (price, _) = self.prices.find(Some(provider), &attempt.upstream_model)?;
        self.repriced(attempt, &price, tier, false)
    }

    fn repriced(
        &self,
        attempt: &AttemptRow,
        price: &Price,
        tier: ServiceTier,
        is_local: bool,
    ) -> Option<Repricing> {
        let charge = price.charge(&attempt.usage, tier).ok()?;
        let cost = charge.total();
        let money = if is_local {
            local_money(&attempt.money, cost)
        } else {
            upstream_money(attempt, price, tier, cost).ok()?
        };
        Some(Repricing {
            money,
            lines: serde_json::to_string(&charge).ok()?,
            price_version: self.prices.version().to_owned(),
        })
    }
}

fn upstream_money(
    attempt: &AttemptRow,
    price: &Price,
    tier: ServiceTier,
    cost: NanoUsd,
) -> Result<Money, MoneyOverflow> {
    let savings = Savings::of(cost, price, &attempt.usage, &attempt.spared, tier)?;
    Ok(Money {
        cost,
        counterfactual: savings.counterfactual,
        saved_provider_cache: savings.provider_cache,
        saved_ours: savings.ours,
        harm: savings.harm,
    })
}

/// Which model was asked for in place of the local one stands nowhere by its price, so that what it would have cost is left as it was.
fn local_money(before: &Money, cost: NanoUsd) -> Money {
    let was_asked_for = before.counterfactual == before.cost;
    let counterfactual = if was_asked_for {
        cost
    } else {
        before.counterfactual
    };
    let ours = counterfactual.delta(cost);
    let nothing = NanoUsdDelta::default();
    Money {
        cost,
        counterfactual,
        saved_provider_cache: before.saved_provider_cache,
        saved_ours: ours.max(nothing),
        harm: ours.min(nothing),
    }
}
