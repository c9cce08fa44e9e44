//! The tables and their versions.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};

use super::{Dialect, Pool};
use crate::error::OpenError;

/// The version that this code reads and writes.
const VERSION: i64 = 3;

const SQLITE: &[(i64, &str, &str)] = &[
    (
        1,
        "ledger",
        include_str!("../../migrations/sqlite/0001_ledger.sql"),
    ),
    (
        2,
        "identity",
        include_str!("../../migrations/sqlite/0002_identity.sql"),
    ),
    (
        3,
        "spared",
        include_str!("../../migrations/sqlite/0003_spared.sql"),
    ),
];
const POSTGRES: &[(i64, &str, &str)] = &[
    (
        1,
        "ledger",
        include_str!("../../migrations/postgres/0001_ledger.sql"),
    ),
    (
        2,
        "identity",
        include_str!("../../migrations/postgres/0002_identity.sql"),
    ),
    (
        3,
        "spared",
        include_str!("../../migrations/postgres/0003_spared.sql"),
    ),
];

/// The table in which the applied versions stand.
const FOUND: &str = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM _sqlx_migrations";

fn migrator(dialect: Dialect) -> Migrator {
    let migrations = match dialect {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
    };
    let migrations = migrations
        .iter()
        .map(|&(version, name, sql)| {
            let sql = sql.into_sql_str();
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        })
        .collect();
    Migrator::with_migrations(migrations)
}

/// Brings the tables up to date; those of a newer version are left alone.
pub(super) async fn migrate<C: Migrate>(
    connection: &mut C,
    dialect: Dialect,
) -> Result<(), OpenError> {
    match migrator(dialect).run_direct(None, connection, false).await {
        Err(MigrateError::VersionMissing(found)) => Err(OpenError::Newer {
            found,
            known: VERSION,
        }),
        done => done.map_err(OpenError::Migrate),
    }
}

/// Tells whether the tables are those that this code reads.
pub(super) async fn check(pool: &Pool) -> Result<(), OpenError> {
    let mut rows = pool
        .fetch(FOUND, Vec::new())
        .await
        .map_err(OpenError::Database)?;
    let found = match rows.first_mut() {
        Some(row) => row.int().map_err(OpenError::Recover)?,
        None => 0,
    };
    let known = VERSION;
    match found {
        VERSION => Ok(()),
        newer if newer > VERSION => Err(OpenError::Newer { found, known }),
        _ => Err(OpenError::Older { found, known }),
    }
}
