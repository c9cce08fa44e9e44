//! The benchmark as a program.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use skinflint_parity::bench::{self, BenchError, Options, Part, ROUNDS};
use skinflint_parity::report::{self, Report};

/// As in the gateway: what is allocated counts in the memory that is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the local model beside llama.cpp, in turns, in one run. Needs a machine that does nothing else.
#[derive(Debug, Parser)]
struct Arguments {
    /// The GGUF file that both load.
    #[arg(long)]
    model: PathBuf,
    /// The folder of the sentence embedder.
    #[arg(long)]
    embedder: PathBuf,
    /// The folder of the token classifier.
    #[arg(long)]
    classifier: PathBuf,
    /// Threads of each side.
    #[arg(long, default_value = "2")]
    threads: NonZeroUsize,
    /// Rounds of each measurement.
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// Measures these parts alone.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Does nothing but take memory: what the benchmark starts as a process of its own.
    #[arg(long, hide = true)]
    memory: bool,
}

fn main() -> ExitCode {
    match measure(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell if standard error is closed as well.
            let _ = writeln!(io::stderr(), "bench-local: {}", report::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: Arguments) -> Result<(), BenchError> {
    let options = Options {
        model: arguments.model,
        embedder: arguments.embedder,
        classifier: arguments.classifier,
        threads: arguments.threads,
        rounds: arguments.rounds,
        only: arguments.only,
    };
    if arguments.memory {
        return bench::measure_child(&options);
    }
    bench::run(&options, &mut Report::default())
}
