//! What can go wrong with a ledger.

use std::path::PathBuf;
use std::sync::Arc;

use skinflint_money::NanoUsd;
use sqlx::migrate::MigrateError;
use uuid::Uuid;

/// A ledger that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its lock cannot be used.
    #[error("the ledger {path} cannot be opened")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process writes to the file.
    #[error(
        "another process writes to the ledger {path}; stop the gateway that holds {lock}, or give this one a ledger of its own"
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// The lock that the other process holds.
        lock: PathBuf,
    },
    /// Another gateway of the same name writes to the database.
    #[error(
        "another gateway named `{node}` writes to this ledger; give each gateway a name of its own"
    )]
    NodeTaken {
        /// The name.
        node: String,
    },
    /// The ledger was written by a newer version.
    #[error(
        "the ledger has schema version {found}, this version knows up to {known}; use a newer version"
    )]
    Newer {
        /// The version of the ledger.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// The ledger was written by an older version and is opened for reading alone.
    #[error(
        "the ledger has schema version {found}, this version needs {known}; start the gateway once to bring it up to date"
    )]
    Older {
        /// The version of the ledger.
        found: i64,
        /// The version that is needed.
        known: i64,
    },
    /// The database could not be brought up to date.
    #[error("the tables of the ledger cannot be brought up to date")]
    Migrate(#[source] MigrateError),
    /// The database does not answer.
    #[error("the database of the ledger cannot be used")]
    Database(#[source] sqlx::Error),
    /// What a crash left open could not be settled.
    #[error("the reservations that were left open cannot be settled")]
    Recover(#[source] LedgerError),
}

/// Something that the ledger did not do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// Its writer has ended.
    #[error("the ledger is closed")]
    Closed,
    /// Nothing was made durable, so nothing may be spent.
    #[error("the ledger cannot be written")]
    Write(#[source] Arc<sqlx::Error>),
    /// A query failed.
    #[error("the ledger cannot be read")]
    Read(#[source] Arc<sqlx::Error>),
    /// An amount that no call costs.
    #[error(
        "an amount of {amount} USD for one call is more than the {most} USD that the ledger takes"
    )]
    TooLarge {
        /// The amount.
        amount: NanoUsd,
        /// The largest that is taken.
        most: NanoUsd,
    },
    /// The attempt was not reserved, or is settled.
    #[error("attempt {0} has no open reservation")]
    NotOpen(Uuid),
    /// A column holds what it cannot hold.
    #[error("column {column} of a row of the ledger is not readable")]
    Unreadable {
        /// Which one, from 1.
        column: usize,
    },
}

impl LedgerError {
    pub(crate) fn write(error: sqlx::Error) -> Self {
        Self::Write(Arc::new(error))
    }

    pub(crate) fn read(error: sqlx::Error) -> Self {
        Self::Read(Arc::new(error))
    }
}
