//! The command line: one file a command.

mod check;
mod keys;
mod models;
mod out;
mod serve;

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
