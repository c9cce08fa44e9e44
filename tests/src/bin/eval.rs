//! The evaluation as a program: what is saved, and what is let through.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use skinflint_tests::{
    eval::{self, Options},
    soak::replay::evaluation_data,
};

/// Evaluates compression and the error guard on recorded data, which is no part of the project.
#[derive(Debug, Parser)]
struct Arguments {
    /// The gateway's binary.
    #[arg(long, default_value = "target/debug/skinflint")]
    gateway: PathBuf,
    /// The folder of the data; `SKINFLINT_EVAL_DATA`, or `../shared/data`, if it is not given.
    #[arg(long)]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        gateway: arguments.gateway,
        data: arguments.data.unwrap_or_else(evaluation_data),
    };
    match eval::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell if standard error is closed as well.
            let _ = writeln!(io::stderr(), "eval: {error}");
            ExitCode::FAILURE
        }
    }
}
