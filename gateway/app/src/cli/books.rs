//! The ledger as commands open it.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use skinflint_ledger::{Ledger, OpenError, Reader, Store};
use skinflint_policies::{self as policies, Config, LedgerSettings};

use super::{ConfigFile, Outcome, data_folder, out};
use crate::{accounting, clock};

/// What every command about the ledger is told.
#[derive(Debug, Clone, Args)]
pub(super) struct LedgerArguments {
    /// The configuration; without it `./skinflint.toml` if there is one, else the defaults in the binary
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// Why a ledger cannot be asked.
#[derive(Debug, thiserror::Error)]
enum NoLedger {
    /// The configuration says so.
    #[error("no ledger is kept: `ledger.store` is `off`")]
    Off,
    /// No gateway has run here yet.
    #[error("there is no ledger at {0} yet: the gateway makes it when it first starts")]
    Missing(PathBuf),
}

// === impl LedgerArguments ===

impl LedgerArguments {
    /// Reads the configuration.
    pub(super) fn load(&self) -> Result<Config, Box<dyn std::error::Error>> {
        let config = self.config.clone();
        ConfigFile { config }.load()
    }

    /// Prints a value as JSON, or else what is made of it for people.
    pub(super) fn print<T: Serialize>(
        &self,
        value: &T,
        people: impl FnOnce(&T) -> String,
    ) -> Outcome {
        if self.json {
            out::line(serde_json::to_string_pretty(value)?);
        } else {
            out::line(people(value));
        }
        Ok(())
    }
}

/// Does the work of a command.
pub(super) fn run(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Opens the ledger for reading, beside a gateway or without one.
pub(super) async fn reader(config: &Config) -> Result<Reader, Box<dyn std::error::Error>> {
    let store = accounting::ledger_store(settings(config)?, &data_folder());
    check(&store)?;
    Ok(Reader::open(&store).await?)
}

/// Opens the ledger for writing, which no other process may do meanwhile, and closes it after the work.
pub(super) async fn write<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Ledger) -> Result<T, Box<dyn std::error::Error>>,
) -> Result<T, Box<dyn std::error::Error>> {
    let mut kept = accounting::ledger_config(settings(config)?, &data_folder());
    check(&kept.store)?;
    if let Store::Postgres { .. } = kept.store {
        // Beside the gateways that share it, and not in the place of one.
        kept.node.push_str("-cli");
    }
    let (ledger, writer, recovered) = Ledger::open(kept, clock::unix_millis()).await?;
    if !recovered.is_empty() {
        out::note(format_args!(
            "{} calls that a gateway had left open when it ended are settled at the most that they can have cost",
            recovered.len()
        ));
    }
    let worked = async {
        let done = work(&ledger).await;
        ledger.close();
        done
    };
    let (done, written) = tokio::join!(worked, writer.run());
    let done = done?;
    written?;
    Ok(done)
}

/// Whether an error says that a running gateway holds the ledger.
pub(super) fn is_held(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::Locked { .. }))
}

fn settings(config: &Config) -> Result<&LedgerSettings, NoLedger> {
    match &config.ledger {
        policies::Ledger::Off => Err(NoLedger::Off),
        policies::Ledger::On(settings) => Ok(settings),
    }
}

/// Opening for writing would make the file, and an empty answer looks like one.
fn check(store: &Store) -> Result<(), NoLedger> {
    match store {
        Store::Sqlite { path } if !path.is_file() => Err(NoLedger::Missing(path.clone())),
        Store::Sqlite { .. } | Store::Postgres { .. } => Ok(()),
    }
}
