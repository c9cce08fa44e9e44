//! The training of the keep/drop head as a program.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use skinflint_prose::train::{TrainOptions, run};
use skinflint_prose::{data_folder, models_folder};

/// Trains a keep/drop head on a sentence encoder, with labels that a small model and public passages give.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of the data; `SKINFLINT_EVAL_DATA`, or `../shared/data`, if it is not given.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The folder of the models, where the head goes; where `skinflint models pull` puts them, if it is not given.
    #[arg(long)]
    models: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = TrainOptions {
        data: arguments.data.unwrap_or_else(data_folder),
        models: arguments.models.unwrap_or_else(models_folder),
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell if standard error is closed as well.
            let _ = writeln!(io::stderr(), "train-head: {error}");
            ExitCode::FAILURE
        }
    }
}
