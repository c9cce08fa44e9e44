//! What has to be done about money from time to time, without any call.

use std::{collections::HashSet, time::Duration};

use skinflint_ledger::OpenReservation;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::{Accounting, Books};
use crate::{clock, error::MoneyError};

/// Often enough that a task is closed within a minute of its time, and that other gateways know that this one is alive.
const EVERY: Duration = Duration::from_secs(15);
/// A gateway that has not been heard of for so long has died, and what it had reserved is settled by others.
const DEAD_AFTER: Duration = Duration::from_mins(2);
/// Accounts of tasks that have been idle for so long are forgotten; they come back from the ledger.
const FORGET_AFTER: Duration = Duration::from_hours(1);

impl Accounting {
    /// Keeps the books until the gateway stops.
    pub(crate) async fn upkeep(self) {
        let Some(books) = self.books() else { return };
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.0.tasks.draining() => return,
                _ = ticks.tick() => self.keep(books).await,
            }
        }
    }

    async fn keep(&self, books: &Books) {
        let now = clock::unix_millis();
        let before = |span: Duration| now.saturating_sub(millis(span));
        if let Err(error) = books.ledger.close_idle(before(books.task_idle), now).await {
            tracing::warn!(%error, "idle tasks cannot be closed");
        }
        match books.ledger.recover_dead(now, millis(DEAD_AFTER)).await {
            Ok(recovered) => self.recovered(&recovered),
            Err(error) => {
                tracing::warn!(%error, "the ledger cannot be looked through for dead gateways");
            }
        }
        self.settle_strays(books).await;
        books.budgets.forget_idle(before(FORGET_AFTER));
    }

    async fn settle_strays(&self, books: &Books) {
        let policies = self.0.policies.current();
        let budgeted = policies
            .tenants
            .all()
            .filter(|tenant| !tenant.budgets.is_empty());
        for tenant in budgeted {
            if let Err(error) = books.settle_strays(tenant.id.as_str()).await {
                tracing::warn!(%error, "the budgets' store cannot be looked through for calls of dead gateways");
                return;
            }
        }
    }
}

// === impl Books ===

impl Books {
    /// Ends in the budgets' store the calls of gateways that died before they had told it: between the store and the
    /// ledger, on their way in or out.
    async fn settle_strays(&self, tenant: &str) -> Result<(), MoneyError> {
        let now = clock::unix_millis();
        let strays = self.budgets.strays(tenant, now).await?;
        if strays.is_empty() {
            return Ok(());
        }
        let reader = self.ledger.reader();
        // Before what is settled is asked for: a call goes from here to there. Those here are settled when the ledger, too,
        // takes their gateway for dead.
        let open = reader.open_reservations(tenant).await?;
        let open: HashSet<Uuid> = open.iter().map(request_of).collect();
        for id in strays {
            let request = Uuid::from_u128(id.0);
            if open.contains(&request) {
                continue;
            }
            let known = reader.explain(request).await?;
            let cost = known.map(|known| known.cost).unwrap_or_default();
            tracing::warn!(
                %request,
                tenant,
                usd = %cost,
                "a call whose gateway ended before the budgets' store heard of its end is settled there as in the ledger"
            );
            self.budgets.settle_stray(tenant, now, id, cost);
        }
        Ok(())
    }
}

fn request_of(open: &OpenReservation) -> Uuid {
    open.reservation.request
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
