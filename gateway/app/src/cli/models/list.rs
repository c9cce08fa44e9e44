//! `skinflint models list`

use std::path::Path;

use indicatif::BinaryBytes;
use serde::Serialize;
use skinflint_local_model::{Listed, State, inventory};

use super::super::{
    Outcome, out,
    table::{Column, Table},
};

/// A row for programs.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    /// `generate`, `embed`, `classify`; null where that is not known.
    purpose: Option<String>,
    bytes: u64,
    /// `here`, `partly here`, `not here`, `damaged`.
    state: &'static str,
    path: String,
    /// What is wrong with it; null if nothing is.
    fault: Option<String>,
}

pub(super) fn run(json: bool, folder: &Path) -> Outcome {
    let listed = inventory(folder)?;
    if json {
        let rows: Vec<_> = listed.iter().map(row).collect();
        out::line(serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let mut table = Table::new([
        Column::Left("NAME"),
        Column::Left("FOR"),
        Column::Right("SIZE"),
        Column::Left("STATE"),
        Column::Left("PATH"),
    ]);
    for listed in &listed {
        let row = row(listed);
        table.row([
            row.name.to_owned(),
            row.purpose.unwrap_or_else(|| "-".to_owned()),
            BinaryBytes(row.bytes).to_string(),
            row.state.to_owned(),
            row.path,
        ]);
    }
    out::line(table);
    for listed in &listed {
        if let Some(fault) = &listed.fault {
            out::note(format_args!("{}: {fault}", listed.name));
        }
    }
    Ok(())
}

fn row(listed: &Listed) -> Row<'_> {
    Row {
        name: &listed.name,
        purpose: listed.purpose.map(|purpose| purpose.to_string()),
        bytes: listed.bytes,
        state: match listed.state {
            State::Here => "here",
            State::Partly => "partly here",
            State::Absent => "not here",
            State::Damaged => "damaged",
        },
        path: listed.path.display().to_string(),
        fault: listed.fault.as_ref().map(ToString::to_string),
    }
}
