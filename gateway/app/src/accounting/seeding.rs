//! What budgets begin with, from the ledger: after a start, for a new budget, for a task that comes back, and when their store has lost
//! everything.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use skinflint_budget::{
    Ask, BudgetError, Grant, Limit, Missing, OpenCall, ReservationId, Seed, Seeding,
};
use skinflint_ledger::{LedgerError, Reservation};
use skinflint_money::NanoUsd;
use skinflint_policies::{ModelPattern, Tenant, TenantId};
use tokio::sync::{Mutex, MutexGuard};

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
            let Some(_turn) = self.0.turns.take(&tenant.id, missing).await else {
                continue;
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

/// Whose turn it is to read the ledger: of the thousands of calls that may miss the same accounts at once, one does it for all.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Accounts share a turn by their hash.
    turns: [Mutex<()>; TURNS],
    hasher: RandomState,
}

/// Accounts that can be read at the same time; the ledger has fewer connections for reading.
const TURNS: usize = 16;

// === impl Turns ===

impl Turns {
    /// The turn, if nobody has it; none after somebody else has had it, who may have seeded the same accounts.
    async fn take(&self, tenant: &TenantId, missing: &[Missing]) -> Option<MutexGuard<'_, ()>> {
        let first = missing.first().map(|account| &account.scope);
        let hash = self.hasher.hash_one((tenant.as_str(), first));
        let place = usize::try_from(hash).unwrap_or_default() % TURNS;
        let turn = &self.turns[place];
        if let Ok(turn) = turn.try_lock() {
            return Some(turn);
        }
        let _theirs_is_over = turn.lock().await;
        None
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
        id: ReservationId(row.request.as_u128()),
        limits,
        held: row.held,
        exposed: row.upper,
    })
}
