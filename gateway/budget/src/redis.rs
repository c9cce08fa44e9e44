//! Books that several gateways share, in Redis.

mod answer;
mod courier;
mod link;
mod outbox;
mod question;
mod stray;
mod tenant;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use skinflint_money::NanoUsd;
use tokio::sync::Notify;

pub use self::link::ConnectError;
use self::{
    answer::{Answer, Standing},
    link::{Link, NoAnswer},
    outbox::{Outbox, Task},
    question::Question,
    tenant::{Absence, Tenant},
};
use crate::{AccountStatus, Ask, BudgetError, Grant, Limit, ReservationId, Seeding, Watch};

/// Where shared books are, and what holds without them.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `redis://host:port/db` or `unix:///path`; an instance that evicts nothing.
    pub url: String,
    /// The ledger that has the calls of this process, told from all other ledgers; without `/`. Only who shares it can
    /// say what became of them.
    pub ledger: String,
    /// This process, told from all others and from itself before a restart.
    pub node: String,
    /// Hard limits while Redis cannot be reached.
    pub when_down: WhenDown,
    /// The most that a call waits for an answer before Redis counts as down, [`RedisConfig::ANSWER_WITHIN`] by
    /// default.
    pub answer_within: Duration,
}

/// What hard limits do while Redis cannot be reached. Soft ones go on, counted by each node for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenDown {
    /// Refuse, with [`BudgetError::StoreDown`].
    Closed,
    /// Admit a share of what was left at the last contact. With shares of all nodes that sum up to a million at most,
    /// no cap is broken; an account of which this node has never heard is closed.
    Share {
        /// Millionths of what was left.
        ppm: u32,
    },
}

/// The books of all tenants, in Redis.
///
/// One script decides over all accounts of a tenant, by the server's clock. Calls never wait for a connection, and no
/// longer than [`RedisConfig::answer_within`] for an answer; after a failure they fail at once until the background
/// work ([`RedisBooks::run`]) has the server back. What is settled meanwhile is told then.
pub struct RedisBooks {
    link: Link,
    node: Arc<str>,
    when_down: WhenDown,
    state: Mutex<State>,
    watch: Watch,
    /// There is something in the outbox.
    wake: Notify,
    /// The outbox has become empty.
    emptied: Notify,
    /// The server's clock less the callers', in milliseconds.
    skew_ms: AtomicI64,
    /// The latest moment of a caller, in unix milliseconds.
    latest_ms: AtomicI64,
    numbers: AtomicU64,
    /// Histories that move time replace the server's clock.
    #[cfg(test)]
    test_clock: bool,
}

#[derive(Debug, Default)]
struct State {
    tenants: HashMap<Arc<str>, Tenant>,
    outbox: Outbox,
}

/// Takes back a reservation whose answer nobody hears: the caller is gone, or the answer is late.
struct Unheard<'a> {
    books: &'a RedisBooks,
    tenant: &'a str,
    now_ms: i64,
    id: Option<ReservationId>,
}

/// Above this, Lua's doubles could not tell amounts apart.
const HIGHEST_CAP: NanoUsd = NanoUsd::new(9_000_000_000_000_000);

// === impl RedisConfig ===

impl RedisConfig {
    /// Long enough for a healthy server under load in the same zone, short enough that nobody notices an outage.
    pub const ANSWER_WITHIN: Duration = Duration::from_millis(50);
}

// === impl RedisBooks ===

impl RedisBooks {
    /// Connects. A server that is down is no error: it is waited for; one that evicts is.
    pub async fn connect(config: RedisConfig, watch: Watch) -> Result<Self, ConnectError> {
        let books = Self {
            link: Link::new(&config.url, config.answer_within)?,
            node: Arc::from(format!("{}/{}", config.ledger, config.node)),
            when_down: config.when_down,
            state: Mutex::default(),
            watch,
            wake: Notify::new(),
            emptied: Notify::new(),
            skew_ms: AtomicI64::new(0),
            latest_ms: AtomicI64::new(0),
            numbers: AtomicU64::new(0),
            #[cfg(test)]
            test_clock: false,
        };
        match books.link.connect(books.number()).await {
            Ok(session) => books.link.open(session),
            Err(error @ ConnectError::Evicts(_)) => return Err(error),
            Err(error) => tracing::warn!(%error, "the budget store is down"),
        }
        Ok(books)
    }

