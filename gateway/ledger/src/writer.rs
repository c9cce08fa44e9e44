//! The one task that writes.
//!
//! Reservations are waited for: those that have arrived while the last commit ran, or are about to, go into the next one
//! together, so that the wait is at most two commits and there is no timer in it. Settlements and receipts are waited for by nobody:
//! they are gathered for [`SETTLE_WITHIN`], because adding up many of them costs hardly more than one.

pub(crate) mod batch;
mod failpoint;
pub(crate) mod order;
mod outage;
mod reserve;
mod settle;
pub(crate) mod tables;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::Duration;

use skinflint_money::NanoUsd;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::config::Config;
use crate::entry::{Recovered, RequestRow, Reservation, Settlement};
use crate::error::LedgerError;
use crate::store::Connection;
use batch::Row;
use order::Order;
use outage::{Outage, within};
use reserve::Urgent;

/// Operations taken from the channel at once.
const TAKEN: usize = 1_024;
/// Settlements and receipts in a transaction: enough to share its cost, few enough that a reservation behind it
/// waits some milliseconds.
const ROWS: usize = 512;
/// How long a settlement may lie in memory alone. If the process is killed in that time, the call counts with its
/// upper bound, as one whose answer was still under way. It is short beside an answer, and long enough to gather calls.
pub const SETTLE_WITHIN: Duration = Duration::from_millis(20);
/// At the end, a ledger that cannot be written is tried for so long.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);
/// Rows written after which the log of SQLite is moved into the file when nobody waits, some 4 MB.
const CHECKPOINT_IDLE: usize = 8_192;
/// Rows written after which it is moved in any case, some 32 MB.
const CHECKPOINT_BUSY: usize = 65_536;

/// An operation for the writer.
#[derive(Debug)]
pub(crate) enum Op {
    Reserve(Box<Reservation>, String, Reply<()>),
    Extend(Uuid, NanoUsd, Reply<()>),
    /// Nobody waits for the answer to a reservation any more.
    Withdraw(Uuid),
    Settle(Box<Settlement>),
    Record(Box<RequestRow>),
    Flush(Reply<()>),
    Order(Order, Reply<u64>),
    /// Of nodes that are silent since the first time, settled as of the second, in unix milliseconds.
    RecoverDead(i64, i64, Reply<Vec<Recovered>>),
    /// A statement of SQLite, such as a limit that makes writes fail.
    #[cfg(test)]
    Pragma(&'static str, Reply<u64>),
    Close,
}

pub(crate) type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// What the handles see of the writer.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    /// Settlements and receipts that are in memory alone.
    pub(crate) backlog: AtomicUsize,
    /// Receipts of refusals that were given up because nothing could be written.
    pub(crate) dropped: AtomicU64,
    /// The last write failed.
    pub(crate) failing: AtomicBool,
}

/// Writes what the handles of a ledger ask for; see [`Writer::run`].
#[derive(Debug)]
pub struct Writer {
    config: Config,
    connection: Option<Connection>,
    /// The lock of SQLite's file, held as long as the writer lives.
    _lock: Option<File>,
    ops: mpsc::UnboundedReceiver<Op>,
    gauges: Arc<Gauges>,
    /// Reservations of this process that are not settled.
    open: HashMap<Uuid, Box<Reservation>>,
    waiting: VecDeque<Row>,
    /// When the oldest of the waiting rows came.
    waiting_since: Option<Instant>,
    outage: Option<Outage>,
    /// Rows in the next transaction of those that wait: fewer after a failure, so that one that cannot be written
    /// does not keep the others back.
    batch: usize,
    /// Rows in the log of SQLite, about.
    logged: usize,
}

impl Writer {
    pub(crate) fn new(
        config: Config,
        connection: Connection,
        lock: Option<File>,
        ops: mpsc::UnboundedReceiver<Op>,
        gauges: Arc<Gauges>,
    ) -> Self {
        Self {
            config,
            connection: Some(connection),
            _lock: lock,
            ops,
            gauges,
            open: HashMap::new(),
            waiting: VecDeque::new(),
            waiting_since: None,
            outage: None,
            batch: ROWS,
            logged: 0,
        }
    }

