//! What people ask the ledger and tell it, by command or over HTTP: the same questions have the same answers.

use serde::{Deserialize, de::value::StrDeserializer};
use skinflint_ledger::{
    By, Explanation, Ledger, LedgerError, Outcome, Period, Reader, Report, ReportRow, TaskRow,
    TaskTree, request_id,
};

use crate::moment::{self, NotAMoment};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InquiryError {
    /// The ledger has no such task.
    #[error("the ledger knows no task `{task}`{}", of(.tenant.as_deref()))]
    NoTask {
        /// Its name.
        task: String,
        /// Whose it would be, if that was said.
        tenant: Option<String>,
    },
    /// The name alone does not tell which task is meant.
    #[error("several tenants have a task `{task}`: {}; say which is meant with `tenant`", .tenants.join(", "))]
    Ambiguous {
        /// Its name.
        task: String,
        /// Who has one.
        tenants: Vec<String>,
    },
    /// Not the form of an id.
    #[error("`{0}` is no request id: expected `req_` and 32 hexadecimal digits")]
    NotARequest(String),
    /// The ledger has no such request.
    #[error("the ledger knows no request `{0}`")]
    NoRequest(String),
    /// Not a time.
    #[error("`{field}`: {source}")]
    Moment {
        /// Which one.
        field: &'static str,
        /// What is wrong with it.
        source: NotAMoment,
    },
    /// A report that would end before it begins.
    #[error("`until` is not after `since`")]
    Backwards,
    /// The ledger does not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A report as it is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReportInquiry<'a> {
    /// A row for each of these.
    pub period: Period,
    /// And for each of these.
    pub by: By,
    /// From when on; else as far back as reads well.
    pub since: Option<&'a str>,
    /// Until before when; else now.
    pub until: Option<&'a str>,
    /// Of one tenant alone.
    pub tenant: Option<&'a str>,
}

/// How many tasks are listed unless somebody says how many.
pub(crate) const DEFAULT_TOP: u32 = 20;
/// How many are listed at most.
pub(crate) const MAX_TOP: u32 = 10_000;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn of(tenant: Option<&str>) -> String {
    tenant
        .map(|tenant| format!(" of tenant `{tenant}`"))
        .unwrap_or_default()
}

/// Reads one of a few words, such as a [`Period`]; the error says which there are.
pub(crate) fn word<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde::de::value::Error> {
    T::deserialize(StrDeserializer::new(text))
}

/// The one task of a name, with its agents and models.
pub(crate) async fn task(
    reader: &Reader,
    tenant: Option<&str>,
    task: &str,
) -> Result<TaskTree, InquiryError> {
    let mut trees = reader.task(tenant, task).await?;
    if trees.len() > 1 {
        return Err(InquiryError::Ambiguous {
            task: task.to_owned(),
            tenants: trees.into_iter().map(|tree| tree.task.tenant).collect(),
        });
    }
    trees.pop().ok_or_else(|| InquiryError::NoTask {
        task: task.to_owned(),
        tenant: tenant.map(str::to_owned),
    })
}

/// What became of a request, by its id as it is shown to clients.
pub(crate) async fn request(reader: &Reader, id: &str) -> Result<Explanation, InquiryError> {
    let request = request_id(id).ok_or_else(|| InquiryError::NotARequest(id.to_owned()))?;
    reader
        .explain(request)
        .await?
        .ok_or_else(|| InquiryError::NoRequest(id.to_owned()))
}

/// Closes a task and says how it went; without an outcome, the one that was said before stands.
pub(crate) async fn close(
    ledger: &Ledger,
    tenant: Option<&str>,
    name: &str,
    outcome: Option<Outcome>,
    by: &str,
    now_ms: i64,
) -> Result<TaskRow, InquiryError> {
    let found = task(ledger.reader(), tenant, name).await?.task;
    ledger
        .close_task(&found.tenant, name, outcome, by, now_ms)
        .await?;
    Ok(task(ledger.reader(), Some(&found.tenant), name).await?.task)
}

/// Says how a task went, and leaves it open or closed as it is.
pub(crate) async fn set_outcome(
    ledger: &Ledger,
    tenant: Option<&str>,
    name: &str,
    outcome: Outcome,
) -> Result<TaskRow, InquiryError> {
    let found = task(ledger.reader(), tenant, name).await?.task;
    ledger.set_outcome(&found.tenant, name, outcome).await?;
    Ok(task(ledger.reader(), Some(&found.tenant), name).await?.task)
}

/// What was used and spent, by period and group.
pub(crate) async fn report(
    reader: &Reader,
    inquiry: &ReportInquiry<'_>,
    now_ms: i64,
) -> Result<Vec<ReportRow>, InquiryError> {
    Ok(reader.report(&inquiry.report(now_ms)?).await?)
}

// === impl ReportInquiry ===

impl ReportInquiry<'_> {
    fn report(&self, now_ms: i64) -> Result<Report, InquiryError> {
        let moment = |field, text: Option<&str>| {
            text.map(|text| moment::parse(text, now_ms))
                .transpose()
                .map_err(|source| InquiryError::Moment { field, source })
        };
        let days: i64 = match self.period {
            Period::Day => 30,
            Period::Week => 12 * 7,
            Period::Month => 365,
        };
        let since_ms = moment("since", self.since)?
            .unwrap_or_else(|| now_ms.saturating_sub(days.saturating_mul(DAY_MS)));
        // The ledger adds up by the hour, and the hour that is running counts.
        let until_ms =
            moment("until", self.until)?.unwrap_or_else(|| now_ms.saturating_add(HOUR_MS));
        if until_ms <= since_ms {
            return Err(InquiryError::Backwards);
        }
        Ok(Report {
            period: self.period,
            by: self.by,
            since_ms,
            until_ms,
            tenant: self.tenant.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_others_are_told_which_there_are() {
        assert_eq!(word::<Period>("week").unwrap(), Period::Week);
        assert_eq!(word::<By>("tag").unwrap(), By::Tag);
        let error = word::<Outcome>("won").unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown variant `won`, expected one of `success`, `failure`, `unknown`"
        );
    }

    #[test]
    fn a_report_goes_back_as_far_as_its_periods_ask() {
        let mut inquiry = ReportInquiry {
            period: Period::Week,
            by: By::Model,
            since: None,
            until: None,
            tenant: None,
        };
        let now = 1_795_255_200_000;
        let report = inquiry.report(now).unwrap();
        assert_eq!(now - report.since_ms, 84 * DAY_MS);
        assert_eq!(report.until_ms - now, HOUR_MS);
        (inquiry.since, inquiry.until) = (Some("2026-11-01"), Some("2026-11-01"));
        assert!(matches!(inquiry.report(now), Err(InquiryError::Backwards)));
        inquiry.until = Some("soon");
        let error = inquiry.report(now).unwrap_err().to_string();
        assert!(error.starts_with("`until`: `soon` is no time"), "{error}");
    }
}
