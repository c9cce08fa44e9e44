//! The one door to budgets, wherever the books are.

use std::{fmt, sync::Arc};

use skinflint_money::NanoUsd;

use crate::{
    AccountStatus, Ask, BudgetError, ConnectError, Grant, Limit, LocalBooks, RedisBooks,
    RedisConfig, ReservationId, Seeding, Settled,
};

/// Hears of every settlement, by tenant: for alerts at thresholds. Must not wait.
pub type Watch = Arc<dyn Fn(&str, &Settled) + Send + Sync>;

/// Reservations of all tenants: in this process, or in Redis for several gateways.
///
/// A caller reserves before it sends, extends before it spends more, and settles once, whatever became of the call.
/// The ledger has a call before it is sent, and its settlement before [`Budgets::settle`]: what is read from the
/// ledger to seed an account then has every call that the books no longer know.
pub struct Budgets {
    place: Place,
    watch: Watch,
}

#[derive(Debug)]
enum Place {
    Local(LocalBooks),
    Redis(Arc<RedisBooks>),
}

// === impl Budgets ===

impl Budgets {
    /// Books in this process.
    pub fn local(watch: Watch) -> Self {
        Self {
            place: Place::Local(LocalBooks::new()),
            watch,
        }
    }

    /// Books in Redis, and the background work that keeps in touch with it: run that for as long as there are calls.
    pub async fn redis(
        config: RedisConfig,
        watch: Watch,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), ConnectError> {
        let books = Arc::new(RedisBooks::connect(config, Arc::clone(&watch)).await?);
        let courier = Arc::clone(&books);
        let budgets = Self {
            place: Place::Redis(books),
            watch,
        };
        Ok((budgets, async move { courier.run().await }))
    }

    /// Sets room aside under all limits or none; see [`crate::Book::reserve`]. Dropping this future leaves nothing
    /// reserved. `now_ms` is the time of day in unix milliseconds, here and below.
    pub async fn reserve(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        ask: Ask,
    ) -> Result<Grant, BudgetError> {
        match &self.place {
            Place::Local(books) => books.reserve(tenant, now_ms, id, limits, ask),
            Place::Redis(books) => books.reserve(tenant, now_ms, id, limits, ask).await,
        }
    }

    /// More room for an open call: what it may cost in all from now on; see [`crate::Book::extend`].
    pub async fn extend(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        by: NanoUsd,
        at_least: NanoUsd,
    ) -> Result<NanoUsd, BudgetError> {
        match &self.place {
            Place::Local(books) => books.extend(tenant, now_ms, id, by, at_least),
            Place::Redis(books) => books.extend(tenant, now_ms, id, by, at_least).await,
        }
    }

    /// Gives back what the call will not use; see [`crate::Book::shrink`].
    pub async fn shrink(&self, tenant: &str, now_ms: i64, id: ReservationId, exposed: NanoUsd) {
        match &self.place {
            Place::Local(books) => books.shrink(tenant, id, exposed),
            Place::Redis(books) => books.shrink(tenant, now_ms, id, exposed).await,
        }
    }

    /// Ends a call with what it cost, once; see [`crate::Book::settle`]. Never waits; the watch hears of it, with
    /// Redis a little later.
    pub fn settle(&self, tenant: &str, now_ms: i64, id: ReservationId, actual: NanoUsd) {
        match &self.place {
            Place::Local(books) => {
                let settled = books.settle(tenant, now_ms, id, actual);
                self.tell(tenant, &settled);
            }
            Place::Redis(books) => books.settle(tenant, now_ms, id, actual),
        }
    }

    /// Books what a call cost that never had a reservation here, once by its id; see [`crate::Book::charge`].
    pub fn charge(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        actual: NanoUsd,
    ) {
        match &self.place {
            Place::Local(books) => {
                let settled = books.charge(tenant, now_ms, id, limits, actual);
                self.tell(tenant, &settled);
            }
            Place::Redis(books) => books.charge(tenant, now_ms, id, limits, actual),
        }
    }

    /// Open calls of processes that have ended, as far as they had this process's ledger: they wait for
    /// [`Self::settle_stray`] with what the ledger has of them, zero if nothing. Books in this process have none.
    ///
    /// A process counts as ended when Redis has not heard of it for a minute.
    pub async fn strays(
        &self,
        tenant: &str,
        now_ms: i64,
    ) -> Result<Vec<ReservationId>, BudgetError> {
        match &self.place {
            Place::Local(_) => Ok(Vec::new()),
            Place::Redis(books) => books.strays(tenant, now_ms).await,
        }
    }

