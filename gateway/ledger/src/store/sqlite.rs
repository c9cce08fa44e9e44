//! SQLite: one file, one writer, readers beside it.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Decode, Row, Sqlite, TypeInfo, ValueRef};

use super::{Cell, Cells, READERS, STATEMENTS, Value};
use crate::config::Durability;
use crate::error::OpenError;

/// Pages of the file that the writer keeps in memory, in KiB (SQLite wants it negative): the ends of all indexes fit.
const CACHE_KIB: &str = "-32768";
/// The log is cut back to this when it was longer, in bytes.
const LOG_BYTES: &str = "67108864";
/// A reader waits so long for a lock; in WAL mode it hardly ever needs one.
const BUSY: Duration = Duration::from_secs(5);

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

/// The connection that writes.
pub(super) async fn writer(
    path: &Path,
    durability: Durability,
) -> Result<SqliteConnection, OpenError> {
    options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match durability {
            Durability::Process => SqliteSynchronous::Normal,
            Durability::Power => SqliteSynchronous::Full,
        })
        .pragma("cache_size", CACHE_KIB)
        .pragma("journal_size_limit", LOG_BYTES)
        // What undoes a single statement need not outlive it.
        .pragma("temp_store", "MEMORY")
        // The writer moves the log into the file itself, when nobody waits.
        .pragma("wal_autocheckpoint", "0")
        .connect()
        .await
        .map_err(OpenError::Database)
}

/// Connections that cannot write, whoever asks.
pub(super) async fn readers(path: &Path) -> Result<SqlitePool, OpenError> {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_with(options(path).read_only(true))
        .await
        .map_err(OpenError::Database)
}

pub(super) fn bind(values: Vec<Value>) -> sqlx::Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    sqlx::Arguments::reserve(&mut arguments, values.len(), 0);
    for value in values {
        match value {
            Value::Int(number) => sqlx::Arguments::add(&mut arguments, number),
            Value::Text(Some(text)) => sqlx::Arguments::add(&mut arguments, text),
            Value::Text(None) => sqlx::Arguments::add(&mut arguments, None::<String>),
            Value::Bytes(bytes) => sqlx::Arguments::add(&mut arguments, bytes),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

pub(super) fn cells(row: &SqliteRow) -> sqlx::Result<Cells> {
    (0..row.len())
        .map(|column| {
            let value = row.try_get_raw(column)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let kind = value.type_info();
            let cell = match kind.name() {
                "TEXT" => <String as Decode<'_, Sqlite>>::decode(value).map(Cell::Text),
                "BLOB" => <Vec<u8> as Decode<'_, Sqlite>>::decode(value).map(Cell::Bytes),
                _ => <i64 as Decode<'_, Sqlite>>::decode(value).map(Cell::Int),
            };
            cell.map_err(sqlx::Error::Decode)
        })
        .collect::<sqlx::Result<_>>()
        .map(Cells::new)
}