    /// See [`crate::Book::reserve`].
    pub async fn reserve(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        ask: Ask,
    ) -> Result<Grant, BudgetError> {
        if let Some(error) = tenant::too_large(limits, HIGHEST_CAP) {
            return Err(error);
        }
        let amounts = ask.amounts();
        let mut unheard = Unheard {
            books: self,
            tenant,
            now_ms,
            id: Some(id),
        };
        let question = Question::reserve(id, limits, amounts);
        match self.ask(tenant, now_ms, question).await {
            Ok(answer) => {
                unheard.id = None;
                let grant = answer.granted(id, limits, amounts)?;
                self.with(tenant, |tenant| tenant.stored(id, limits, grant));
                Ok(grant)
            }
            Err(error) => {
                if matches!(error, NoAnswer::Down) {
                    unheard.id = None;
                }
                let absence = self.absence();
                let grant = self.with(tenant, |tenant| {
                    tenant.reserve_alone(now_ms, id, limits, ask, absence)
                })?;
                unheard.id = None;
                self.send(tenant, now_ms, Task::Adopt(id));
                Ok(grant)
            }
        }
    }

    /// See [`crate::Book::extend`].
    pub async fn extend(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        by: NanoUsd,
        at_least: NanoUsd,
    ) -> Result<NanoUsd, BudgetError> {
        let step = Ask::Leased {
            first: by,
            floor: at_least,
        };
        let amounts = step.amounts();
        let call = self.with(tenant, |tenant| tenant.call(id));
        let question = Question::extend(id, amounts, call.as_ref());
        if let Ok(answer) = self.ask(tenant, now_ms, question).await {
            let limits = call.map_or_else(|| Arc::from([]), |call| call.limits);
            let grant = answer.granted(id, &limits, amounts)?;
            self.with(tenant, |tenant| tenant.stored(id, &limits, grant));
            return Ok(grant.exposed);
        }
        let absence = self.absence();
        let exposed = self.with(tenant, |tenant| {
            tenant.extend_alone(now_ms, id, by, at_least, absence)
        })?;
        self.send(tenant, now_ms, Task::Adopt(id));
        Ok(exposed)
    }

    /// See [`crate::Book::shrink`]. Where the store does not hear of it, the room stays taken until the call ends.
    pub async fn shrink(&self, tenant: &str, now_ms: i64, id: ReservationId, exposed: NanoUsd) {
        self.with(tenant, |tenant| tenant.shrink(id, exposed));
        let question = Question::shrink(id, exposed);
        let told = self.ask(tenant, now_ms, question).await;
        tracing::trace!(%id, told = told.is_ok(), "room given back");
    }

    /// See [`crate::Book::settle`]. Never waits: the store is told in the background, until it has heard. An id of
    /// another node is settled too.
    pub fn settle(&self, tenant: &str, now_ms: i64, id: ReservationId, actual: NanoUsd) {
        let ended = self.with(tenant, |tenant| tenant.end(now_ms, id, actual));
        let task = Task::Settle { id, actual, ended };
        self.send(tenant, now_ms, task);
    }

    /// See [`crate::Book::charge`]. Never waits.
    pub fn charge(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        actual: NanoUsd,
    ) {
        let limits = Arc::clone(limits);
        let task = Task::Charge { id, limits, actual };
        self.send(tenant, now_ms, task);
    }

