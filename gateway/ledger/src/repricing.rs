//! History by other prices.

use std::collections::BTreeMap;

use serde::Serialize;
use skinflint_money::NanoUsd;
use uuid::Uuid;

use crate::entry::{Money, limits};
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::reader::{AttemptRow, attempt_columns};
use crate::writer::order::{Order, Repriced};

/// What an attempt costs by other prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repricing {
    /// The money.
    pub money: Money,
    /// The lines of the receipt, JSON.
    pub lines: String,
    /// The price table.
    pub price_version: String,
}

/// What other prices changed for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TenantRepricing {
    /// The tenant.
    pub tenant: String,
    /// Attempts that have a new price.
    pub attempts: u64,
    /// What these cost before.
    pub before: NanoUsd,
    /// And now.
    pub after: NanoUsd,
}

/// Attempts of one transaction.
const CHUNK: u32 = 500;

/// Sources whose cost follows from the usage; an upper bound has no usage to price.
const PAGE: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    " WHERE a.id > $1 AND a.settled_ms >= $2 AND a.source IN ('provider', 'counted') ORDER BY a.id LIMIT $3"
);

impl Ledger {
    /// Computes the cost of attempts anew from their stored usage, with all that adds them up.
    ///
    /// `price` is asked for each attempt settled since then by usage that the provider said or we counted; `None` leaves
    /// it as it is. Each transaction changes some attempts and their sums together, so that the ledger is right at any
    /// time, and a repricing that was cut off can be repeated. What budgets have counted as spent already is not
    /// changed: they learn of it when they next start from the ledger. Subscriptions' notional costs are in the answer
    /// like any other.
    pub async fn reprice(
        &self,
        since_ms: i64,
        mut price: impl FnMut(&AttemptRow) -> Option<Repricing> + Send,
    ) -> Result<Vec<TenantRepricing>, LedgerError> {
        // What waits is priced by the old table and would be missed.
        self.flush().await?;
        let mut tenants: BTreeMap<String, TenantRepricing> = BTreeMap::new();
        let mut last = Uuid::nil();
        loop {
            let values = vec![last.into(), since_ms.into(), CHUNK.into()];
            let page = self.reader().fetch(PAGE, values).await?;
            let mut changes = Vec::new();
            let mut count = 0_u32;
            for mut row in page {
                let attempt = AttemptRow::read(&mut row)?;
                last = attempt.id;
                count = count.saturating_add(1);
                if let Some(repricing) = price(&attempt) {
                    changes.push(change(attempt, repricing));
                }
            }
            for change in &changes {
                let sums = tenants.entry(change.tenant.clone()).or_default();
                sums.attempts = sums.attempts.saturating_add(1);
                sums.before = sums.before.saturating_add(change.before.cost);
                sums.after = sums.after.saturating_add(change.after.cost);
            }
            if !changes.is_empty() {
                self.order(Order::Reprice(changes)).await?;
            }
            if count < CHUNK {
                break;
            }
        }
        let named = |(tenant, sums)| TenantRepricing { tenant, ..sums };
        Ok(tenants.into_iter().map(named).collect())
    }
}

fn change(attempt: AttemptRow, mut repricing: Repricing) -> Repriced {
    limits::cut(&mut repricing.lines, usize::MAX);
    limits::cut(&mut repricing.price_version, limits::NAME_BYTES);
    Repriced {
        id: attempt.id,
        tenant: attempt.tenant,
        task: attempt.task_id,
        scopes: attempt.scopes,
        settled_ms: attempt.settled_ms,
        notional: attempt.notional,
        before: attempt.money,
        after: limits::clamped(repricing.money),
        lines: repricing.lines,
        price_version: repricing.price_version,
    }
}
