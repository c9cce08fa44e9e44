//! What each provider should bill, by day and model.

use jiff::civil::Date;
use serde::Serialize;

use super::Reader;
use super::columns::attempt_sums;
use crate::clock::{self, DAY_MS};
use crate::error::LedgerError;
use crate::sums::Sums;

/// What the calls to a model of a provider add up to in a day of UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BilledDay {
    /// The day on which they were settled.
    pub day: Date,
    /// The provider.
    pub upstream: String,
    /// The model that answered, or was asked.
    pub model: String,
    /// What they add up to.
    pub sums: Sums,
    /// Attempts among them whose cost the provider did not say.
    pub estimated: u64,
}

const BILLED: &str = concat!(
    "SELECT settled_ms / 86400000, upstream, COALESCE(answered_by, upstream_model), ",
    attempt_sums!(),
    ", CAST(SUM(CASE WHEN source IN ('provider', 'declined') THEN 0 ELSE 1 END) AS BIGINT) \
     FROM attempts WHERE settled_ms >= $1 AND settled_ms < $2 \
     GROUP BY settled_ms / 86400000, upstream, COALESCE(answered_by, upstream_model) ORDER BY 1, 2, 3"
);

impl Reader {
    /// What providers should bill for whole days of UTC: from that of `since_ms` to that of `until_ms`, both included.
    pub async fn billed(
        &self,
        since_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<BilledDay>, LedgerError> {
        let first = clock::day(since_ms).saturating_mul(DAY_MS);
        let end = clock::day(until_ms)
            .saturating_add(1)
            .saturating_mul(DAY_MS);
        let rows = self.fetch(BILLED, vec![first.into(), end.into()]).await?;
        rows.into_iter()
            .map(|mut row| {
                Ok(BilledDay {
                    day: clock::date(row.int()?),
                    upstream: row.text()?,
                    model: row.text()?,
                    sums: Sums::read(&mut row)?,
                    estimated: row.count()?,
                })
            })
            .collect()
    }
}
