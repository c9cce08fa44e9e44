//! What calls may spend and what they have spent: budgets, rates, the ledger, and who is told.
//!
//! A call that may cost something is admitted ([`Accounting::admit`]): its price is known, every budget that counts it has
//! room, and its reservation is on disk. What comes of that is a [`Spending`], which goes along with the call, and settles it once
//! however it ends.

mod admit;
mod agents;
mod alerts;
mod books;
mod candidate;
mod learned;
mod meter;
mod open;
mod quote;
mod rate;
mod savings;
mod scopes;
mod seeding;
mod spend_rate;
mod spending;
mod standing;
mod upkeep;

use std::{path::Path, sync::Arc, time::Duration};

use skinflint_budget::{Limit, ReservationId};
use skinflint_ledger::{LedgerError, Outcome, Recovered, RequestRow, Reservation, Settlement};
use skinflint_money::NanoUsd;
use skinflint_policies::{self as policies, Counters, TenantId};
use skinflint_tokens::{Counter, Encoding};
use skinflint_upstream::{BuildError, Webhook};
use tokio::sync::Notify;
use uuid::Uuid;

pub(crate) use self::{
    admit::Denied,
    books::{Books, BooksError, config as ledger_config, store as ledger_store},
    candidate::Answerer,
    rate::{Rate, RateAccounts, Taken},
    savings::Savings,
    spending::Spending,
};
use self::{
    agents::AgentTree,
    alerts::Alerts,
    books::OpenLedger,
    learned::{Kind, Learned},
    seeding::Turns,
    spend_rate::{Sensitivity, SpendRates, Stream},
};
use crate::{
    clock, drain::Drain, error::MoneyError, failpoint, local::LocalModels, metrics::Metrics,
    policy::LivePolicies,
};

/// Everything that money passes through; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Accounting(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    books: Option<Books>,
    policies: LivePolicies,
    counter: Counter,
    learned: Learned,
    rates: RateAccounts,
    agents: AgentTree,
    spend_rates: SpendRates,
    alerts: Alerts,
    metrics: Metrics,
    local: LocalModels,
    tasks: Drain,
    /// Told whenever a budget may have got room.
    released: Notify,
    turns: Turns,
}

/// What accounting is made from.
#[derive(Debug)]
pub(crate) struct Foundations<'a> {
    /// Whether and where money is written down.
    pub ledger: &'a policies::Ledger,
    /// Where budgets are counted.
    pub counters: &'a Counters,
    /// Who is told.
    pub alerts: policies::Alerts,
    /// The user's data folder.
    pub data: &'a Path,
    /// Prices and budgets in force.
    pub policies: LivePolicies,
    /// Where alerts are counted.
    pub metrics: Metrics,
    /// Whose tokenizer counts what the local model reads.
    pub local: LocalModels,
    /// What stopping waits for.
    pub tasks: Drain,
}

/// Why there is no accounting.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ledger or the budgets' counters cannot be opened.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// The webhook's client cannot be made.
    #[error(transparent)]
    Webhook(#[from] BuildError),
}

/// Blocks whose token counts are remembered: the conversations of a few thousand agents.
const COUNTED_BLOCKS: u64 = 100_000;

// === impl Accounting ===

impl Accounting {
    /// Opens the books, and takes over what a process that died had left open.
    pub(crate) async fn open(on: Foundations<'_>) -> Result<Self, OpenError> {
        let webhook = on.alerts.webhook.map(Webhook::new).transpose()?;
        let alerts = |ledger| Alerts::new(ledger, webhook, on.metrics.clone(), on.tasks.clone());
        let (books, recovered, alerts) = match on.ledger {
            policies::Ledger::Off => (None, Vec::new(), alerts(None)),
            policies::Ledger::On(settings) => {
                let ledger = OpenLedger::open(settings, on.data).await?;
                let alerts = alerts(Some(ledger.ledger.clone()));
                let watch = alerts.clone().watch(on.policies.clone());
                let (books, recovered) = ledger.with_budgets(settings, on.counters, watch).await?;
                (Some(books), recovered, alerts)
            }
        };
        let this = Self(Arc::new(Inner {
            books,
            policies: on.policies,
            counter: Counter::new(COUNTED_BLOCKS),
            learned: Learned::new(),
            rates: RateAccounts::new(),
            agents: AgentTree::new(),
            spend_rates: SpendRates::new(Sensitivity {
                factor: on.alerts.anomaly.factor,
                least: on.alerts.anomaly.min,
            }),
            alerts,
            metrics: on.metrics,
            local: on.local,
            tasks: on.tasks,
            released: Notify::new(),
            turns: Turns::default(),
        }));
        this.recovered(&recovered);
        Ok(this)
    }

    /// The rates that callers are held to.
    pub(crate) fn rates(&self) -> &RateAccounts {
        &self.0.rates
    }

    fn learned(&self) -> &Learned {
        &self.0.learned
    }

    fn agents(&self) -> &AgentTree {
        &self.0.agents
    }

    /// Counts prompts and answers.
    pub(crate) fn counter(&self) -> &Counter {
        &self.0.counter
    }

    /// Where money is written down and counted, if it is.
    pub(crate) fn books(&self) -> Option<&Books> {
        self.0.books.as_ref()
    }

