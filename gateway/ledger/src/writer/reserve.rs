//! Reservations: durable before anyone may spend.

use std::collections::HashMap;

use skinflint_money::NanoUsd;
use uuid::Uuid;

use super::outage::within;
use super::tables::{self, RESERVE};
use super::{Reply, Writer, failpoint};
use crate::error::LedgerError;
use crate::store::{Connection, Value, chunk};

/// Reservations that go into the next commit.
#[derive(Default)]
pub(super) struct Urgent {
    pub(super) opened: Vec<(Uuid, String, Reply<()>)>,
    pub(super) raised: Vec<(Uuid, NanoUsd, Reply<()>)>,
}

impl Writer {
    /// Makes reservations durable, and only then says so.
    pub(super) async fn reserve(&mut self, mut urgent: Urgent) {
        let mut known = Vec::with_capacity(urgent.raised.len());
        for (attempt, upper, reply) in urgent.raised {
            if self.open.contains_key(&attempt) {
                known.push((attempt, upper, reply));
            } else {
                let _ = reply.send(Err(LedgerError::NotOpen(attempt)));
            }
        }
        if urgent.opened.is_empty() && known.is_empty() {
            return;
        }
        let values = self.reservation_rows(&mut urgent.opened, &known);
        let dialect = self.config.dialect();
        let written = match self.connected().await {
            Ok(connection) => {
                let write = write_reservations(connection, values);
                within(dialect, write).await
            }
            Err(error) => Err(error),
        };
        let written = written.map_err(|error| self.failed(error));
        failpoint::after_commit();
        if written.is_ok() {
            self.succeeded(urgent.opened.len());
            for (attempt, upper, _) in &known {
                if let Some(reservation) = self.open.get_mut(attempt) {
                    reservation.upper = reservation.upper.max(*upper);
                }
            }
        }
        for (attempt, _, reply) in urgent.opened {
            if written.is_err() {
                // A commit whose end is not known may have happened.
                self.withdraw(attempt);
            }
            let _ = reply.send(written.clone());
        }
        for (_, _, reply) in known {
            let _ = reply.send(written.clone());
        }
    }

    /// Rows for [`RESERVE`], each attempt once; they take the JSON of those that are opened. One that was settled in the
    /// meantime has none.
    fn reservation_rows(
        &self,
        opened: &mut [(Uuid, String, Reply<()>)],
        raised: &[(Uuid, NanoUsd, Reply<()>)],
    ) -> Vec<Value> {
        let mut uppers = HashMap::new();
        for (attempt, upper, _) in raised {
            let most = uppers.entry(*attempt).or_insert(*upper);
            *most = (*most).max(*upper);
        }
        let node = self.config.node.as_str();
        let mut values = Vec::with_capacity(opened.len().saturating_mul(RESERVE.width()));
        for (attempt, call, _) in opened {
            if let Some(reservation) = self.open.get(attempt) {
                let mut row = tables::reservation(reservation, node, std::mem::take(call));
                if let Some(upper) = uppers.remove(attempt) {
                    row[4] = upper.max(reservation.upper).into();
                }
                values.extend(row);
            }
        }
        for (attempt, upper) in uppers {
            if let Some(reservation) = self.open.get(&attempt) {
                // The row is there, and of all columns only the upper bound is taken; if another gateway thought this
                // one dead and has settled it, it is there again until it is settled here.
                let call = serde_json::to_string(reservation).unwrap_or_default();
                let mut row = tables::reservation(reservation, node, call);
                row[4] = upper.into();
                values.extend(row);
            }
        }
        values
    }
}

/// One statement is a transaction of its own: no more round trips than it takes.
async fn write_reservations(connection: &mut Connection, values: Vec<Value>) -> sqlx::Result<()> {
    let rows = values.len() / RESERVE.width().max(1);
    if chunk(rows) == rows {
        failpoint::before_commit();
        return connection.insert(&RESERVE, values).await.map(drop);
    }
    connection.begin().await?;
    let done = async {
        connection.insert(&RESERVE, values).await?;
        failpoint::before_commit();
        connection.commit().await
    }
    .await;
    if done.is_err() {
        // The first error says more than what comes of it.
        let _ = connection.rollback().await;
    }
    done
}
