//! What can be asked of a ledger, by the gateway that writes it and by others beside it.

mod attempt;
mod billed;
mod columns;
mod explain;
mod report;
mod spent;
mod tasks;
mod tree;

use crate::config::Store;
use crate::error::{LedgerError, OpenError};
use crate::store::{Cells, Pool, Value};

pub use attempt::AttemptRow;
pub(crate) use attempt::{as_json, attempt_columns};
pub use billed::BilledDay;
pub use explain::{Explanation, request_id};
pub use report::{By, Period, Report, ReportRow};
pub use spent::{OpenReservation, Spent};
pub use tasks::{TaskFilter, TaskRow};
pub use tree::{AgentRow, ModelRow, TaskTree};

/// Answers from a ledger, which it never changes. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: Pool,
}

const IDENTITY: &str = "SELECT id FROM identity";

impl Reader {
    /// Opens a ledger for reading, beside the gateway that writes it or without one.
    pub async fn open(store: &Store) -> Result<Self, OpenError> {
        Ok(Self {
            pool: Pool::open(store).await?,
        })
    }

    /// Which ledger this is: 32 digits that no other has, whoever opens it and wherever it lies.
    pub async fn identity(&self) -> Result<String, LedgerError> {
        match self.fetch(IDENTITY, Vec::new()).await?.first_mut() {
            Some(row) => row.text(),
            None => Err(LedgerError::Unreadable { column: 1 }),
        }
    }

    pub(crate) async fn fetch(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Cells>, LedgerError> {
        self.pool
            .fetch(sql, values)
            .await
            .map_err(LedgerError::read)
    }
}
