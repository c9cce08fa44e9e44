//! What happens when the database cannot be written: calls may not spend, settlements are kept, tries go on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::Error as SqlError;
use tokio::time::{Instant, timeout};

use super::Writer;
use crate::error::{LedgerError, OpenError};
use crate::store::{Connection, Dialect};

/// After a failure the next try comes this much later, twice as much each time, up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// The longest time between tries.
const RETRY_MOST: Duration = Duration::from_secs(1);
/// A server that has not carried out a transaction by then is down.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// A failure that has not passed yet.
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) error: LedgerError,
    pub(super) retry: Instant,
    pause: Duration,
}

impl Writer {
    /// The connection; a new one if the last is lost, as soon as it is time to try.
    pub(super) async fn connected(&mut self) -> Result<&mut Connection, SqlError> {
        let connection = if let Some(connection) = self.connection.take() {
            connection
        } else if self.is_waiting_to_retry() {
            return Err(SqlError::PoolClosed);
        } else {
            let opened = Connection::open(&self.config).await;
            opened.map_err(|error| match error {
                OpenError::Database(error) => error,
                other => SqlError::Configuration(Box::new(other)),
            })?
        };
        Ok(self.connection.insert(connection))
    }

    /// It failed, and it is not time to try again.
    pub(super) fn is_waiting_to_retry(&self) -> bool {
        let outage = self.outage.as_ref();
        outage.is_some_and(|outage| outage.retry > Instant::now())
    }

    pub(super) fn succeeded(&mut self, rows: usize) {
        self.logged = self.logged.saturating_add(rows);
        if self.outage.take().is_some() {
            self.gauges.failing.store(false, Ordering::Relaxed);
            tracing::info!(
                waiting = self.waiting.len(),
                "the ledger can be written again"
            );
        }
    }

    /// Notes a failure; the connection is given up unless the database itself answered and can go on.
    pub(super) fn failed(&mut self, error: SqlError) -> LedgerError {
        if !may_go_on(&error, self.config.dialect()) {
            self.connection = None;
        }
        let pause = match &self.outage {
            // Failed without a try.
            Some(outage) if matches!(error, SqlError::PoolClosed) => return outage.error.clone(),
            Some(outage) => outage.pause.saturating_mul(2).min(RETRY_MOST),
            None => RETRY_FIRST,
        };
        let now = Instant::now();
        let error = LedgerError::write(error);
        self.gauges.failing.store(true, Ordering::Relaxed);
        tracing::error!(cause = ?error, waiting = self.waiting.len(), "the ledger cannot be written; no call may spend until it can");
        self.outage = Some(Outage {
            error: error.clone(),
            retry: now.checked_add(pause).unwrap_or(now),
            pause,
        });
        error
    }
}

/// A server is given up after a time; a disk is not, because its thread would write on.
///
/// What a server does after that cannot overtake what is written next: the next connection waits for the lock of this
/// node's name, which the old one holds until the server has ended it.
pub(super) async fn within<T>(
    dialect: Dialect,
    write: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    match dialect {
        Dialect::Sqlite => write.await,
        Dialect::Postgres => timeout(WRITE_WITHIN, write)
            .await
            .unwrap_or_else(|_| Err(SqlError::Io(std::io::ErrorKind::TimedOut.into()))),
    }
}

/// Whether a connection is of use after an error: only if the database answered with one that concerns the statement
/// alone. Of SQLite these are: busy (5), locked (6), full (13), too big (18), constraint (19), mismatch (20).
fn may_go_on(error: &SqlError, dialect: Dialect) -> bool {
    let SqlError::Database(error) = error else {
        return false;
    };
    match dialect {
        Dialect::Postgres => true,
        Dialect::Sqlite => error
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .is_some_and(|code| matches!(code & 0xff, 5 | 6 | 13 | 18 | 19 | 20)),
    }
}
