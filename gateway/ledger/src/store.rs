//! The two databases behind one face: the same queries, values and rows.

mod insert;
mod postgres;
mod schema;
mod sqlite;
mod value;

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgPool, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments, SqlitePool};
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

pub(crate) use insert::{Conflict, Insert};
pub(crate) use value::{Cell, Cells, Value};

use crate::config::{Config, Store};
use crate::error::OpenError;

/// Rows of one statement at most. Below it, statements come in the sizes of [`chunk`], so that few are prepared.
const ROWS: usize = 128;
/// Any number of rows up to this has a statement of its own.
const EXACT_ROWS: usize = 16;
/// Connections for reading.
const READERS: u32 = 4;
/// Prepared statements that a connection keeps; all of ours in all their sizes are fewer.
const STATEMENTS: usize = 256;

/// The number of rows that the next statement takes of those that wait.
pub(crate) const fn chunk(waiting: usize) -> usize {
    match waiting {
        ROWS.. => ROWS,
        64.. => 64,
        48.. => 48,
        32.. => 32,
        24.. => 24,
        EXACT_ROWS.. => EXACT_ROWS,
        few => few,
    }
}

/// How values are marked in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// The connection that writes, and what keeps others from writing beside it.
#[derive(Debug)]
pub(crate) struct Connection {
    inner: Inner,
    /// Statements of many rows, by their shape and number of rows.
    statements: HashMap<(&'static str, usize), Arc<str>>,
}

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteConnection),
    Postgres(Box<PgConnection>),
}

/// Connections that only read.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

// === impl Connection ===

impl Connection {
    /// Connects for writing. For SQLite the caller holds the lock of the file.
    pub(crate) async fn open(config: &Config) -> Result<Self, OpenError> {
        let inner = match &config.store {
            Store::Sqlite { path } => Inner::Sqlite(sqlite::writer(path, config.durability).await?),
            Store::Postgres { url } => {
                Inner::Postgres(Box::new(postgres::writer(url, &config.node).await?))
            }
        };
        Ok(Self {
            inner,
            statements: HashMap::new(),
        })
    }

    /// Brings the tables up to date.
    pub(crate) async fn migrate(&mut self) -> Result<(), OpenError> {
        match &mut self.inner {
            Inner::Sqlite(connection) => schema::migrate(connection, Dialect::Sqlite).await,
            Inner::Postgres(connection) => {
                schema::migrate(&mut **connection, Dialect::Postgres).await
            }
        }
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        match self.inner {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Starts a transaction that writes.
    pub(crate) async fn begin(&mut self) -> sqlx::Result<()> {
        let start = match self.inner {
            Inner::Sqlite(_) => "BEGIN IMMEDIATE",
            Inner::Postgres(_) => "BEGIN",
        };
        self.execute(start, Vec::new()).await.map(drop)
    }

    pub(crate) async fn commit(&mut self) -> sqlx::Result<()> {
        self.execute("COMMIT", Vec::new()).await.map(drop)
    }

    /// Gives up the transaction. SQLite has sometimes done so itself, and then says that there is none.
    pub(crate) async fn rollback(&mut self) -> sqlx::Result<()> {
        match self.execute("ROLLBACK", Vec::new()).await {
            Err(sqlx::Error::Database(_)) if self.dialect() == Dialect::Sqlite => Ok(()),
            done => done.map(drop),
        }
    }

    /// Carries out a statement; the number of rows that it changed.
    pub(crate) async fn execute(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> sqlx::Result<u64> {
        self.execute_made(Arc::from(sql), values).await
    }

    /// Carries out a query; its rows.
    pub(crate) async fn fetch(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> sqlx::Result<Vec<Cells>> {
        self.fetch_made(Arc::from(sql), values).await
    }

    /// Inserts rows; the number of those that were inserted or updated.
    pub(crate) async fn insert(
        &mut self,
        insert: &'static Insert,
        values: Vec<Value>,
    ) -> sqlx::Result<u64> {
        let mut changed: u64 = 0;
        let mut values = values.into_iter();
        while let Some((sql, values)) = self.next_statement(insert, &mut values) {
            changed = changed.saturating_add(self.execute_made(sql, values).await?);
        }
        Ok(changed)
    }

    /// Inserts rows; what the statement returns of them.
    pub(crate) async fn insert_returning(
        &mut self,
        insert: &'static Insert,
        values: Vec<Value>,
    ) -> sqlx::Result<Vec<Cells>> {
        let mut rows = Vec::new();
        let mut values = values.into_iter();
        while let Some((sql, values)) = self.next_statement(insert, &mut values) {
            rows.extend(self.fetch_made(sql, values).await?);
        }
        Ok(rows)
    }

    fn next_statement(
        &mut self,
        insert: &'static Insert,
        values: &mut std::vec::IntoIter<Value>,
    ) -> Option<(Arc<str>, Vec<Value>)> {
        let width = insert.width().max(1);
        let rows = chunk(values.len() / width);
        if rows == 0 {
            return None;
        }
        let dialect = self.dialect();
        let sql = self
            .statements
            .entry((insert.name(), rows))
            .or_insert_with(|| insert.sql(rows, dialect).into());
        let taken = values.take(rows.saturating_mul(width)).collect();
        Some((Arc::clone(sql), taken))
    }

    async fn execute_made(&mut self, sql: Arc<str>, values: Vec<Value>) -> sqlx::Result<u64> {
        match &mut self.inner {
            Inner::Sqlite(connection) => {
                let query =
                    sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), sqlite::bind(values)?);
                Ok(query.execute(connection).await?.rows_affected())
            }
            Inner::Postgres(connection) => {
                let query =
                    sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), postgres::bind(values)?);
                Ok(query.execute(&mut **connection).await?.rows_affected())
            }
        }
    }