    /// Writes until the ledger is closed or its last handle is gone, and then what is left.
    ///
    /// Fails with the last error if that could not be written: those calls are still reserved, and the next start
    /// settles them at their upper bound.
    pub async fn run(mut self) -> Result<(), LedgerError> {
        let mut ops = Vec::with_capacity(TAKEN);
        loop {
            let wake = self.wake();
            tokio::select! {
                biased;
                taken = self.ops.recv_many(&mut ops, TAKEN) => if taken == 0 {
                    break;
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            self.gather(&mut ops).await;
            Box::pin(self.turn(&mut ops)).await;
        }
        self.finish().await
    }

    /// Adds what else is asked for. Before a reservation is written, the tasks that are ready to run have their turn: in
    /// a busy process many of them reserve, and one commit for all costs hardly more than for one. In an idle one nobody
    /// has to wait for that.
    async fn gather(&mut self, ops: &mut Vec<Op>) {
        if ops.iter().any(|op| matches!(op, Op::Reserve(..))) {
            yield_now().await;
        }
        while ops.len() < TAKEN
            && let Ok(op) = self.ops.try_recv()
        {
            ops.push(op);
        }
    }

    /// When there is something to do although nobody asks.
    fn wake(&self) -> Option<Instant> {
        let due = self.waiting_since?.checked_add(SETTLE_WITHIN)?;
        let retry = self.outage.as_ref().map_or(due, |outage| outage.retry);
        Some(due.max(retry))
    }

    async fn turn(&mut self, ops: &mut Vec<Op>) {
        let mut urgent = Urgent::default();
        let mut asked = Vec::new();
        for op in ops.drain(..) {
            match op {
                Op::Reserve(reservation, call, reply) => {
                    let attempt = reservation.attempt;
                    urgent.opened.push((attempt, call, reply));
                    self.open.insert(attempt, reservation);
                }
                Op::Extend(attempt, upper, reply) => urgent.raised.push((attempt, upper, reply)),
                Op::Withdraw(attempt) => self.withdraw(attempt),
                Op::Settle(settlement) => self.settle(*settlement),
                Op::Record(row) => self.push(Row::Request(row)),
                #[cfg(test)]
                Op::Pragma(pragma, reply) => {
                    let done = self.connected().await;
                    let done = done.unwrap().execute(pragma, Vec::new()).await;
                    let _ = reply.send(done.map_err(LedgerError::write));
                }
                Op::Close => self.ops.close(),
                Op::Flush(_) | Op::Order(..) | Op::RecoverDead(..) => asked.push(op),
            }
        }
        self.reserve(urgent).await;
        if !asked.is_empty() {
            self.answer(asked).await;
        } else if self.is_due() {
            // An error is kept and the rows with it; the next try comes by itself.
            while self.write_some().await.is_ok() && self.waiting.len() >= ROWS {}
        }
        self.checkpoint().await;
    }

    /// Settlements are written when they are many or one of them has waited long enough, and not sooner than a failure
    /// allows.
    fn is_due(&self) -> bool {
        if self.is_waiting_to_retry() {
            return false;
        }
        let late = self.wake().is_some_and(|wake| wake <= Instant::now());
        late || self.waiting.len() >= self.batch
    }

    /// Does what was asked for, after all that came before it is written.
    async fn answer(&mut self, asked: Vec<Op>) {
        let written = self.write_all().await;
        for op in asked {
            match op {
                Op::Order(order, reply) => {
                    let done = match &written {
                        Ok(()) => self.carry_out(order).await,
                        Err(error) => Err(error.clone()),
                    };
                    let _ = reply.send(done);
                }
                Op::RecoverDead(silent_since_ms, at_ms, reply) => {
                    let done = match &written {
                        Ok(()) => self.recover_dead(silent_since_ms, at_ms).await,
                        Err(error) => Err(error.clone()),
                    };
                    let _ = reply.send(done);
                }
                Op::Flush(reply) => {
                    let _ = reply.send(written.clone());
                }
                _ => {}
            }
        }
    }

    async fn carry_out(&mut self, order: Order) -> Result<u64, LedgerError> {
        let dialect = self.config.dialect();
        let done = match self.connected().await {
            Ok(connection) => within(dialect, Box::pin(order.carry_out(connection))).await,
            Err(error) => Err(error),
        };
        done.map_err(|error| self.failed(error))
    }

    async fn recover_dead(
        &mut self,
        silent_since_ms: i64,
        at_ms: i64,
    ) -> Result<Vec<Recovered>, LedgerError> {
        let dialect = self.config.dialect();
        let done = match self.connected().await {
            Ok(connection) => {
                let recovery = order::recover_dead(connection, silent_since_ms, at_ms);
                within(dialect, Box::pin(recovery)).await
            }
            Err(error) => Err(error),
        };
        done.map_err(|error| self.failed(error))
    }

    /// Moves SQLite's log into the file, when nobody waits or the log is long.
    async fn checkpoint(&mut self) {
        let limit = if self.ops.is_empty() {
            CHECKPOINT_IDLE
        } else {
            CHECKPOINT_BUSY
        };
        if self.logged < limit {
            return;
        }
        self.logged = 0;
        if let Some(connection) = &mut self.connection {
            failpoint::before_checkpoint();
            if let Err(error) = connection.checkpoint().await {
                self.failed(error);
            }
        }
    }

    /// Writes what is left when nobody asks any more.
    async fn finish(mut self) -> Result<(), LedgerError> {
        let give_up = Instant::now().checked_add(CLOSE_WITHIN);
        let mut result = self.write_all().await;
        while result.is_err() {
            let retry = self.outage.as_ref().map(|outage| outage.retry);
            match retry {
                Some(retry) if Some(retry) < give_up => sleep_until(retry).await,
                _ => break,
            }
            result = self.write_all().await;
        }
        if let Err(error) = &result {
            tracing::error!(cause = ?error, left = self.waiting.len(), "settlements could not be written; the next start settles these calls at their upper bound");
        }
        if let Some(connection) = self.connection.take() {
            failpoint::before_checkpoint();
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "the ledger did not close in order");
            }
        }
        result
    }
}
