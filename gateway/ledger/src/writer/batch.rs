//! One transaction of settled attempts and receipts, with all that they add up to.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::failpoint;
use super::tables::{self, ATTEMPTS, HOURS, RELEASE, REQUESTS, RESPONSES, TASKS};
use crate::clock::hour;
use crate::entry::{RequestRow, Reservation, Settlement};
use crate::store::{Connection, Value};
use crate::sums::Change;

/// Something that waits to be written.
#[derive(Debug)]
pub(crate) enum Row {
    /// A settled attempt.
    Attempt(Box<Attempt>),
    /// The receipt of a request.
    Request(Box<RequestRow>),
    /// A reservation of which nobody knows: nothing was sent, so that nothing is owed.
    Withdrawn(Uuid),
}

/// A settled attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) reservation: Reservation,
    pub(crate) settlement: Settlement,
}

/// A task, by tenant and name.
type TaskKey<'a> = (&'a str, &'a str);

/// What a batch adds to a task.
struct TaskChange<'a> {
    session: Option<&'a str>,
    class: Option<&'a str>,
    first_ms: i64,
    last_ms: i64,
    begun_ms: i64,
    requests: i64,
    holdout: bool,
    sums: Change,
}

/// The rows of a batch that are not in the ledger yet, and what they add up to.
///
/// The maps are sorted, so that gateways that share a ledger lock its rows in one order.
#[derive(Default)]
struct Batch<'a> {
    attempts: Vec<&'a Attempt>,
    requests: Vec<&'a RequestRow>,
    released: Vec<Uuid>,
    tasks: BTreeMap<TaskKey<'a>, TaskChange<'a>>,
    hours: BTreeMap<(&'a str, &'a str, i64), Change>,
}

/// Writes rows, each once: what is in the ledger already changes nothing.
pub(crate) async fn write(connection: &mut Connection, rows: &[Row]) -> sqlx::Result<()> {
    let mut known = HashSet::new();
    loop {
        let batch = Batch::new(rows, &known);
        connection.begin().await?;
        match batch.insert(connection).await {
            Ok(true) => {
                failpoint::before_settle_commit();
                return connection.commit().await;
            }
            // Some were there already: find out which, and count the others alone.
            Ok(false) => {
                connection.rollback().await?;
                known.extend(batch.in_ledger(connection).await?);
            }
            Err(error) => {
                // The first error says more than what comes of it.
                let _ = connection.rollback().await;
                return Err(error);
            }
        }
    }
}

impl<'a> Batch<'a> {
    fn new(rows: &'a [Row], known: &HashSet<Uuid>) -> Self {
        let mut batch = Self::default();
        let mut seen = known.clone();
        for row in rows {
            match row {
                Row::Attempt(attempt) => {
                    let id = attempt.reservation.attempt;
                    batch.released.push(id);
                    if seen.insert(id) {
                        batch.count_attempt(attempt);
                    }
                }
                Row::Request(request) => {
                    if seen.insert(request.request) {
                        batch.count_request(request);
                    }
                }
                Row::Withdrawn(id) => batch.released.push(*id),
            }
        }
        batch
    }

    fn count_attempt(&mut self, attempt: &'a Attempt) {
        let (reserved, settled) = (&attempt.reservation, &attempt.settlement);
        let sums = Change::of(reserved, settled);
        let task = self.task(&reserved.tenant, &reserved.task, reserved.at_ms);
        task.last_ms = task.last_ms.max(settled.at_ms);
        task.class = task.class.or(reserved.class.as_deref());
        task.holdout |= reserved.holdout;
        task.sums.add(&sums);
        let hour = hour(settled.at_ms);
        for scope in &reserved.scopes {
            self.hours
                .entry((scope, &reserved.tenant, hour))
                .or_default()
                .add(&sums);
        }
        self.attempts.push(attempt);
    }

    fn count_request(&mut self, request: &'a RequestRow) {
        if let Some(name) = &request.task {
            let task = self.task(&request.tenant, name, request.at_ms);
            task.session = task.session.or(request.session.as_deref());
            task.class = task.class.or(request.class.as_deref());
            task.holdout |= request.holdout;
            task.requests = task.requests.saturating_add(1);
        }
        self.requests.push(request);
    }

