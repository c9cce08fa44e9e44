//! Postgres: a server that gateways share.

use std::time::Duration;

use sqlx::postgres::{
    PgArguments, PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow, Postgres,
};
use sqlx::{ConnectOptions, Decode, Row, TypeInfo, ValueRef};
use tokio::time::timeout;

use super::{Cell, Cells, READERS, STATEMENTS, Value};
use crate::config::PostgresUrl;
use crate::error::OpenError;

/// A server that has not answered by then is down.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Held as long as the connection lives: one writer for each name of a gateway.
const LOCK_NODE: &str =
    "SELECT CASE WHEN pg_try_advisory_lock(hashtextextended($1, 0)) THEN 1 ELSE 0 END";

fn options(url: &PostgresUrl) -> sqlx::Result<PgConnectOptions> {
    Ok(url
        .expose()
        .parse::<PgConnectOptions>()?
        .application_name("skinflint")
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging())
}

/// The connection that writes for this node, and no other.
pub(super) async fn writer(url: &PostgresUrl, node: &str) -> Result<PgConnection, OpenError> {
    let options = options(url).map_err(OpenError::Database)?;
    let connected = async {
        let mut connection = options.connect().await?;
        let taken: i32 = sqlx::query_scalar(LOCK_NODE)
            .bind(format!("skinflint ledger of {node}"))
            .fetch_one(&mut connection)
            .await?;
        Ok::<_, sqlx::Error>((connection, taken == 1))
    };
    let (connection, taken) = timeout(CONNECT_WITHIN, Box::pin(connected))
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
        .map_err(OpenError::Database)?;
    if taken {
        Ok(connection)
    } else {
        Err(OpenError::NodeTaken {
            node: node.to_owned(),
        })
    }
}

/// Connections that only read.
pub(super) async fn readers(url: &PostgresUrl) -> Result<PgPool, OpenError> {
    let read_only = [("default_transaction_read_only", "on")];
    let options = options(url)
        .map_err(OpenError::Database)?
        .options(read_only);
    PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(CONNECT_WITHIN)
        .connect_with(options)
        .await
        .map_err(OpenError::Database)
}

pub(super) fn bind(values: Vec<Value>) -> sqlx::Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(number) => sqlx::Arguments::add(&mut arguments, number),
            Value::Text(text) => sqlx::Arguments::add(&mut arguments, text.as_deref()),
            Value::Bytes(bytes) => sqlx::Arguments::add(&mut arguments, bytes),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

pub(super) fn cells(row: &PgRow) -> sqlx::Result<Cells> {
    (0..row.len())
        .map(|column| {
            let value = row.try_get_raw(column)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let kind = value.type_info();
            let cell = match kind.name() {
                "TEXT" => <String as Decode<'_, Postgres>>::decode(value).map(Cell::Text),
                "BYTEA" => <Vec<u8> as Decode<'_, Postgres>>::decode(value).map(Cell::Bytes),
                "INT4" => <i32 as Decode<'_, Postgres>>::decode(value)
                    .map(|number| Cell::Int(i64::from(number))),
                _ => <i64 as Decode<'_, Postgres>>::decode(value).map(Cell::Int),
            };
            cell.map_err(sqlx::Error::Decode)
        })
        .collect::<sqlx::Result<_>>()
        .map(Cells::new)
}