    /// Ends a call of another process, if it is open. Should that process be alive after all, the call cannot go on, and
    /// when it is settled only what goes beyond `actual` is counted. Never waits.
    pub fn settle_stray(&self, tenant: &str, now_ms: i64, id: ReservationId, actual: NanoUsd) {
        if let Place::Redis(books) = &self.place {
            books.settle_stray(tenant, now_ms, id, actual);
        }
    }

    /// Books what a reserved call of a process that has ended cost, as the ledger has just settled it, once.
    ///
    /// It may have been settled in Redis before its process ended. Where nothing is admitted without Redis that is known,
    /// and it is left at that; else, under soft limits alone or in shares, it may count twice rather than never.
    pub fn take_over(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        actual: NanoUsd,
    ) {
        match &self.place {
            Place::Local(_) => self.charge(tenant, now_ms, id, limits, actual),
            Place::Redis(books) => books.take_over(tenant, now_ms, id, limits, actual),
        }
    }

    /// Takes what the ledger knows, after [`BudgetError::Unseeded`] or [`BudgetError::StoreEmpty`]. However many do
    /// so at once, it counts once.
    pub async fn seed(
        &self,
        tenant: &str,
        now_ms: i64,
        seeding: &Seeding,
    ) -> Result<(), BudgetError> {
        match &self.place {
            Place::Local(books) => {
                books.seed(tenant, now_ms, seeding);
                Ok(())
            }
            Place::Redis(books) => books.seed(tenant, now_ms, seeding).await,
        }
    }

    /// How a tenant's accounts stand, by scope and window.
    pub async fn status(
        &self,
        tenant: &str,
        now_ms: i64,
    ) -> Result<Vec<AccountStatus>, BudgetError> {
        match &self.place {
            Place::Local(books) => Ok(books.status(tenant, now_ms)),
            Place::Redis(books) => books.status(tenant, now_ms).await,
        }
    }

    /// Drops what nothing touched since `before_ms`; see [`crate::Book::forget_idle`].
    pub fn forget_idle(&self, before_ms: i64) {
        match &self.place {
            Place::Local(books) => books.forget_idle(before_ms),
            Place::Redis(books) => books.forget_idle(before_ms),
        }
    }

    /// Open calls of this process; 0 once everything is settled.
    pub fn open_calls(&self) -> usize {
        match &self.place {
            Place::Local(books) => books.open_calls(),
            Place::Redis(books) => books.open_calls(),
        }
    }

    /// Waits until every settlement so far is in the books; before the process ends.
    pub async fn flushed(&self) {
        if let Place::Redis(books) = &self.place {
            books.flushed().await;
        }
    }

    fn tell(&self, tenant: &str, settled: &Settled) {
        if !settled.crossings.is_empty() {
            (self.watch)(tenant, settled);
        }
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::{
        Window,
        trial::{self, START_MS, limit, usd},
    };

    #[tokio::test]
    async fn the_door_leads_to_the_books_of_this_process() {
        let heard: Arc<Mutex<Vec<(String, NanoUsd)>>> = Arc::default();
        let ears = Arc::clone(&heard);
        let budgets = Budgets::local(Arc::new(move |tenant: &str, settled: &Settled| {
            let spent = settled
                .crossings
                .iter()
                .map(|crossing| crossing.spent_after);
            ears.lock()
                .extend(spent.map(|spent| (tenant.to_owned(), spent)));
        }));
        let limits: Arc<[Limit]> = Arc::from([limit("days", "tenant", Window::Day, 100, true)]);
        let seeding = trial::seeding(&limits);
        budgets.seed("acme", START_MS, &seeding).await.unwrap();
        let (id, other) = (ReservationId(1), ReservationId(2));
        let lease = Ask::Leased {
            first: usd(40),
            floor: usd(1),
        };
        let asked = budgets.reserve("acme", START_MS, id, &limits, lease);
        assert_eq!(asked.await.unwrap().exposed, usd(40));
        let extended = budgets.extend("acme", START_MS, id, usd(90), usd(60));
        assert_eq!(extended.await, Ok(usd(100)));
        budgets.shrink("acme", START_MS, id, usd(70)).await;
        for _ in 0..2 {
            budgets.settle("acme", START_MS, id, usd(65));
            budgets.charge("acme", START_MS, other, &limits, usd(5));
        }
        budgets.flushed().await;
        let spent = [65, 70].map(|spent| ("acme".to_owned(), usd(spent)));
        assert_eq!(*heard.lock(), spent);
        assert_eq!(budgets.open_calls(), 0);
        budgets.forget_idle(START_MS + 1);
        assert_eq!(budgets.status("acme", START_MS).await, Ok(Vec::new()));
    }
}
