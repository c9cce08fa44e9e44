//! The comparison as a program.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use skinflint_parity::compare::checkpoints::{self, CheckpointError};
use skinflint_parity::compare::llama_cpp::{self, CompareError, TOGETHER};
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
    Llama {
        /// The file that both load.
        #[arg(long)]
        model: PathBuf,
        /// What the names of the figures begin with.
        #[arg(long, default_value = "parity")]
        prefix: String,
        /// The folder with the prompts.
        #[arg(long, default_value = prompts::FOLDER)]
        prompts: PathBuf,
    },
    /// With transformers, on the checkpoints that `make_checkpoints.py` has made.
    Transformers {
        /// The folder with a folder for each.
        folder: PathBuf,
    },
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
        Reference::Llama {
            model,
            prefix,
            prompts,
        } => with_llama(model, prompts, prefix, arguments.threads, &mut report),
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

fn with_llama(
    model: &Path,
    prompts: &Path,
    prefix: &str,
    threads: NonZeroUsize,
    report: &mut Report,
) -> Result<(), Fault> {
    let prompts = prompts::read(prompts)?;
    let together = NonZeroUsize::new(TOGETHER).unwrap_or(NonZeroUsize::MIN);
    let ours = Ours::load(model, threads, together).map_err(CompareError::from)?;
    let llama = Llama::load(model, threads.get()).map_err(CompareError::from)?;
    llama_cpp::compare(&ours, &llama, &prompts, prefix, report)?;
    Ok(())
}
