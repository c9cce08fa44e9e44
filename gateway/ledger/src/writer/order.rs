//! What the writer does on request beside reservations and settlements.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::batch::{self, Attempt, Row};
use super::tables::HOURS;
use crate::clock::hour;
use crate::entry::{Money, Recovered, Settlement};
use crate::reader::OpenReservation;
use crate::store::{Cells, Connection, Value};
use crate::sums::{Change, WIDTH};

const CLOSE: &str = "UPDATE tasks SET closed_ms = $1, closed_by = $2, \
     outcome = COALESCE($3, outcome) WHERE tenant = $4 AND task = $5";
const SET_OUTCOME: &str = "UPDATE tasks SET outcome = $1 WHERE tenant = $2 AND task = $3";
const CLOSE_IDLE: &str = "UPDATE tasks SET closed_ms = $1, closed_by = 'idle' \
     WHERE closed_ms IS NULL AND last_ms < $2 AND NOT EXISTS \
     (SELECT 1 FROM reservations AS r WHERE r.tenant = tasks.tenant AND r.task = tasks.task)";
const ALERT: &str = "INSERT INTO alerts (id, at_ms) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
const HEARTBEAT: &str = "INSERT INTO nodes (node, heartbeat_ms) VALUES ($1, $2) \
     ON CONFLICT (node) DO UPDATE SET heartbeat_ms = excluded.heartbeat_ms";
const REPRICE: &str = "UPDATE attempts SET cost = $1, counterfactual = $2, saved_provider_cache = $3, \
     saved_ours = $4, harm = $5, lines = $6, price_version = $7 WHERE id = $8 \
     AND cost = $9 AND counterfactual = $10 AND saved_provider_cache = $11 AND saved_ours = $12 AND harm = $13";
const REPRICE_TASK: &str = "UPDATE tasks SET cost = cost + $1, notional = notional + $2, \
     counterfactual = counterfactual + $3, saved_provider_cache = saved_provider_cache + $4, \
     saved_ours = saved_ours + $5, harm = harm + $6 WHERE id = $7";
const OPEN_OF_ALL: &str = "SELECT node, upper, call FROM reservations";
const OPEN_OF_NODE: &str = "SELECT node, upper, call FROM reservations WHERE node = $1";
/// Of nodes that were not heard of for long; of the one that is asked, it is the writer that asks.
const OPEN_OF_DEAD: &str = "SELECT r.node, r.upper, r.call FROM reservations AS r \
     JOIN nodes AS n ON n.node = r.node WHERE n.heartbeat_ms < $1";

/// Reservations settled in one transaction of a recovery.
const RECOVERED_AT_ONCE: usize = 256;

/// Something to be done in one transaction; the answer is the number of rows that it changed.
#[derive(Debug)]
pub(crate) enum Order {
    Close {
        tenant: String,
        task: String,
        outcome: Option<&'static str>,
        by: String,
        at_ms: i64,
    },
    SetOutcome {
        tenant: String,
        task: String,
        outcome: &'static str,
    },
    CloseIdle {
        before_ms: i64,
        at_ms: i64,
    },
    Alert {
        key: String,
        at_ms: i64,
    },
    Heartbeat {
        node: String,
        at_ms: i64,
    },
    Reprice(Vec<Repriced>),
}

/// An attempt whose cost is another one by other prices.
#[derive(Debug)]
pub(crate) struct Repriced {
    pub(crate) id: Uuid,
    pub(crate) tenant: String,
    pub(crate) task: i64,
    pub(crate) scopes: Vec<String>,
    pub(crate) settled_ms: i64,
    pub(crate) notional: bool,
    pub(crate) before: Money,
    pub(crate) after: Money,
    pub(crate) lines: String,
    pub(crate) price_version: String,
}

