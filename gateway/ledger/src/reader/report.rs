//! What was used and spent, by time and group.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use skinflint_money::NanoUsd;

use super::Reader;
use super::columns::added_sums;
use crate::clock::{self, hour};
use crate::error::LedgerError;
use crate::sums::Sums;

/// What to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A row for each of these.
    pub period: Period,
    /// And for each of these.
    pub by: By,
    /// From the hour of this time on, in unix milliseconds.
    pub since_ms: i64,
    /// Until before the hour of this time.
    pub until_ms: i64,
    /// Of this tenant alone.
    pub tenant: Option<String>,
}

/// A part of the calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A day.
    Day,
    /// From Monday on.
    Week,
    /// A month.
    Month,
}

/// What calls are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Who pays.
    Tenant,
    /// The model.
    Model,
    /// The class of the call; tasks succeed by the class of their first call that had one.
    Class,
    /// The key.
    Key,
    /// The tag; a call with two tags counts in both.
    Tag,
}

/// A period and a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportRow {
    /// The first day of the period.
    pub start: Date,
    /// The tenant, model, class, key or tag.
    pub group: String,
    /// What its calls add up to.
    #[serde(flatten)]
    pub sums: Sums,
    /// Tasks that were last active in the period and succeeded; only by tenant and by class.
    pub successes: Option<u64>,
    /// The cost of all calls over the tasks that succeeded, rounded to the nearest.
    pub cost_per_success: Option<NanoUsd>,
}

const HOURS: &str = concat!(
    "SELECT hour / 24, scope, tenant, ",
    added_sums!(),
    " FROM usage_hours WHERE scope >= $1 AND scope < $2 AND hour >= $3 AND hour < $4 \
     AND ($5 IS NULL OR tenant = $5) GROUP BY hour / 24, scope, tenant ORDER BY 1, 2, 3"
);
const SUCCESSES: &str = "SELECT last_ms / 86400000, tenant, class, COUNT(*) FROM tasks \
     WHERE last_ms >= $1 AND last_ms < $2 AND outcome = 'success' AND ($3 IS NULL OR tenant = $3) \
     GROUP BY last_ms / 86400000, tenant, class";

impl Reader {
    /// What was used and spent, by period and group, the oldest first and within it the costliest.
    pub async fn report(&self, report: &Report) -> Result<Vec<ReportRow>, LedgerError> {
        let (from, below) = report.by.scopes();
        let values = vec![
            from.into(),
            below.into(),
            hour(report.since_ms).into(),
            hour(report.until_ms).into(),
            (&report.tenant).into(),
        ];
        let mut sums: BTreeMap<(Date, String), Sums> = BTreeMap::new();
        for mut row in self.fetch(HOURS, values).await? {
            let start = report.period.start(row.int()?);
            let scope = row.text()?;
            let tenant = row.text()?;
            let group = report.by.group(&scope, tenant);
            let more = Sums::read(&mut row)?;
            sums.entry((start, group)).or_default().add(&more);
        }
        let successes = self.successes(report).await?;
        let mut rows: Vec<ReportRow> = sums
            .into_iter()
            .map(|((start, group), sums)| {
                let successes = successes.as_ref().map(|successes| {
                    let place = (start, group.clone());
                    successes.get(&place).copied().unwrap_or_default()
                });
                ReportRow {
                    start,
                    group,
                    sums,
                    successes,
                    cost_per_success: successes.and_then(|tasks| share(sums.cost, tasks)),
                }
            })
            .collect();
        rows.sort_by(|one, other| {
            let by_cost = other.sums.cost.cmp(&one.sums.cost);
            one.start.cmp(&other.start).then(by_cost)
        });
        Ok(rows)
    }

    /// Tasks that succeeded, by period and group, where that makes sense.
    async fn successes(
        &self,
        report: &Report,
    ) -> Result<Option<BTreeMap<(Date, String), u64>>, LedgerError> {
        if !matches!(report.by, By::Tenant | By::Class) {
            return Ok(None);
        }
        let values = vec![
            report.since_ms.into(),
            report.until_ms.into(),
            (&report.tenant).into(),
        ];
        let mut successes: BTreeMap<(Date, String), u64> = BTreeMap::new();
        for mut row in self.fetch(SUCCESSES, values).await? {
            let start = report.period.start(row.int()?);
            let tenant = row.text()?;
            let class = row.text_if()?;
            let tasks = row.count()?;
            let group = match report.by {
                By::Tenant => Some(tenant),
                _ => class,
            };
            if let Some(group) = group {
                let count = successes.entry((start, group)).or_default();
                *count = count.saturating_add(tasks);
            }
        }
        Ok(Some(successes))
    }
}

impl Period {
    /// The first day of the period in which a day (from 1970) lies.
    fn start(self, day: i64) -> Date {
        let date = clock::date(day);
        match self {
            Self::Day => date,
            Self::Week => {
                date.saturating_sub(i64::from(date.weekday().to_monday_zero_offset()).days())
            }
            Self::Month => date.first_of_month(),
        }
    }
}

impl By {
    /// The kind of scope that it reads: from one text to before another.
    const fn scopes(self) -> (&'static str, &'static str) {
        match self {
            Self::Tenant => ("tenant", "tenant!"),
            Self::Model => ("model:", "model;"),
            Self::Class => ("class:", "class;"),
            Self::Key => ("key:", "key;"),
            Self::Tag => ("tag:", "tag;"),
        }
    }

    fn group(self, scope: &str, tenant: String) -> String {
        match scope.split_once(':') {
            Some((_, name)) if self != Self::Tenant => name.to_owned(),
            _ => tenant,
        }
    }
}

/// An amount over a number, rounded to the nearest.
fn share(cost: NanoUsd, tasks: u64) -> Option<NanoUsd> {
    let half = tasks / 2;
    cost.get()
        .saturating_add(half)
        .checked_div(tasks)
        .map(NanoUsd::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_on_their_first_day() {
        // A Saturday.
        let day = 20_778;
        assert_eq!(Period::Day.start(day).to_string(), "2026-11-21");
        assert_eq!(Period::Week.start(day).to_string(), "2026-11-16");
        assert_eq!(Period::Month.start(day).to_string(), "2026-11-01");
    }

    #[test]
    fn nobody_succeeded_at_no_price() {
        assert_eq!(share(NanoUsd::new(10), 0), None);
        assert_eq!(share(NanoUsd::new(11), 2), Some(NanoUsd::new(6)));
    }
}
