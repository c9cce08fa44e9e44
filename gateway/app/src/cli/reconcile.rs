//! `skinflint reconcile`

use std::path::PathBuf;

use clap::Args;
use skinflint_money::NanoUsdDelta;

use super::{
    Outcome, books,
    table::{Column, Table},
};
use crate::reconcile::{Compared, Line, Measure, Providers, Reconciliation, reconcile};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    books: books::LedgerArguments,
    /// The provider's export in CSV: OpenAI's or Anthropic's usage or costs, or a table with the columns `date`, `model` and any of
    /// `input_tokens` (the whole prompt), `cached_input_tokens`, `cache_write_5m_tokens`, `cache_write_1h_tokens`, `output_tokens`, `cost_usd`
    export: PathBuf,
    /// The upstream that the export is of; else all of its provider's
    #[arg(long, value_name = "NAME")]
    upstream: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let config = arguments.books.load()?;
    let path = arguments.export.display();
    let csv = std::fs::read(&arguments.export)
        .map_err(|error| format!("the export {path} cannot be read: {error}"))?;
    let providers = Providers::of(&config.upstreams);
    books::run(async {
        let reader = books::reader(&config).await?;
        let upstream = arguments.upstream.as_deref();
        let found = reconcile(&reader, &csv, upstream, &providers).await?;
        arguments.books.print(&found, text)
    })
}

fn text(found: &Reconciliation) -> String {
    let heading = |measure| match measure {
        Measure::Input => Column::Right("IN"),
        Measure::CacheRead => Column::Right("CACHED"),
        Measure::CacheWrite => Column::Right("WRITTEN"),
        Measure::CacheWrite5m => Column::Right("WRITTEN 5M"),
        Measure::CacheWrite1h => Column::Right("WRITTEN 1H"),
        Measure::Output => Column::Right("OUT"),
        Measure::Cost => Column::Decimal("COST"),
    };
    let difference = |measure| match measure {
        Measure::Cost => Column::Decimal("+/-"),
        _ => Column::Right("+/-"),
    };
    let mut table = Table::new(
        [
            Column::Left("DAY"),
            Column::Left("MODEL"),
            Column::Right("CALLS"),
        ]
        .into_iter()
        .chain(
            found
                .measures
                .iter()
                .flat_map(|&measure| [heading(measure), difference(measure)]),
        )
        .chain([Column::Left("")]),
    );
    let mut row = |[day, model]: [String; 2], line: &Line| {
        table.row(
            [day, model, line.calls.to_string()]
                .into_iter()
                .chain(found.compared(line).iter().flat_map(figures))
                .chain([remark(line)]),
        );
    };
    for line in &found.lines {
        row([line.day.to_string(), line.model.clone()], line);
    }
    row(["total".to_owned(), String::new()], &found.total);
    let upstreams: Vec<&str> = found.upstreams.iter().map(String::as_str).collect();
    let drift: Vec<String> = found.compared(&found.total).iter().map(drift).collect();
    format!(
        "{table}\n\nthe ledger of {}, {} to {}; +/- is the ledger less the export\ndrift: {}",
        upstreams.join(", "),
        found.first,
        found.last,
        drift.join(", ")
    )
}

/// What the ledger says, and how much more that is than the export says.
fn figures(compared: &Compared) -> [String; 2] {
    let difference = compared.difference();
    let sign = if difference > 0 { "+" } else { "" };
    match compared.measure {
        Measure::Cost => [
            NanoUsdDelta::new(compared.ledger).to_string(),
            format!("{sign}{}", NanoUsdDelta::new(difference)),
        ],
        _ => [compared.ledger.to_string(), format!("{sign}{difference}")],
    }
}

fn remark(line: &Line) -> String {
    let side = match (&line.ledger, &line.export) {
        (Some(_), None) => Some("only in the ledger".to_owned()),
        (None, Some(_)) => Some("only in the export".to_owned()),
        _ => None,
    };
    let estimated = (line.estimated > 0).then(|| format!("{} estimated", line.estimated));
    let remarks: Vec<String> = side.into_iter().chain(estimated).collect();
    remarks.join(", ")
}

fn drift(compared: &Compared) -> String {
    let what = match compared.measure {
        Measure::Input => "in",
        Measure::CacheRead => "cached",
        Measure::CacheWrite => "written",
        Measure::CacheWrite5m => "written 5m",
        Measure::CacheWrite1h => "written 1h",
        Measure::Output => "out",
        Measure::Cost => "cost",
    };
    match compared.drift_percent() {
        Some(percent) => format!("{what} {percent}%"),
        None => format!("{what} not in the export"),
    }
}

#[cfg(test)]
mod tests;
