//! Where it is written down what calls cost.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    file::Invalid,
    name,
    secret::{self, Environment},
    units::Span,
};

/// Whether there is a ledger.
#[derive(Debug)]
pub enum Ledger {
    /// Nothing is written down, and no budget can hold calls back.
    Off,
    /// There is.
    On(LedgerSettings),
}

/// How the ledger is kept.
#[derive(Debug)]
pub struct LedgerSettings {
    /// Where its rows are.
    pub store: LedgerStore,
    /// The name of this gateway among those that share the ledger.
    pub node: String,
    /// A task without calls for so long is closed.
    pub task_idle: Duration,
}

/// Where the rows of the ledger are.
#[derive(Debug)]
pub enum LedgerStore {
    /// In a file of this gateway's own.
    Sqlite {
        /// The file.
        file: LedgerFile,
        /// What a written row survives.
        durability: Durability,
    },
    /// In a Postgres server at this URL, which several gateways may share; what a row survives is the server's setting.
    Postgres(SecretString),
}

/// The file of a SQLite ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerFile {
    /// `skinflint/ledger.db` in the user's data folder.
    DataFolder,
    /// This one.
    At(PathBuf),
}

/// What a row survives once it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// That the process is killed.
    #[default]
    Process,
    /// That the machine loses power: every commit waits for the disk.
    Power,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    store: Option<RawStore>,
    path: Option<PathBuf>,
    url_env: Option<String>,
    durability: Option<Durability>,
    node: Option<String>,
    task_idle: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawStore {
    Sqlite,
    Postgres,
    Off,
}

/// A file has one gateway, whose name must not change when the machine's does: it finds its open rows by it.
const LONE_NODE: &str = "gateway";
/// People come back to an agent after a meeting, and rarely after two.
const DEFAULT_TASK_IDLE: Duration = Duration::from_mins(30);
const MAX_TASK_IDLE: Duration = Duration::from_hours(30 * 24);

// === impl Raw ===

impl Raw {
    /// No ledger.
    pub(super) fn off() -> Self {
        Self {
            store: Some(RawStore::Off),
            ..Self::default()
        }
    }
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn validate(
        raw: Raw,
        base: &Path,
        environment: &impl Environment,
    ) -> Result<Self, Invalid> {
        let store = match (raw.store, raw.url_env) {
            (Some(RawStore::Off), _) => return Ok(Self::Off),
            (None | Some(RawStore::Postgres), Some(name)) => {
                if raw.path.is_some() {
                    return Err(Invalid::new("path", "only a SQLite ledger is a file"));
                }
                if raw.durability.is_some() {
                    return Err(Invalid::new(
                        "durability",
                        "what a row survives in Postgres is the server's setting `synchronous_commit`",
                    ));
                }
                let schemes = ["postgres", "postgresql"];
                LedgerStore::Postgres(secret::named_url("url_env", &name, &schemes, environment)?)
            }
            (Some(RawStore::Postgres), None) => {
                return Err(Invalid::new(
                    "store",
                    "expected `url_env`, the name of an environment variable that holds the server's URL",
                ));
            }
            (Some(RawStore::Sqlite), Some(_)) => {
                return Err(Invalid::new(
                    "url_env",
                    "a SQLite ledger is a file: use `path`",
                ));
            }
            (None | Some(RawStore::Sqlite), None) => LedgerStore::Sqlite {
                file: file(raw.path, base)?,
                durability: raw.durability.unwrap_or_default(),
            },
        };
        let task_idle = raw
            .task_idle
            .map_or(DEFAULT_TASK_IDLE, |Span(task_idle)| task_idle);
        if task_idle.is_zero() || task_idle > MAX_TASK_IDLE {
            return Err(Invalid::new(
                "task_idle",
                "expected more than 0s and at most \"30days\"",
            ));
        }
        Ok(Self::On(LedgerSettings {
            node: node(raw.node, &store, environment)?,
            store,
            task_idle,
        }))
    }
}

fn file(path: Option<PathBuf>, base: &Path) -> Result<LedgerFile, Invalid> {
    match path {
        None => Ok(LedgerFile::DataFolder),
        Some(path) if path.as_os_str().is_empty() => {
            Err(Invalid::new("path", "expected the path of a file"))
        }
        Some(path) => Ok(LedgerFile::At(base.join(path))),
    }
}

/// The name that is given, or the machine's where gateways on several machines may share the configuration.
fn node(
    given: Option<String>,
    store: &LedgerStore,
    environment: &impl Environment,
) -> Result<String, Invalid> {
    if let Some(given) = given {
        let sound = name::is_one(&given);
        return sound
            .then_some(given)
            .ok_or_else(|| Invalid::new("node", name::EXPECTED));
    }
    match store {
        LedgerStore::Sqlite { .. } => Ok(LONE_NODE.to_owned()),
        LedgerStore::Postgres(_) => environment
            .host_name()
            .filter(|host| name::is_one(host))
            .ok_or_else(|| {
                Invalid::new(
                    "node",
                    "expected a name for this gateway: the machine has none that could serve",
                )
            }),
    }
}
