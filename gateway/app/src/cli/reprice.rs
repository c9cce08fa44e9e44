//! `skinflint reprice`

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::{
    Outcome, books, out,
    table::{Column, Table},
};
use crate::{
    clock, moment,
    reconcile::Providers,
    repricing::{Change, Repricer},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    books: books::LedgerArguments,
    /// Calls settled since then: `24h` or `7d` ago, or a date such as `2026-11-01` (UTC); else all
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Changes {
    price_version: String,
    dry_run: bool,
    tenants: BTreeMap<String, Change>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let since = arguments
        .since
        .as_deref()
        .map(|text| moment::parse(text, clock::unix_millis()))
        .transpose()?;
    let config = arguments.books.load()?;
    let price_version = config.prices.version().to_owned();
    let mut repricer = Repricer::new(config.prices.clone(), Providers::of(&config.upstreams));
    let dry_run = arguments.dry_run;
    books::run(async {
        let written = books::write(&config, async |ledger| {
            let price = |attempt: &_| repricer.price(attempt).filter(|_| !dry_run);
            ledger.reprice(since.unwrap_or_default(), price).await?;
            Ok(())
        });
        match written.await {
            Err(error) if books::is_held(&*error) => {
                out::note("the ledger is repriced while no gateway writes to it");
                Err(error)
            }
            other => other,
        }
    })?;
    let changes = Changes {
        price_version,
        dry_run,
        tenants: repricer.into_changes(),
    };
    arguments.books.print(&changes, text)
}

fn text(changes: &Changes) -> String {
    let Changes {
        price_version,
        dry_run,
        tenants,
    } = changes;
    if tenants.is_empty() {
        return "no calls to price".to_owned();
    }
    let mut table = Table::new([
        Column::Left("TENANT"),
        Column::Right("CALLS"),
        Column::Right("CHANGED"),
        Column::Right("KEPT"),
        Column::Decimal("BEFORE"),
        Column::Decimal("AFTER"),
        Column::Decimal("+/-"),
    ]);
    for (tenant, change) in tenants {
        table.row([
            tenant.clone(),
            change.attempts.to_string(),
            change.changed.to_string(),
            change.kept.to_string(),
            change.before_usd.to_string(),
            change.after_usd.to_string(),
            change.after_usd.delta(change.before_usd).to_string(),
        ]);
    }
    let done = if *dry_run {
        "nothing is written: this is what would change"
    } else {
        "written"
    };
    format!("{table}\n\nprices {price_version}; {done}")
}

#[cfg(test)]
mod tests;
