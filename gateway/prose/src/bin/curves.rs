//! The curves of recall against rate as a program.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use skinflint_prose::curves::{CurveOptions, run};
use skinflint_prose::{data_folder, models_folder};

/// Measures how many answers survive compression, on public passages that are no part of the project.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of the data; `SKINFLINT_EVAL_DATA`, or `../shared/data`, if it is not given.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The folder of the models; where `skinflint models pull` puts them, if it is not given.
    #[arg(long)]
    models: Option<PathBuf>,
    /// The most passages.
    #[arg(long, default_value_t = 80)]
    passages: usize,
    /// Where the table goes, in Markdown.
    #[arg(long)]
    table: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = CurveOptions {
        data: arguments.data.unwrap_or_else(data_folder),
        models: arguments.models.unwrap_or_else(models_folder),
        passages: arguments.passages,
        table: arguments.table,
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell if standard error is closed as well.
            let _ = writeln!(io::stderr(), "curves: {error}");
            ExitCode::FAILURE
        }
    }
}
