//! The handle of a ledger.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use skinflint_money::NanoUsd;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::config::{Config, Store};
use crate::entry::{Recovered, RequestRow, Reservation, Settlement, limits};
use crate::error::{LedgerError, OpenError};
use crate::reader::Reader;
use crate::store::{Connection, Dialect};
use crate::task::Outcome;
use crate::writer::order::{self, Order};
use crate::writer::{Gauges, Op, Reply, Writer};

/// A name of a gateway that is not free by then is taken.
const NAME_FREE_WITHIN: Duration = Duration::from_secs(5);
/// Time between looks whether it is.
const NAME_TRIES: Duration = Duration::from_millis(50);

/// The durable record of what was reserved and spent. Clones are handles of the same ledger.
#[derive(Debug, Clone)]
pub struct Ledger {
    ops: mpsc::UnboundedSender<Op>,
    gauges: Arc<Gauges>,
    reader: Reader,
    node: Arc<str>,
}

impl Ledger {
    /// Opens a ledger for writing, makes or updates its tables, and settles what a dead process left open.
    ///
    /// The caller runs the [`Writer`]; without it nothing is written. What this node left open when it ended (in a
    /// file: what anyone left open) is settled at its upper bound as of `now_ms`, with the source
    /// [`Crash`](crate::Source::Crash), and returned.
    pub async fn open(
        mut config: Config,
        now_ms: i64,
    ) -> Result<(Self, Writer, Vec<Recovered>), OpenError> {
        limits::cut(&mut config.node, limits::NAME_BYTES);
        let lock = match &config.store {
            Store::Sqlite { path } => Some(lock(path)?),
            Store::Postgres { .. } => None,
        };
        let mut connection = connect(&config).await?;
        connection.migrate().await?;
        let node = match config.dialect() {
            // The lock says that everybody else is dead.
            Dialect::Sqlite => None,
            Dialect::Postgres => Some(config.node.as_str()),
        };
        let recovered = Box::pin(order::recover(&mut connection, node, now_ms))
            .await
            .map_err(|error| OpenError::Recover(LedgerError::write(error)))?;
        order::heartbeat(&mut connection, &config.node, now_ms)
            .await
            .map_err(OpenError::Database)?;
        let reader = Reader::open(&config.store).await?;
        let (sender, ops) = mpsc::unbounded_channel();
        let gauges = Arc::new(Gauges::default());
        let ledger = Self {
            ops: sender,
            gauges: Arc::clone(&gauges),
            reader,
            node: Arc::from(config.node.as_str()),
        };
        let writer = Writer::new(config, connection, lock, ops, gauges);
        Ok((ledger, writer, recovered))
    }

    /// What can be asked of the ledger.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Reserves money for an attempt; when this returns, the reservation is durable.
    ///
    /// If it fails, or its future is dropped before it returns, nothing is reserved and nothing may be sent.
    pub async fn reserve(&self, reservation: Reservation) -> Result<(), LedgerError> {
        let reservation = Box::new(reservation.bounded()?);
        let call = serde_json::to_string(&*reservation).unwrap_or_default();
        let mut unheard = Unheard {
            ops: &self.ops,
            attempt: Some(reservation.attempt),
        };
        let answer = self
            .ask(|reply| Op::Reserve(reservation, call, reply))
            .await;
        unheard.attempt = None;
        answer
    }

    /// Raises the upper bound of an open reservation; when this returns, that is durable. A lower one changes nothing.
    pub async fn extend(&self, attempt: Uuid, upper: NanoUsd) -> Result<(), LedgerError> {
        limits::taken(upper)?;
        self.ask(|reply| Op::Extend(attempt, upper, reply)).await
    }

    /// Settles a reservation, soon and for good, once: a second settlement of an attempt changes nothing.
    ///
    /// Never waits. What cannot be written is kept and tried again.
    pub fn settle(&self, settlement: Settlement) {
        let settlement = settlement.bounded();
        let attempt = settlement.attempt;
        if !self.queue(Op::Settle(Box::new(settlement))) {
            tracing::error!(%attempt, "settled after the ledger was closed; the next start settles it at its upper bound");
        }
    }

    /// Keeps the receipt of a request, soon and once. Never waits.
    pub fn record(&self, row: RequestRow) {
        let row = row.bounded();
        let request = row.request;
        if !self.queue(Op::Record(Box::new(row))) {
            tracing::error!(%request, "recorded after the ledger was closed; the receipt is lost");
        }
    }

