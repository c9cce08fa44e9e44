//! `skinflint report`

use clap::Args;
use serde::Serialize;
use skinflint_ledger::{By, Period, ReportRow};
use skinflint_money::NanoUsd;

use super::{
    Outcome, books,
    figure::share,
    table::{Column, Table},
};
use crate::{
    clock,
    inquiry::{self, ReportInquiry},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    books: books::LedgerArguments,
    /// A row for each `day`, `week` (from Monday) or `month` of UTC
    #[arg(long, default_value = "day", value_parser = period)]
    period: Period,
    /// And for each `tenant`, `model`, `class`, `key` or `tag`
    #[arg(long, default_value = "tenant", value_parser = by)]
    by: By,
    /// From then on: `24h` or `7d` ago, or a date such as `2026-11-01` (UTC); else 30 days, 12 weeks or a year
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until before then; else until now
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Of this tenant alone
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Serialize)]
struct Rows {
    report: Vec<ReportRow>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let inquiry = ReportInquiry {
        period: arguments.period,
        by: arguments.by,
        since: arguments.since.as_deref(),
        until: arguments.until.as_deref(),
        tenant: arguments.tenant.as_deref(),
    };
    let config = arguments.books.load()?;
    books::run(async {
        let reader = books::reader(&config).await?;
        let report = inquiry::report(&reader, &inquiry, clock::unix_millis()).await?;
        arguments
            .books
            .print(&Rows { report }, |rows| text(&rows.report, arguments.by))
    })
}

fn period(text: &str) -> Result<Period, String> {
    inquiry::word(text).map_err(|error| error.to_string())
}

fn by(text: &str) -> Result<By, String> {
    inquiry::word(text).map_err(|error| error.to_string())
}

fn text(rows: &[ReportRow], by: By) -> String {
    if rows.is_empty() {
        return "nothing was used".to_owned();
    }
    let has_notional = rows.iter().any(|row| row.sums.notional > NanoUsd::ZERO);
    let has_outcomes = rows.iter().any(|row| row.successes.is_some());
    let heading = match by {
        By::Tenant => "TENANT",
        By::Model => "MODEL",
        By::Class => "CLASS",
        By::Key => "KEY",
        By::Tag => "TAG",
    };
    let outcomes = [Column::Right("SUCCEEDED"), Column::Decimal("COST EACH")];
    let mut table = Table::new(
        [
            Column::Left("FROM"),
            Column::Left(heading),
            Column::Right("CALLS"),
            Column::Right("IN"),
            Column::Right("CACHED"),
            Column::Right("OUT"),
            Column::Decimal("COST"),
        ]
        .into_iter()
        .chain(has_notional.then_some(Column::Decimal("SUBSCRIBED")))
        .chain([Column::Decimal("SAVED"), Column::Decimal("HARM")])
        .chain(outcomes.into_iter().filter(|_| has_outcomes)),
    );
    for row in rows {
        let sums = &row.sums;
        let each = row.cost_per_success.map(|cost| cost.to_string());
        let outcomes = [
            row.successes.unwrap_or_default().to_string(),
            each.unwrap_or_else(|| "-".to_owned()),
        ];
        table.row(
            [
                row.start.to_string(),
                row.group.clone(),
                sums.calls.to_string(),
                sums.input().to_string(),
                share(sums.cache_read, sums.input()),
                sums.output.to_string(),
                sums.cost.to_string(),
            ]
            .into_iter()
            .chain(has_notional.then(|| sums.notional.to_string()))
            .chain([sums.saved_ours.to_string(), sums.harm.to_string()])
            .chain(outcomes.into_iter().filter(|_| has_outcomes)),
        );
    }
    table.to_string()
}

#[cfg(test)]
mod tests;