    /// See [`crate::Book::seed`]; of several nodes that seed at once, one does.
    pub async fn seed(
        &self,
        tenant: &str,
        now_ms: i64,
        seeding: &Seeding,
    ) -> Result<(), BudgetError> {
        let epoch = format!("{}-{now_ms}-{}", self.node, self.number());
        let question = Question::seed(seeding, Arc::from(epoch));
        let seeded = self.ask(tenant, now_ms, question).await;
        seeded.map(|_| ()).map_err(|_| BudgetError::StoreDown)
    }

    /// See [`crate::Book::status`].
    pub async fn status(
        &self,
        tenant: &str,
        now_ms: i64,
    ) -> Result<Vec<AccountStatus>, BudgetError> {
        let answer = self.ask(tenant, now_ms, Question::status()).await;
        let answer = answer.map_err(|_| BudgetError::StoreDown)?;
        let accounts = answer.accounts.iter().filter_map(Standing::status);
        let mut accounts: Vec<AccountStatus> = accounts.collect();
        accounts.sort_by(|a, b| (&a.scope, a.window).cmp(&(&b.scope, b.window)));
        Ok(accounts)
    }

    /// Drops what this node remembers of accounts that it has not heard of since `before_ms`.
    pub fn forget_idle(&self, before_ms: i64) {
        for tenant in self.state.lock().tenants.values_mut() {
            tenant.forget_idle(before_ms);
        }
    }

    /// Open calls of this node.
    pub fn open_calls(&self) -> usize {
        let state = self.state.lock();
        let calls = state
            .tenants
            .values()
            .map(|tenant| tenant.open_calls().count());
        calls.sum()
    }

    /// Waits until the store has heard everything so far.
    pub async fn flushed(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.state.lock().outbox.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Asks by the caller's clock and what is known of the server's; once more if that was wrong.
    async fn ask(&self, tenant: &str, now_ms: i64, question: Question) -> Result<Answer, NoAnswer> {
        let base = base(tenant);
        let asked = self.addressed(now_ms, question.clone());
        let mut answer = self.link.ask(&base, &asked).await?;
        if answer.clock {
            let again = question.addressed(answer.now.0, &self.node);
            answer = self.link.ask(&base, &again).await?;
        }
        let skew = answer.now.0.saturating_sub(now_ms);
        self.skew_ms.store(skew, Ordering::Relaxed);
        self.latest_ms.fetch_max(now_ms, Ordering::Relaxed);
        self.hear(tenant, now_ms, &answer);
        Ok(answer)
    }

    /// By what the server's clock should say at a moment of the caller's.
    fn addressed(&self, now_ms: i64, question: Question) -> Question {
        let server_ms = now_ms.saturating_add(self.skew_ms.load(Ordering::Relaxed));
        let question = question.addressed(server_ms, &self.node);
        #[cfg(test)]
        let question = self.by_test_clock(now_ms, question);
        question
    }

    fn hear(&self, tenant: &str, now_ms: i64, answer: &Answer) {
        if self.with(tenant, |tenant| tenant.hear(answer, now_ms)) {
            self.adopt_all();
            self.wake.notify_one();
        }
    }

    fn absence(&self) -> Absence {
        Absence {
            number: self.link.absence(),
            when_down: self.when_down,
        }
    }

    fn with<R>(&self, tenant: &str, work: impl FnOnce(&mut Tenant) -> R) -> R {
        let mut state = self.state.lock();
        if let Some(known) = state.tenants.get_mut(tenant) {
            return work(known);
        }
        work(state.tenants.entry(Arc::from(tenant)).or_default())
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Debug for RedisBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBooks")
            .field("node", &self.node)
            .field("when_down", &self.when_down)
            .finish_non_exhaustive()
    }
}

/// The prefix of a tenant's keys: the version of their form, and the tenant as the hash tag.
fn base(tenant: &str) -> String {
    format!("sf1:{{{tenant}}}")
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.books.send(self.tenant, self.now_ms, Task::Cancel(id));
        }
    }
}

#[cfg(test)]
mod tests;
