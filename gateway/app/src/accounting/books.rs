//! Opening the ledger and the budgets' counters, and closing them again.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::ExposeSecret;
use skinflint_budget::{Budgets, ConnectError, RedisConfig, Watch};
use skinflint_ledger::{
    Config, Durability, Ledger, LedgerError, OpenError, PostgresUrl, Recovered, Store,
};
use skinflint_policies::{self as policies, Counters, LedgerFile, LedgerSettings, LedgerStore};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{clock, drain::Drain};

/// Where money is written down and counted.
#[derive(Debug)]
pub(crate) struct Books {
    /// For good.
    pub ledger: Ledger,
    /// How much is left.
    pub budgets: Budgets,
    /// A task without calls for so long is closed.
    pub task_idle: Duration,
    /// What writes: it goes on until the last call is settled.
    writers: Drain,
}

/// A ledger that is open, before there is anybody to count budgets.
#[derive(Debug)]
pub(super) struct OpenLedger {
    pub(super) ledger: Ledger,
    writers: Drain,
    recovered: Vec<Recovered>,
}

/// Why the books cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The ledger's folder cannot be made.
    #[error("cannot make the ledger's folder {folder}: {source}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The ledger cannot be opened.
    #[error("cannot open the ledger: {0}")]
    Ledger(#[from] OpenError),
    /// The ledger does not say which one it is.
    #[error("cannot read the ledger: {0}")]
    Identity(#[from] LedgerError),
    /// The counters cannot be used.
    #[error("cannot count budgets in Redis: {0}")]
    Counters(#[from] ConnectError),
}

/// A budgets' store that is there takes milliseconds.
const TELL_WITHIN: Duration = Duration::from_secs(2);
/// Rows that wait are written within moments, unless the disk is gone.
const CLOSE_WITHIN: Duration = Duration::from_secs(15);

// === impl OpenLedger ===

impl OpenLedger {
    /// Opens it, and settles what a process that died had left open. `data` is the user's data folder.
    pub(super) async fn open(settings: &LedgerSettings, data: &Path) -> Result<Self, BooksError> {
        let config = config(settings, data);
        make_folder(&config.store)?;
        let (ledger, writer, recovered) = Ledger::open(config, clock::unix_millis()).await?;
        let writers = Drain::default();
        writers.spawn(async move {
            if let Err(error) = writer.run().await {
                tracing::error!(%error, "the ledger could not be written to its end");
            }
        });
        Ok(Self {
            ledger,
            writers,
            recovered,
        })
    }

    /// Opens the budgets' counters too. The watch hears of every settlement.
    pub(super) async fn with_budgets(
        self,
        settings: &LedgerSettings,
        counters: &Counters,
        watch: Watch,
    ) -> Result<(Books, Vec<Recovered>), BooksError> {
        let Self {
            ledger,
            writers,
            recovered,
        } = self;
        let budgets = match counters {
            Counters::InProcess => Budgets::local(watch),
            Counters::Redis { url, when_down } => {
                let config = RedisConfig {
                    url: url.expose_secret().to_owned(),
                    ledger: ledger.reader().identity().await?,
                    // Told from itself before a restart, too.
                    node: format!("{}-{}", settings.node, Uuid::now_v7().simple()),
                    when_down: down(*when_down),
                    answer_within: RedisConfig::ANSWER_WITHIN,
                };
                let (budgets, courier) = Budgets::redis(config, watch).await?;
                let stopping = writers.clone();
                writers.spawn(async move {
                    tokio::select! {
                        () = courier => {}
                        () = stopping.draining() => {}
                    }
                });
                budgets
            }
        };
        let books = Books {
            ledger,
            budgets,
            task_idle: settings.task_idle,
            writers,
        };
        Ok((books, recovered))
    }
}

// === impl Books ===

impl Books {
    /// Writes what is left and closes the books.
    pub(crate) async fn close(&self) {
        if timeout(TELL_WITHIN, self.budgets.flushed()).await.is_err() {
            tracing::error!(
                "stopped with settlements that the budgets' store has not heard of: they are in the ledger"
            );
        }
        self.ledger.close();
        self.writers.start();
        if !self.writers.finished(CLOSE_WITHIN, Duration::ZERO).await {
            tracing::error!(
                rows = self.ledger.backlog(),
                "stopped with rows that could not be written: the next start settles their calls at the most that they can have cost"
            );
        }
    }
}

/// Where the ledger's rows are.
pub(crate) fn store(settings: &LedgerSettings, data: &Path) -> Store {
    match &settings.store {
        LedgerStore::Postgres(url) => Store::Postgres {
            url: PostgresUrl::new(url.expose_secret()),
        },
        LedgerStore::Sqlite { file, .. } => Store::Sqlite {
            path: match file {
                LedgerFile::DataFolder => data.join("ledger.db"),
                LedgerFile::At(path) => path.clone(),
            },
        },
    }
}

/// The ledger's own form of its settings.
pub(crate) fn config(settings: &LedgerSettings, data: &Path) -> Config {
    let durability = match settings.store {
        LedgerStore::Sqlite {
            durability: policies::Durability::Power,
            ..
        } => Durability::Power,
        _ => Durability::Process,
    };
    Config {
        store: store(settings, data),
        durability,
        node: settings.node.clone(),
    }
}

/// Makes the folder of a ledger in a file.
fn make_folder(store: &Store) -> Result<(), BooksError> {
    if let Store::Sqlite { path } = store
        && let Some(folder) = path.parent()
    {
        std::fs::create_dir_all(folder).map_err(|source| BooksError::Folder {
            folder: folder.to_owned(),
            source,
        })?;
    }
    Ok(())
}

fn down(when_down: policies::WhenDown) -> skinflint_budget::WhenDown {
    match when_down {
        policies::WhenDown::Closed => skinflint_budget::WhenDown::Closed,
        policies::WhenDown::Share(share) => skinflint_budget::WhenDown::Share { ppm: share.get() },
    }
}