    /// Keeps the receipt of a call.
    pub(crate) fn record(&self, row: RequestRow) {
        if let Some(books) = self.books() {
            books.ledger.record(row);
        }
    }

    /// Closes a task, as a call of it has said.
    pub(crate) fn close_task(&self, tenant: &TenantId, task: String, outcome: Outcome) {
        let Some(books) = self.books() else { return };
        let (ledger, tenant) = (books.ledger.clone(), tenant.to_string());
        self.0.tasks.spawn(async move {
            let now = clock::unix_millis();
            let closed = ledger.close_task(&tenant, &task, Some(outcome), "client", now);
            if let Err(error) = closed.await {
                tracing::warn!(%error, task, "a task cannot be closed");
            }
        });
    }

    /// Takes over from calls that a dead process left open: the ledger has settled them, the budgets' store has not.
    fn recovered(&self, recovered: &[Recovered]) {
        let Some(books) = self.books() else { return };
        let policies = self.0.policies.current();
        for Recovered {
            reservation, node, ..
        } in recovered
        {
            tracing::warn!(
                request = %reservation.request,
                tenant = reservation.tenant,
                node,
                usd = %reservation.upper,
                "a call that was open when its gateway ended is settled at the most that it can have cost"
            );
            let tenant = TenantId::parse(&reservation.tenant)
                .and_then(|id| policies.tenants.get(&id).cloned());
            if let Some(tenant) = tenant {
                let id = ReservationId(reservation.reserved_as().as_u128());
                let limits = scopes::limits_of_row(&tenant, reservation);
                let now = clock::unix_millis();
                let Reservation { tenant, upper, .. } = reservation;
                if candidate::is_local(reservation) {
                    // Budgets hear of it only when it is over.
                    books.budgets.charge(tenant, now, id, &limits, *upper);
                } else {
                    books.budgets.take_over(tenant, now, id, &limits, *upper);
                }
            }
        }
    }

    /// Waits until a budget may have got room. A release between asking and waiting is missed, and so is one by another gateway: the wait is
    /// short.
    pub(crate) async fn room(&self) {
        const LOOK_AGAIN: Duration = Duration::from_millis(100);
        tokio::select! {
            () = self.0.released.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }

    /// Runs work that blocks; stopping waits for it.
    fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) {
        let blocking = tokio::task::spawn_blocking(work);
        // Given up only when the runtime is; what it holds is then dropped, and settled so.
        self.0.tasks.spawn(async move {
            let _done = blocking.await;
        });
    }

    fn local_encoding(&self, name: &str) -> Encoding {
        self.0.local.encoding(name).unwrap_or(Encoding::Bounded)
    }

    /// Makes a reservation durable. Without a ledger there is nothing to make.
    async fn write(&self, row: &Reservation) -> Result<(), MoneyError> {
        match self.books() {
            Some(books) => Ok(books.ledger.reserve(row.clone()).await?),
            None => Ok(()),
        }
    }

    /// Makes durable that a call may cost more than was reserved.
    async fn write_extension(&self, attempt: Uuid, upper: NanoUsd) -> Result<(), LedgerError> {
        match self.books() {
            Some(books) => books.ledger.extend(attempt, upper).await,
            None => Ok(()),
        }
    }

    fn settle(&self, settlement: Settlement) {
        if let Some(books) = self.books() {
            failpoint::before_settle();
            books.ledger.settle(settlement);
        }
    }

    /// Asks the budgets for more of what a stream may spend.
    async fn extend(
        &self,
        tenant: &TenantId,
        id: ReservationId,
        by: NanoUsd,
        at_least: NanoUsd,
    ) -> Option<NanoUsd> {
        let budgets = &self.books()?.budgets;
        let now = clock::unix_millis();
        match budgets.extend(tenant.as_str(), now, id, by, at_least).await {
            Ok(exposed) => Some(exposed),
            Err(error) => {
                tracing::info!(%tenant, %error, "a stream ends at its budget");
                None
            }
        }
    }

    /// Counts in the budgets what was spent without having been reserved there.
    fn charge(&self, tenant: &TenantId, id: ReservationId, limits: &Arc<[Limit]>, cost: NanoUsd) {
        if let Some(books) = self.books() {
            let now = clock::unix_millis();
            books.budgets.charge(tenant.as_str(), now, id, limits, cost);
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Gives back what was reserved, less what it cost.
    fn release(&self, tenant: &TenantId, id: ReservationId, cost: NanoUsd) {
        let Some(books) = self.books() else { return };
        books
            .budgets
            .settle(tenant.as_str(), clock::unix_millis(), id, cost);
        self.0.released.notify_waiters();
    }

    /// Holds a call's cost against what its tenant, and its class of tasks, usually spend.
    fn watch_spending(&self, kind: &Kind, cost: NanoUsd) {
        let classes = [None, kind.class.clone()];
        let streams = classes
            .into_iter()
            .take(1 + usize::from(kind.class.is_some()));
        for class in streams {
            let stream = Stream {
                tenant: kind.tenant.clone(),
                class,
            };
            let now = clock::unix_millis();
            if let Some(anomaly) = self.0.spend_rates.spent(&stream, now, cost) {
                self.0.alerts.unusual(&stream, anomaly);
            }
        }
    }
}
