//! Settlements and receipts: gathered, added up, written once.

use std::sync::atomic::Ordering;

use sqlx::Error as SqlError;
use tokio::time::Instant;
use uuid::Uuid;

use super::batch::{self, Attempt, Row};
use super::outage::within;
use super::{ROWS, Writer};
use crate::entry::{Settlement, Source};
use crate::error::LedgerError;

/// Rows that nobody owes money for, kept at most while nothing can be written.
pub(super) const REFUSALS_KEPT: usize = 65_536;

impl Writer {
    pub(super) fn settle(&mut self, settlement: Settlement) {
        if let Some(reservation) = self.open.remove(&settlement.attempt) {
            self.push(Row::Attempt(Box::new(Attempt {
                reservation: *reservation,
                settlement,
            })));
            return;
        }
        self.gauges.backlog.fetch_sub(1, Ordering::Relaxed);
        let attempt = settlement.attempt;
        if settlement.source == Source::Declined {
            tracing::debug!(%attempt, "nothing to settle");
        } else {
            // The first settlement stands. One that never was reserved says so here.
            tracing::warn!(%attempt, cost = %settlement.money.cost, "settled again, or never reserved; nothing changes");
        }
    }

    pub(super) fn withdraw(&mut self, attempt: Uuid) {
        if self.open.remove(&attempt).is_some() {
            self.push(Row::Withdrawn(attempt));
        }
    }

    /// Puts a row among those that wait. It is counted already, unless nobody but the writer knows of it.
    pub(super) fn push(&mut self, row: Row) {
        self.waiting_since.get_or_insert_with(Instant::now);
        if matches!(row, Row::Withdrawn(_)) {
            self.gauges.backlog.fetch_add(1, Ordering::Relaxed);
        }
        self.waiting.push_back(row);
        if self.waiting.len() > REFUSALS_KEPT {
            self.drop_refusals();
        }
    }

    /// Gives up the older half of the receipts of calls that never went anywhere, while nothing can be written.
    fn drop_refusals(&mut self) {
        let before = self.waiting.len();
        let half = before / 2;
        let mut place = 0_usize;
        self.waiting.retain(|row| {
            place = place.saturating_add(1);
            place > half || !matches!(row, Row::Request(_))
        });
        let dropped = before.saturating_sub(self.waiting.len());
        self.gauges.backlog.fetch_sub(dropped, Ordering::Relaxed);
        let count = u64::try_from(dropped).unwrap_or(u64::MAX);
        self.gauges.dropped.fetch_add(count, Ordering::Relaxed);
        tracing::error!(
            dropped,
            "receipts of requests were given up: the ledger cannot be written"
        );
    }

    /// Writes the oldest of the rows that wait.
    pub(super) async fn write_some(&mut self) -> Result<(), LedgerError> {
        let count = self.batch.min(self.waiting.len());
        if count == 0 {
            return Ok(());
        }
        let dialect = self.config.dialect();
        let written = match self.connected().await {
            Ok(_) => {
                let rows = &self.waiting.make_contiguous()[..count];
                match &mut self.connection {
                    Some(connection) => {
                        within(dialect, Box::pin(batch::write(connection, rows))).await
                    }
                    None => Err(SqlError::PoolClosed),
                }
            }
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => {
                self.waiting.drain(..count);
                self.gauges.backlog.fetch_sub(count, Ordering::Relaxed);
                self.waiting_since = (!self.waiting.is_empty()).then(Instant::now);
                self.batch = self.batch.saturating_mul(2).min(ROWS);
                self.succeeded(count.saturating_mul(3));
                Ok(())
            }
            Err(error) => {
                let error = self.failed(error);
                if count == 1 {
                    self.waiting.rotate_left(1);
                }
                self.batch = count.div_ceil(2);
                Err(error)
            }
        }
    }

    /// Writes all that waits.
    pub(super) async fn write_all(&mut self) -> Result<(), LedgerError> {
        while !self.waiting.is_empty() {
            self.write_some().await?;
        }
        Ok(())
    }
}
