//! What has to be done about money from time to time, without any call.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{Accounting, Books};
use crate::clock;

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
        books.budgets.forget_idle(before(FORGET_AFTER));
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
