//! The costliest tasks.

use serde::Serialize;

use super::Reader;
use super::columns::sums;
use crate::error::LedgerError;
use crate::store::Cells;
use crate::sums::Sums;
use crate::task::Outcome;

/// Which tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Active since then, in unix milliseconds.
    pub since_ms: i64,
    /// Of this tenant alone.
    pub tenant: Option<String>,
    /// So many, the costliest first.
    pub top: u32,
}

/// A task and what its calls add up to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskRow {
    #[serde(skip)]
    pub(crate) id: i64,
    /// Whose it is.
    pub tenant: String,
    /// Its name.
    pub task: String,
    /// The session that it was first seen in.
    pub session: Option<String>,
    /// The class of its first call that had one.
    pub class: Option<String>,
    /// When its first call began, in unix milliseconds.
    pub first_ms: i64,
    /// When it was last active, in unix milliseconds.
    pub last_ms: i64,
    /// Calls of the client, refusals and hits included.
    pub requests: u64,
    /// It runs unoptimised.
    pub holdout: bool,
    /// What its attempts add up to.
    #[serde(flatten)]
    pub sums: Sums,
    /// How it went.
    pub outcome: Outcome,
    /// When it was closed; none if it is open.
    pub closed_ms: Option<i64>,
    /// By whom: `idle`, or what the closer said.
    pub closed_by: Option<String>,
}

macro_rules! task_columns {
    () => {
        concat!(
            "id, tenant, task, session, class, first_ms, last_ms, requests, holdout, ",
            sums!(),
            ", outcome, closed_ms, closed_by FROM tasks"
        )
    };
}

/// The inner query is answered by an index alone, so that millions of tasks take a fraction of a second.
const TOP: &str = concat!(
    "SELECT ",
    task_columns!(),
    " WHERE id IN (SELECT id FROM tasks WHERE last_ms >= $1 AND ($2 IS NULL OR tenant = $2) \
     ORDER BY cost DESC, id DESC LIMIT $3) ORDER BY cost DESC, id DESC"
);
const NAMED: &str = concat!(
    "SELECT ",
    task_columns!(),
    " WHERE task = $1 AND tenant = $2"
);
const NAMED_BY_ANY: &str = concat!(
    "SELECT ",
    task_columns!(),
    " WHERE task = $1 ORDER BY tenant"
);

impl Reader {
    /// The costliest tasks.
    pub async fn tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRow>, LedgerError> {
        let values = vec![
            filter.since_ms.into(),
            (&filter.tenant).into(),
            filter.top.into(),
        ];
        let rows = self.fetch(TOP, values).await?;
        rows.into_iter().map(TaskRow::read).collect()
    }

    /// The tasks of a name: one, or one of each tenant.
    pub(super) async fn named(
        &self,
        tenant: Option<&str>,
        task: &str,
    ) -> Result<Vec<TaskRow>, LedgerError> {
        let rows = match tenant {
            Some(tenant) => self.fetch(NAMED, vec![task.into(), tenant.into()]).await?,
            None => self.fetch(NAMED_BY_ANY, vec![task.into()]).await?,
        };
        rows.into_iter().map(TaskRow::read).collect()
    }
}

impl TaskRow {
    fn read(mut row: Cells) -> Result<Self, LedgerError> {
        Ok(Self {
            id: row.int()?,
            tenant: row.text()?,
            task: row.text()?,
            session: row.text_if()?,
            class: row.text_if()?,
            first_ms: row.int()?,
            last_ms: row.int()?,
            requests: row.count()?,
            holdout: row.flag()?,
            sums: Sums::read(&mut row)?,
            outcome: row.named(Outcome::named)?,
            closed_ms: row.int_if()?,
            closed_by: row.text_if()?,
        })
    }
}