    /// The task of a call that began then.
    fn task(&mut self, tenant: &'a str, task: &'a str, begun_ms: i64) -> &mut TaskChange<'a> {
        let change = self.tasks.entry((tenant, task)).or_insert(TaskChange {
            session: None,
            class: None,
            first_ms: begun_ms,
            last_ms: begun_ms,
            begun_ms,
            requests: 0,
            holdout: false,
            sums: Change::default(),
        });
        change.first_ms = change.first_ms.min(begun_ms);
        change.last_ms = change.last_ms.max(begun_ms);
        change.begun_ms = change.begun_ms.max(begun_ms);
        change
    }

    /// Inserts all of it; not all, if some rows were there already.
    async fn insert(&self, connection: &mut Connection) -> sqlx::Result<bool> {
        let ids = self.insert_tasks(connection).await?;
        Ok(self.insert_attempts(connection, &ids).await?
            && self.insert_requests(connection, &ids).await?
            && self.insert_sums(connection).await?)
    }

    async fn insert_tasks(
        &self,
        connection: &mut Connection,
    ) -> sqlx::Result<HashMap<(String, String), i64>> {
        let mut values = Vec::with_capacity(self.tasks.len().saturating_mul(TASKS.width()));
        for (&(tenant, task), change) in &self.tasks {
            values.extend([
                tenant.into(),
                task.into(),
                change.session.into(),
                change.class.into(),
                change.first_ms.into(),
                change.last_ms.into(),
                change.begun_ms.into(),
                change.requests.into(),
                change.holdout.into(),
            ]);
            values.extend(change.sums.values());
        }
        let rows = connection.insert_returning(&TASKS, values).await?;
        rows.into_iter()
            .map(|mut row| {
                let id = row.int()?;
                Ok(((row.text()?, row.text()?), id))
            })
            .collect::<Result<_, crate::LedgerError>>()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))
    }

    async fn insert_attempts(
        &self,
        connection: &mut Connection,
        ids: &HashMap<(String, String), i64>,
    ) -> sqlx::Result<bool> {
        let mut values = Vec::with_capacity(self.attempts.len().saturating_mul(ATTEMPTS.width()));
        let mut responses = Vec::new();
        for Attempt {
            reservation,
            settlement,
        } in &self.attempts
        {
            let task = id_of(ids, &reservation.tenant, &reservation.task)?;
            tables::attempt(&mut values, reservation, settlement, task);
            if let Some(response) = settlement
                .response
                .as_deref()
                .filter(|_| settlement.referable)
            {
                let tokens = settlement.usage.input();
                let tokens = tokens.saturating_add(settlement.usage.output);
                responses.extend([
                    Value::from(&reservation.tenant),
                    response.into(),
                    tokens.into(),
                ]);
            }
        }
        let inserted = connection.insert(&ATTEMPTS, values).await?;
        connection.insert(&RESPONSES, responses).await?;
        Ok(usize::try_from(inserted) == Ok(self.attempts.len()))
    }

    async fn insert_requests(
        &self,
        connection: &mut Connection,
        ids: &HashMap<(String, String), i64>,
    ) -> sqlx::Result<bool> {
        let mut values = Vec::with_capacity(self.requests.len().saturating_mul(REQUESTS.width()));
        for request in &self.requests {
            let task = match &request.task {
                Some(task) => Some(id_of(ids, &request.tenant, task)?),
                None => None,
            };
            tables::request(&mut values, request, task);
        }
        let inserted = connection.insert(&REQUESTS, values).await?;
        Ok(usize::try_from(inserted) == Ok(self.requests.len()))
    }

    async fn insert_sums(&self, connection: &mut Connection) -> sqlx::Result<bool> {
        connection.insert(&HOURS, hours(&self.hours)).await?;
        let released = self.released.iter().copied().map(Value::from).collect();
        connection.insert(&RELEASE, released).await?;
        Ok(true)
    }

    /// Which of these attempts and requests are in the ledger.
    async fn in_ledger(&self, connection: &mut Connection) -> sqlx::Result<Vec<Uuid>> {
        let mut found = Vec::new();
        let attempts = self.attempts.iter().map(|row| row.reservation.attempt);
        for id in attempts {
            let query = "SELECT id FROM attempts WHERE id = $1";
            if !connection.fetch(query, vec![id.into()]).await?.is_empty() {
                tracing::debug!(attempt = %id, "settled before; nothing changes");
                found.push(id);
            }
        }
        for id in self.requests.iter().map(|row| row.request) {
            let query = "SELECT id FROM requests WHERE id = $1";
            if !connection.fetch(query, vec![id.into()]).await?.is_empty() {
                found.push(id);
            }
        }
        Ok(found)
    }
}

/// Rows for [`HOURS`].
pub(crate) fn hours(changes: &BTreeMap<(&str, &str, i64), Change>) -> Vec<Value> {
    let mut values = Vec::with_capacity(changes.len().saturating_mul(HOURS.width()));
    for (&(scope, tenant, hour), change) in changes {
        values.extend([scope.into(), tenant.into(), hour.into()]);
        values.extend(change.values());
    }
    values
}

fn id_of(ids: &HashMap<(String, String), i64>, tenant: &str, task: &str) -> sqlx::Result<i64> {
    ids.get(&(tenant.to_owned(), task.to_owned()))
        .copied()
        .ok_or(sqlx::Error::RowNotFound)
}
