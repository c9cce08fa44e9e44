//! The comparison as a program.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use skinflint_local_model::Precision;
use skinflint_parity::compare::checkpoints::{self, CheckpointError};
use skinflint_parity::compare::llama_cpp::{self, CompareError, Greedy, TOGETHER};
use skinflint_parity::compare::rounding;
use skinflint_parity::llama::Llama;
use skinflint_parity::ours::Ours;
use skinflint_parity::prompts::{self, PromptError};
use skinflint_parity::report::{self, Report};
use thiserror::Error;

/// Compares the local model with a reference. Fails if a figure is short of its goal.
#[derive(Debug, Parser)]
struct Arguments {
    /// Threads of each side.
    #[arg(long, default_value = "2", global = true)]
    threads: NonZeroUsize,
    #[command(subcommand)]
    reference: Reference,
}

#[derive(Debug, Subcommand)]
enum Reference {
    /// With llama.cpp, on a GGUF file.
    Llama(Files),
    /// With transformers, on the checkpoints that `make_checkpoints.py` has made.
    Transformers {
        /// The folder with a folder for each.
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Files {
    /// The file that both load.
    #[arg(long)]
    model: PathBuf,
    /// The same with all weights in single precision, as `transformers/dequantize.py` writes it.
    #[arg(long)]
    unrounded: Option<PathBuf>,
    /// What the names of the figures begin with.
    #[arg(long, default_value = "parity")]
    prefix: String,
    /// The folder with the prompts.
    #[arg(long, default_value = prompts::FOLDER)]
    prompts: PathBuf,
}

#[derive(Debug, Error)]
enum Fault {
    #[error(transparent)]
    Prompts(#[from] PromptError),
    #[error(transparent)]
    Llama(#[from] CompareError),
    #[error(transparent)]
    Transformers(#[from] CheckpointError),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    let result = match &arguments.reference {
        Reference::Llama(files) => with_llama(files, arguments.threads, &mut report),
        Reference::Transformers { folder } => {
            checkpoints::compare(folder, arguments.threads, &mut report).map_err(Fault::from)
        }
    };
    match result {
        Ok(()) if report.is_met() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to tell if standard error is closed as well.
            let _ = writeln!(io::stderr(), "parity: {}", report::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// As it is served, and, with the same weights in single precision at hand, as exactly as it can be.
fn with_llama(files: &Files, threads: NonZeroUsize, report: &mut Report) -> Result<(), Fault> {
    let Files {
        model,
        unrounded,
        prefix,
        prompts,
    } = files;
    let prompts = prompts::read(prompts)?;
    let together = NonZeroUsize::new(TOGETHER).unwrap_or(NonZeroUsize::MIN);
    let load =
        |precision| Ours::load(model, precision, threads, together).map_err(CompareError::from);
    let ours = load(Precision::Bits8)?;
    let llama = Llama::load(model, threads.get()).map_err(CompareError::from)?;
    let Some(unrounded) = unrounded else {
        llama_cpp::compare(&ours, &llama, &prompts, (prefix, Greedy::Alike), report)?;
        return Ok(());
    };
    llama_cpp::compare(&ours, &llama, &prompts, (prefix, Greedy::Told), report)?;
    let unrounded = llama
        .load_another(unrounded, threads.get())
        .map_err(CompareError::from)?;
    rounding::compare(&ours, &llama, &unrounded, &prompts, prefix, report)?;
    drop((ours, llama));
    let exact = load(Precision::Bits15)?;
    let prefix = format!("{prefix}_unrounded");
    llama_cpp::compare(
        &exact,
        &unrounded,
        &prompts,
        (&prefix, Greedy::Alike),
        report,
    )?;
    Ok(())
}
