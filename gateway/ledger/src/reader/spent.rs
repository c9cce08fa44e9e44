//! What was spent and what is reserved: what budgets start from.

use serde::Serialize;
use skinflint_money::NanoUsd;

use super::Reader;
use crate::clock::hour;
use crate::entry::Reservation;
use crate::error::LedgerError;
use crate::store::Cells;

/// An amount, and what subscriptions paid beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Spent {
    /// What was billed.
    pub billed: NanoUsd,
    /// What would have been billed if no subscription had paid.
    pub notional: NanoUsd,
}

/// A reservation that is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReservation {
    /// What was reserved; its upper bound is the one of the last extension.
    pub reservation: Reservation,
    /// By which gateway.
    pub node: String,
}

const SPENT: &str = "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT), CAST(COALESCE(SUM(notional), 0) AS BIGINT) \
     FROM usage_hours WHERE scope = $1 AND tenant = $2 AND hour >= $3";
const SPENT_BY_SCOPE: &str = "SELECT scope, CAST(SUM(cost) AS BIGINT), CAST(SUM(notional) AS BIGINT) \
     FROM usage_hours WHERE scope >= $1 AND scope <= $2 AND tenant = $3 AND hour >= $4 \
     GROUP BY scope ORDER BY scope";
const OPEN: &str = "SELECT node, upper, call FROM reservations WHERE tenant = $1 ORDER BY attempt";
const RESPONSE: &str = "SELECT tokens FROM responses WHERE tenant = $1 AND id = $2";

impl Reader {
    /// What a scope of a tenant has spent since a time, or ever.
    ///
    /// The ledger adds up by the hour, so that the time is taken down to its hour (UTC): the answer may hold up to an
    /// hour too much, never too little.
    pub async fn spent(
        &self,
        tenant: &str,
        scope: &str,
        since_ms: Option<i64>,
    ) -> Result<Spent, LedgerError> {
        let values = vec![scope.into(), tenant.into(), since(since_ms).into()];
        match self.fetch(SPENT, values).await?.first_mut() {
            Some(row) => Spent::read(row),
            None => Ok(Spent::default()),
        }
    }

    /// What each scope has spent that begins so, such as `model:`; a pattern is matched by the caller. Hours as in
    /// [`Self::spent`].
    pub async fn spent_by_scope(
        &self,
        tenant: &str,
        prefix: &str,
        since_ms: Option<i64>,
    ) -> Result<Vec<(String, Spent)>, LedgerError> {
        let values = vec![
            prefix.into(),
            // Sorts behind all that begins so.
            format!("{prefix}{}", char::MAX).into(),
            tenant.into(),
            since(since_ms).into(),
        ];
        let rows = self.fetch(SPENT_BY_SCOPE, values).await?;
        rows.into_iter()
            .map(|mut row| Ok((row.text()?, Spent::read(&mut row)?)))
            .collect()
    }

    /// The reservations of a tenant that are not settled, of all gateways.
    pub async fn open_reservations(
        &self,
        tenant: &str,
    ) -> Result<Vec<OpenReservation>, LedgerError> {
        let rows = self.fetch(OPEN, vec![tenant.into()]).await?;
        rows.into_iter().map(OpenReservation::read).collect()
    }

    /// The tokens of an answer and of all that it was an answer to, if it was settled as one that can be named.
    pub async fn response_tokens(
        &self,
        tenant: &str,
        response: &str,
    ) -> Result<Option<u64>, LedgerError> {
        let rows = self
            .fetch(RESPONSE, vec![tenant.into(), response.into()])
            .await?;
        rows.into_iter()
            .next()
            .map(|mut row| row.count())
            .transpose()
    }
}

impl Spent {
    fn read(row: &mut Cells) -> Result<Self, LedgerError> {
        Ok(Self {
            billed: row.amount()?,
            notional: row.amount()?,
        })
    }
}

impl OpenReservation {
    pub(crate) fn read(mut row: Cells) -> Result<Self, LedgerError> {
        let node = row.text()?;
        let upper = row.amount()?;
        let mut reservation: Reservation = serde_json::from_str(&row.text()?)
            .map_err(|_| LedgerError::Unreadable { column: 3 })?;
        reservation.upper = upper;
        Ok(Self { reservation, node })
    }
}

fn since(since_ms: Option<i64>) -> i64 {
    since_ms.map_or(i64::MIN, hour)
}
