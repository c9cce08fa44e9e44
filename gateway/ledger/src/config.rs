//! Where a ledger is kept and how safely.

use std::fmt;
use std::path::PathBuf;

/// Where a ledger is kept and how safely.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where.
    pub store: Store,
    /// What a commit of SQLite survives. Postgres keeps to its own `synchronous_commit`.
    pub durability: Durability,
    /// The name of this gateway, of its own among those that share the ledger.
    pub node: String,
}

/// The database.
#[derive(Debug, Clone)]
pub enum Store {
    /// A file of this machine.
    Sqlite {
        /// The file; it is made if it is missing, its directory is not.
        path: PathBuf,
    },
    /// A server, which several gateways may share.
    Postgres {
        /// How to reach it.
        url: PostgresUrl,
    },
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The end of the process by whatever means. A power cut may take the last commits with it.
    #[default]
    Process,
    /// A power cut as well, for a wait on the disk in each commit.
    Power,
}

/// A connection string of Postgres, `postgres://user:password@host/database`. Never printed.
#[derive(Clone)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// A connection string.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl([redacted])")
    }
}
