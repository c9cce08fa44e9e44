//! What budgets begin with, from the ledger: after a start, for a new budget, for a task that comes back, and when their store has lost
//! everything.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;
use skinflint_budget::{
    Ask, BudgetError, Grant, Limit, Missing, OpenCall, ReservationId, Seed, Seeding,
};
use skinflint_ledger::{LedgerError, Reservation};
use skinflint_money::NanoUsd;
use skinflint_policies::{ModelPattern, Tenant, TenantId};
use tokio::sync::watch;

use super::{Accounting, Books, candidate::Candidate, scopes};
use crate::{clock, error::MoneyError};

/// Asking again after seeding finds everything seeded, unless the store has just been emptied once more.
const TRIES: usize = 3;

impl Accounting {
    /// Reserves; accounts that the budgets do not know are first read from the ledger.
    pub(super) async fn reserve_seeded(
        &self,
        tenant: &Tenant,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        ask: Ask,
    ) -> Result<Grant, MoneyError> {
        let Some(books) = self.books() else {
            return Err(BudgetError::StoreDown.into());
        };
        let mut tries = 0..TRIES;
        let mut has_waited = false;
        loop {
            let now = clock::unix_millis();
            let reserved = books
                .budgets
                .reserve(tenant.id.as_str(), now, id, limits, ask)
                .await;
            let (missing, is_lost) = match &reserved {
                Ok(grant) => return Ok(*grant),
                Err(BudgetError::Unseeded(missing)) => (missing, false),
                Err(BudgetError::StoreEmpty(missing)) => (missing, true),
                Err(_) => return Ok(reserved?),
            };
            // Who has waited once goes on alone: if the ledger is down, nobody waits for all the others to find out.
            let _turn = if has_waited {
                None
            } else {
                let turn = self.0.turns.take(&tenant.id, missing).await;
                has_waited = turn.is_none();
                if has_waited {
                    continue;
                }
                turn
            };
            if tries.next().is_none() {
                return Ok(reserved?);
            }
            let seeding = books.seeding(tenant, missing, is_lost).await?;
            books
                .budgets
                .seed(tenant.id.as_str(), now, &seeding)
                .await?;
        }
    }

    /// The prompt of a call that names input which the provider keeps: what the named answer had, if that is known, and
    /// else the whole window.
    pub(super) async fn referred(&self, candidate: &Candidate<'_>, own: u64) -> u64 {
        let window = candidate.quote.price.context_window;
        let whole = window.unwrap_or(LARGEST_WINDOW).max(own);
        let view = &candidate.call.view;
        let (Some(response), Some(books)) = (&view.previous_response_id, self.books()) else {
            return whole;
        };
        let tenant = candidate.call.call.caller.tenant.id.as_str();
        match books
            .ledger
            .reader()
            .response_tokens(tenant, response)
            .await
        {
            Ok(Some(tokens)) => tokens.saturating_add(own).min(whole),
            Ok(None) => whole,
            Err(error) => {
                tracing::warn!(%error, "the ledger cannot tell the length of an earlier answer");
                whole
            }
        }
    }
}

/// Where the price list does not say how long a prompt can be.
const LARGEST_WINDOW: u64 = 2_000_000;

/// Accounts that are being read from the ledger: of the thousands of calls that may miss one at once, one reads it for all.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Account, watch::Sender<()>>>);

/// A tenant, and a scope of it.
type Account = (TenantId, Arc<str>);

/// The right to read an account, until it is dropped.
#[derive(Debug)]
struct Turn<'a> {
    turns: &'a Turns,
    account: Account,
}

// === impl Turns ===

impl Turns {
    /// The turn, if nobody has it; none once the turn of somebody else is over, who may have seeded the account.
    async fn take(&self, tenant: &TenantId, missing: &[Missing]) -> Option<Turn<'_>> {
        let scope = missing.first().map(|account| Arc::clone(&account.scope));
        let account = (tenant.clone(), scope.unwrap_or_default());
        let mut over = match self.0.lock().entry(account.clone()) {
            Entry::Occupied(theirs) => theirs.get().subscribe(),
            Entry::Vacant(place) => {
                place.insert(watch::Sender::new(()));
                return Some(Turn {
                    turns: self,
                    account,
                });
            }
        };
        // An error is what says that it is over.
        let _over = over.changed().await;
        None
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.0.lock().remove(&self.account);
    }
}

// === impl Books ===

impl Books {
    async fn seeding(
        &self,
        tenant: &Tenant,
        missing: &[Missing],
        is_lost: bool,
    ) -> Result<Seeding, LedgerError> {
        // What was settled and is not on disk yet would be forgotten.
        self.ledger.flush().await?;
        let mut accounts = Vec::with_capacity(missing.len());
        for account in missing {
            let spent = self.spent(tenant, account).await?;
            accounts.push(Seed {
                scope: account.scope.clone(),
                window: account.window,
                spent: vec![(clock::unix_millis(), spent)],
            });
        }
        let open = if is_lost {
            self.open_calls(tenant).await?
        } else {
            Vec::new()
        };
        Ok(Seeding { accounts, open })
    }

    /// What was spent on an account. The ledger adds up by names of models, a budget may be for all that begin alike.
    async fn spent(&self, tenant: &Tenant, account: &Missing) -> Result<NanoUsd, LedgerError> {
        let reader = self.ledger.reader();
        let since = Some(account.since_ms);
        let name = tenant.id.as_str();
        let pattern = account
            .scope
            .strip_prefix("model:")
            .and_then(ModelPattern::parse);
        let Some(pattern) = pattern.filter(|pattern| pattern.exact().is_none()) else {
            return Ok(reader.spent(name, &account.scope, since).await?.billed);
        };
        let models = reader.spent_by_scope(name, "model:", since).await?;
        let covered = models.iter().filter(|(scope, _)| {
            scope
                .strip_prefix("model:")
                .is_some_and(|model| pattern.matches(model))
        });
        Ok(covered.fold(NanoUsd::ZERO, |sum, (_, spent)| {
            sum.saturating_add(spent.billed)
        }))
    }

    /// Calls that are on their way, through any gateway, as the store knew them before it lost everything.
    async fn open_calls(&self, tenant: &Tenant) -> Result<Vec<OpenCall>, LedgerError> {
        let open = self
            .ledger
            .reader()
            .open_reservations(tenant.id.as_str())
            .await?;
        Ok(open
            .into_iter()
            .filter_map(|open| open_call(tenant, &open.reservation))
            .collect())
    }
}

fn open_call(tenant: &Tenant, row: &Reservation) -> Option<OpenCall> {
    let limits = scopes::limits_of_row(tenant, row);
    (!limits.is_empty()).then(|| OpenCall {
        id: ReservationId(row.reserved_as().as_u128()),
        limits,
        held: row.held,
        exposed: row.upper,
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use skinflint_budget::Window;

    use super::*;

    fn missing(scope: &str) -> [Missing; 1] {
        [Missing {
            scope: scope.into(),
            window: Window::Month,
            since_ms: 0,
        }]
    }

    #[tokio::test]
    async fn one_reads_an_account_for_all_that_miss_it() {
        let (turns, tenant) = (Turns::default(), TenantId::parse("acme").unwrap());
        let (tasks, keys) = (missing("task:t"), missing("key:k"));
        let turn = turns.take(&tenant, &tasks).await;
        assert!(turn.is_some());
        let mut waiting = Box::pin(turns.take(&tenant, &tasks));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(turns.take(&tenant, &keys).await.is_some());
        drop(turn);
        assert!(waiting.await.is_none());
        assert!(turns.take(&tenant, &tasks).await.is_some());
    }
}
