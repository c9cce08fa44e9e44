//! The command line: one file a command.

mod admin;
mod books;
mod check;
mod explain;
mod figure;
mod jton;
mod keys;
mod model;
mod models;
mod out;
mod reconcile;
mod replay;
mod report;
mod reprice;
mod serve;
mod table;
mod tasks;
mod trials;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use skinflint_policies::{Config, ProcessEnvironment};

/// The result of a command; an error is printed and makes the exit code 1, a usage error 2.
type Outcome = Result<(), Box<dyn std::error::Error>>;

#[derive(Debug, Parser)]
#[command(
    name = "skinflint",
    version,
    about = "The agent-side, cost-optimizing LLM gateway"
)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve calls until told to stop
    Serve(serve::Arguments),
    /// Check the configuration and every tenant file, and say what is wrong
    Check(ConfigFile),
    /// Make, list and revoke the keys that clients authenticate with
    Keys(keys::Arguments),
    /// Fetch and list the weights of local models
    Models(models::Arguments),
    /// Serve one local model
    Model(model::Arguments),
    /// List the costliest tasks, show one, or close it
    Tasks(tasks::Arguments),
    /// Tell what became of a request: decisions, attempts, tokens, money
    Explain(explain::Arguments),
    /// Add up what was used and spent, by day, week or month
    Report(report::Arguments),
    /// Compute what calls cost anew, by the prices of this configuration
    ///
    /// The stored usage of each call is priced by the table and the overrides of the configuration, with the roll-ups and the savings that follow
    /// from it. Calls settled at an upper bound have no usage and keep their cost. A ledger in a file has one writer: stop the gateway first.
    /// Budgets learn of the new sums when they next start from the ledger.
    Reprice(reprice::Arguments),
    /// Write JSON as JTON tables, or tables as JSON, from standard input to standard output
    Jton(jton::Arguments),
    /// Price recorded conversations with and without compression
    ///
    /// Each answer of the model in a file is taken for a call with everything before it. Files are JSON or JSON lines: lists of messages, or objects
    /// with `messages`, `history` or `traj`, in the manner of OpenAI's chat completions or Anthropic's messages.
    Replay(replay::Arguments),
    /// Tell which lossy techniques are served, and on what evidence
    Trials(trials::Arguments),
    /// Hold the ledger against a provider's own export
    Reconcile(reconcile::Arguments),
}

#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration; without it `./skinflint.toml` if there is one, else the defaults in the binary
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "skinflint.toml";

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let done = match Command::parse().verb {
        Verb::Serve(arguments) => serve::run(&arguments),
        Verb::Check(file) => check::run(&file),
        Verb::Keys(arguments) => keys::run(&arguments),
        Verb::Models(arguments) => models::run(&arguments),
        Verb::Model(arguments) => model::run(&arguments),
        Verb::Tasks(arguments) => tasks::run(&arguments),
        Verb::Explain(arguments) => explain::run(&arguments),
        Verb::Report(arguments) => report::run(&arguments),
        Verb::Reprice(arguments) => reprice::run(&arguments),
        Verb::Jton(arguments) => jton::run(&arguments),
        Verb::Replay(arguments) => replay::run(&arguments),
        Verb::Trials(arguments) => trials::run(&arguments),
        Verb::Reconcile(arguments) => reconcile::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out::error(&*error);
            ExitCode::FAILURE
        }
    }
}

// === impl ConfigFile ===

impl ConfigFile {
    fn path(&self) -> Option<&Path> {
        let default = Path::new(DEFAULT_FILE);
        self.config
            .as_deref()
            .or_else(|| default.is_file().then_some(default))
    }

    fn load(&self) -> Result<Config, Box<dyn std::error::Error>> {
        Ok(match self.path() {
            Some(path) => Config::load(path, &ProcessEnvironment)?,
            None => Config::defaults(&ProcessEnvironment)
                .map_err(|invalid| format!("{}: {}", invalid.field, invalid.message))?,
        })
    }
}

/// Where things are kept that no configuration names a place for: `skinflint` in the user's data folder.
fn data_folder() -> PathBuf {
    dirs::data_dir()
        .unwrap_or_else(|| PathBuf::from("."))
        .join("skinflint")
}

/// Where weights are kept unless a command says otherwise.
fn models_folder() -> PathBuf {
    data_folder().join("models")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn commands_are_told_apart_with_all_their_arguments() {
        Command::command().debug_assert();
        for line in [
            "skinflint tasks --config f.toml show a/b --tenant acme --json",
            "skinflint tasks close a --outcome success --config f.toml",
            "skinflint tasks --since 7d --top 5",
            "skinflint report --period week --by tag --until 2026-11-01",
            "skinflint reprice --dry-run --since 24h",
            "skinflint reconcile usage.csv --upstream openai",
            "skinflint explain req_1 --json",
            "skinflint trials --json",
            "skinflint model serve",
            "skinflint jton encode --profile union --count",
            "skinflint jton decode --strict",
            "skinflint replay a.json b.jsonl --compress off --json",
            "skinflint model serve ./m.gguf --listen 127.0.0.1:0 --threads 2 --embedder off --models kept",
        ] {
            Command::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}"));
        }
        for line in [
            "skinflint tasks --top 0",
            "skinflint tasks close a",
            "skinflint tasks close a --outcome won",
            "skinflint report --by agent",
            "skinflint model serve --threads 0",
        ] {
            assert!(Command::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
