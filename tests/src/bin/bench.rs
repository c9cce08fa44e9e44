//! The benchmark as a program: what the gateway adds to a call, as a proxy beside nginx and with its books.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use skinflint_tests::{
    bench::{self, BenchError, Options, Part},
    weights,
};

/// As in the gateway: its crates are measured here too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what Skinflint adds to a call: direct, through nginx and through Skinflint, in turns, in one run; then what its books add,
/// the ledger and the budgets alone, and what a busy local model adds.
#[derive(Debug, Parser)]
struct Arguments {
    /// The gateway's binary, built with `--release`.
    #[arg(long, default_value = "target/release/skinflint")]
    gateway: PathBuf,
    /// The nginx to compare with, by path or by name.
    #[arg(long, default_value = "nginx")]
    nginx: PathBuf,
    /// Length of the proxy's part, in seconds; the gateway with its books takes half as long.
    #[arg(long, default_value_t = 80)]
    seconds: u64,
    /// The folder with the local model's weights; where `skinflint models pull` puts them if it is not given.
    #[arg(long)]
    models: Option<PathBuf>,
    /// A short run that shows that everything works; its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Measures only the proxy, and of it the cases whose name contains this, such as `1KB/whole/32`; other figures are left out.
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Measures these parts alone.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Serves the fixed answers; what the benchmark starts as a process of its own.
    #[arg(long, hide = true)]
    origin: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measure(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell if standard error is closed as well.
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: Arguments) -> Result<(), BenchError> {
    if arguments.origin {
        return bench::serve_origin().await;
    }
    let options = Options {
        gateway: arguments.gateway,
        nginx: arguments.nginx,
        models: arguments.models.unwrap_or_else(weights::folder),
        length: Duration::from_secs(arguments.seconds),
        quick: arguments.quick,
        case: arguments.case,
        only: arguments.only,
    };
    bench::run(&options).await
}
