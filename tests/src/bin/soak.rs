//! The soak as a program: what the ledger and the budgets promise, over hundreds of deaths and millions of rows.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, UNIX_EPOCH},
};

use clap::Parser;
use skinflint_tests::{
    soak::{self, Options, Part},
    weights,
};

/// Kills the gateway under load hundreds of times, replays recorded conversations, looks through ten million rows, spends a dollar ten thousand times,
/// and has callers of the local model come and go.
/// The exit code is 1 if a figure falls short of its goal. The gateway is the binary beside this one, built with the feature `failpoints`.
#[derive(Debug, Parser)]
struct Arguments {
    /// Times that the gateway is killed.
    #[arg(long, default_value_t = 500)]
    crash_rounds: usize,
    /// Minutes in which callers of the local model come and go.
    #[arg(long, default_value_t = 10)]
    cancel_minutes: u64,
    /// The folder with the local model's weights; where `skinflint models pull` puts them if it is not given.
    #[arg(long)]
    models: Option<PathBuf>,
    /// Repeats the random choices of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// A run of a minute or two that shows that everything works.
    #[arg(long)]
    short: bool,
    /// Runs these parts alone.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments {
        crash_rounds,
        cancel_minutes,
        models,
        seed,
        short,
        only,
    } = Arguments::parse();
    #[expect(
        clippy::disallowed_methods,
        reason = "rows of a ledger are as old as they say, and no test moves this time"
    )]
    let since_epoch = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    let options = Options {
        crash_rounds,
        cancel_length: Duration::from_secs(cancel_minutes.saturating_mul(60)),
        models: models.unwrap_or_else(weights::folder),
        seed,
        short,
        only,
        now_ms: since_epoch.map_or(0, millis),
    };
    match soak::run(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to tell if standard error is closed as well.
            let _ = writeln!(io::stderr(), "soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