    async fn fetch_made(&mut self, sql: Arc<str>, values: Vec<Value>) -> sqlx::Result<Vec<Cells>> {
        match &mut self.inner {
            Inner::Sqlite(connection) => {
                let query =
                    sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), sqlite::bind(values)?);
                let rows = query.fetch_all(connection).await?;
                rows.iter().map(sqlite::cells).collect()
            }
            Inner::Postgres(connection) => {
                let query =
                    sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), postgres::bind(values)?);
                let rows = query.fetch_all(&mut **connection).await?;
                rows.iter().map(postgres::cells).collect()
            }
        }
    }

    /// Moves what the write-ahead log of SQLite holds into the file itself.
    pub(crate) async fn checkpoint(&mut self) -> sqlx::Result<()> {
        if self.dialect() == Dialect::Sqlite {
            self.fetch("PRAGMA wal_checkpoint(PASSIVE)", Vec::new())
                .await?;
        }
        Ok(())
    }

    /// Ends the connection; what it last wrote is then in the file itself.
    pub(crate) async fn close(self) -> sqlx::Result<()> {
        match self.inner {
            Inner::Sqlite(connection) => sqlx::Connection::close(connection).await,
            Inner::Postgres(connection) => sqlx::Connection::close(*connection).await,
        }
    }
}

// === impl Pool ===

impl Pool {
    /// Connects for reading.
    pub(crate) async fn open(store: &Store) -> Result<Self, OpenError> {
        let pool = match store {
            Store::Sqlite { path } => Self::Sqlite(sqlite::readers(path).await?),
            Store::Postgres { url } => Self::Postgres(postgres::readers(url).await?),
        };
        schema::check(&pool).await?;
        Ok(pool)
    }

    /// Carries out a query; its rows.
    pub(crate) async fn fetch(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> sqlx::Result<Vec<Cells>> {
        match self {
            Self::Sqlite(pool) => {
                let arguments: SqliteArguments = sqlite::bind(values)?;
                let rows = sqlx::query_with::<Sqlite, _>(sql, arguments)
                    .fetch_all(pool)
                    .await?;
                rows.iter().map(sqlite::cells).collect()
            }
            Self::Postgres(pool) => {
                let arguments: PgArguments = postgres::bind(values)?;
                let rows = sqlx::query_with::<Postgres, _>(sql, arguments)
                    .fetch_all(pool)
                    .await?;
                rows.iter().map(postgres::cells).collect()
            }
        }
    }
}
