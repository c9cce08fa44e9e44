//! `skinflint trials`

use clap::Args;

use super::{
    Outcome, data_folder, out,
    table::{Column, Table},
};
use crate::trials::{self, TrialRow};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let folder = data_folder();
    let rows = trials::kept(&folder).map_err(|error| {
        format!(
            "what was found in {} cannot be read: {error}",
            folder.display()
        )
    })?;
    if arguments.json {
        out::line(serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if rows.is_empty() {
        out::note(
            "no call was asked both ways yet: that is done for `[compress] audit` of the calls that a technique would change",
        );
        return Ok(());
    }
    out::line(table(&rows));
    Ok(())
}

fn table(rows: &[TrialRow]) -> Table {
    let mut table = Table::new([
        Column::Left("TENANT"),
        Column::Left("MODEL/CLASS"),
        Column::Left("TECHNIQUE"),
        Column::Left("MODE"),
        Column::Right("ASKED BOTH WAYS"),
        Column::Right("DIFFER"),
        Column::Right("AT MOST"),
    ]);
    for row in rows {
        let verdict = &row.verdict;
        table.row([
            row.tenant.clone(),
            row.class.clone(),
            row.technique.clone(),
            row.mode().to_owned(),
            verdict.counts.judged.to_string(),
            verdict.counts.wrong.to_string(),
            format!("{:.1}%", f64::from(verdict.upper_bound_ppm) / 1e4),
        ]);
    }
    table
}