    /// Waits until all that was settled and recorded before is durable, or says why it is not.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        self.ask(Op::Flush).await
    }

    /// Settlements and receipts that are not durable yet.
    pub fn backlog(&self) -> usize {
        self.gauges.backlog.load(Ordering::Relaxed)
    }

    /// Receipts of refused calls that were given up in an outage.
    pub fn dropped(&self) -> u64 {
        self.gauges.dropped.load(Ordering::Relaxed)
    }

    /// The last write failed, and none has succeeded since.
    pub fn is_failing(&self) -> bool {
        self.gauges.failing.load(Ordering::Relaxed)
    }

    /// Takes no more; the writer writes what is left and ends.
    pub fn close(&self) {
        // Fails only if the writer has ended.
        let _ = self.ops.send(Op::Close);
    }

    /// Closes a task; false if there is no such task. A call that begins later opens it again.
    pub async fn close_task(
        &self,
        tenant: &str,
        task: &str,
        outcome: Option<Outcome>,
        by: &str,
        at_ms: i64,
    ) -> Result<bool, LedgerError> {
        let order = Order::Close {
            tenant: name(tenant),
            task: name(task),
            outcome: outcome.map(Outcome::name),
            by: name(by),
            at_ms,
        };
        Ok(self.order(order).await? > 0)
    }

    /// Says how a task went, open or closed; false if there is no such task.
    pub async fn set_outcome(
        &self,
        tenant: &str,
        task: &str,
        outcome: Outcome,
    ) -> Result<bool, LedgerError> {
        let order = Order::SetOutcome {
            tenant: name(tenant),
            task: name(task),
            outcome: outcome.name(),
        };
        Ok(self.order(order).await? > 0)
    }

    /// Closes the tasks that were last active before a time and have no call under way; how many these were.
    pub async fn close_idle(&self, before_ms: i64, at_ms: i64) -> Result<u64, LedgerError> {
        self.order(Order::CloseIdle { before_ms, at_ms }).await
    }

    /// True for the first who asks with a key, whichever gateway that is: who sends the alert.
    pub async fn first_alert(&self, key: &str, at_ms: i64) -> Result<bool, LedgerError> {
        let key = name(key);
        Ok(self.order(Order::Alert { key, at_ms }).await? > 0)
    }

    /// Says that this gateway is alive; to be repeated several times in the span of [`Self::recover_dead`].
    pub async fn heartbeat(&self, at_ms: i64) -> Result<(), LedgerError> {
        let node = self.node.to_string();
        self.order(Order::Heartbeat { node, at_ms }).await.map(drop)
    }

    /// Settles at the upper bound what gateways had reserved that share this ledger and were not heard of for so long.
    pub async fn recover_dead(
        &self,
        now_ms: i64,
        older_than_ms: i64,
    ) -> Result<Vec<Recovered>, LedgerError> {
        // Who asks is alive.
        self.heartbeat(now_ms).await?;
        let silent_since_ms = now_ms.saturating_sub(older_than_ms);
        self.ask(|reply| Op::RecoverDead(silent_since_ms, now_ms, reply))
            .await
    }

    pub(crate) async fn order(&self, order: Order) -> Result<u64, LedgerError> {
        self.ask(|reply| Op::Order(order, reply)).await
    }

    pub(crate) async fn ask<T>(&self, op: impl FnOnce(Reply<T>) -> Op) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.ops.send(op(reply)).map_err(|_| LedgerError::Closed)?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// Counts and sends something that is not waited for; false if nobody takes it any more.
    fn queue(&self, op: Op) -> bool {
        self.gauges.backlog.fetch_add(1, Ordering::Relaxed);
        let sent = self.ops.send(op).is_ok();
        if !sent {
            self.gauges.backlog.fetch_sub(1, Ordering::Relaxed);
        }
        sent
    }
}

/// Takes a reservation back whose answer nobody waited for: who did not hear of it has sent nothing.
struct Unheard<'a> {
    ops: &'a mpsc::UnboundedSender<Op>,
    attempt: Option<Uuid>,
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt {
            // Fails only if the writer has ended.
            let _ = self.ops.send(Op::Withdraw(attempt));
        }
    }
}

impl Config {
    pub(crate) const fn dialect(&self) -> Dialect {
        match self.store {
            Store::Sqlite { .. } => Dialect::Sqlite,
            Store::Postgres { .. } => Dialect::Postgres,
        }
    }
}

/// Connects for writing. A server needs a moment to see that the last process of this name is gone.
async fn connect(config: &Config) -> Result<Connection, OpenError> {
    let give_up = Instant::now().checked_add(NAME_FREE_WITHIN);
    loop {
        match Connection::open(config).await {
            Err(OpenError::NodeTaken { .. }) if Some(Instant::now()) < give_up => {
                sleep(NAME_TRIES).await;
            }
            opened => return opened,
        }
    }
}

/// A name as it stands in the ledger.
fn name(text: &str) -> String {
    let mut name = text.to_owned();
    limits::cut(&mut name, limits::NAME_BYTES);
    name
}

/// Keeps every other process from writing to a file of SQLite, until this one ends by whatever means.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let failed = |source| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            path: path.to_owned(),
            lock,
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