impl Order {
    pub(super) async fn carry_out(self, connection: &mut Connection) -> sqlx::Result<u64> {
        match self {
            Self::Close {
                tenant,
                task,
                outcome,
                by,
                at_ms,
            } => {
                let values = vec![
                    at_ms.into(),
                    by.into(),
                    outcome.into(),
                    tenant.into(),
                    task.into(),
                ];
                connection.execute(CLOSE, values).await
            }
            Self::SetOutcome {
                tenant,
                task,
                outcome,
            } => {
                let values = vec![outcome.into(), tenant.into(), task.into()];
                connection.execute(SET_OUTCOME, values).await
            }
            Self::CloseIdle { before_ms, at_ms } => {
                let values = vec![at_ms.into(), before_ms.into()];
                connection.execute(CLOSE_IDLE, values).await
            }
            Self::Alert { key, at_ms } => {
                connection
                    .execute(ALERT, vec![key.into(), at_ms.into()])
                    .await
            }
            Self::Heartbeat { node, at_ms } => heartbeat(connection, &node, at_ms).await,
            Self::Reprice(rows) => {
                connection.begin().await?;
                match reprice(connection, &rows).await {
                    Ok(()) => connection.commit().await?,
                    Err(error) => {
                        // The first error says more than what comes of it.
                        let _ = connection.rollback().await;
                        return Err(error);
                    }
                }
                Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
            }
        }
    }
}

/// Says that a node is alive.
pub(crate) async fn heartbeat(
    connection: &mut Connection,
    node: &str,
    at_ms: i64,
) -> sqlx::Result<u64> {
    connection
        .execute(HEARTBEAT, vec![node.into(), at_ms.into()])
        .await
}

/// New costs and all that adds them up, inside a transaction.
async fn reprice(connection: &mut Connection, rows: &[Repriced]) -> sqlx::Result<()> {
    let mut tasks: BTreeMap<i64, Change> = BTreeMap::new();
    let mut hours: BTreeMap<(&str, &str, i64), Change> = BTreeMap::new();
    for row in rows {
        let mut values = Vec::from(columns(&row.after));
        values.extend([
            (&row.lines).into(),
            (&row.price_version).into(),
            row.id.into(),
        ]);
        values.extend(columns(&row.before));
        if connection.execute(REPRICE, values).await? == 0 {
            // Somebody else gave it another price since it was read, and has counted that.
            continue;
        }
        let change = Change::of_money(&row.after, row.notional)
            .since(&Change::of_money(&row.before, row.notional));
        tasks.entry(row.task).or_default().add(&change);
        let hour = hour(row.settled_ms);
        for scope in &row.scopes {
            hours
                .entry((scope, &row.tenant, hour))
                .or_default()
                .add(&change);
        }
    }
    for (task, change) in tasks {
        let mut values: Vec<_> = change.values().collect();
        let mut values = values.split_off(WIDTH.saturating_sub(6));
        values.push(task.into());
        connection.execute(REPRICE_TASK, values).await?;
    }
    connection.insert(&HOURS, batch::hours(&hours)).await?;
    Ok(())
}

fn columns(money: &Money) -> [Value; 5] {
    [
        money.cost.into(),
        money.counterfactual.into(),
        money.saved_provider_cache.into(),
        money.saved_ours.into(),
        money.harm.into(),
    ]
}

/// Settles what a dead process had reserved at its upper bound: all of it, or that of one node.
pub(crate) async fn recover(
    connection: &mut Connection,
    node: Option<&str>,
    at_ms: i64,
) -> sqlx::Result<Vec<Recovered>> {
    let open = match node {
        Some(node) => connection.fetch(OPEN_OF_NODE, vec![node.into()]).await,
        None => connection.fetch(OPEN_OF_ALL, Vec::new()).await,
    };
    settle_all(connection, open?, at_ms).await
}

/// Settles what nodes had reserved that were last heard of before a time.
pub(crate) async fn recover_dead(
    connection: &mut Connection,
    silent_since_ms: i64,
    at_ms: i64,
) -> sqlx::Result<Vec<Recovered>> {
    let open = connection
        .fetch(OPEN_OF_DEAD, vec![silent_since_ms.into()])
        .await?;
    settle_all(connection, open, at_ms).await
}

async fn settle_all(
    connection: &mut Connection,
    open: Vec<Cells>,
    at_ms: i64,
) -> sqlx::Result<Vec<Recovered>> {
    let mut rows = Vec::with_capacity(open.len());
    let mut recovered = Vec::with_capacity(open.len());
    for row in open {
        let OpenReservation { reservation, node } =
            OpenReservation::read(row).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        rows.push(Row::Attempt(Box::new(Attempt {
            settlement: Settlement::at_upper_bound(&reservation, at_ms),
            reservation: reservation.clone(),
        })));
        recovered.push(Recovered {
            reservation,
            node,
            at_ms,
        });
    }
    for rows in rows.chunks(RECOVERED_AT_ONCE) {
        batch::write(connection, rows).await?;
    }
    Ok(recovered)
}
