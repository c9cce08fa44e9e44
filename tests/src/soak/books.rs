//! What stands in a SQLite ledger, read from its tables without the gateway's own code.

use std::path::Path;

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

/// A settled attempt.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// The task's name.
    pub(super) task: String,
    /// Id of the attempt, in hex digits.
    pub(super) id: String,
    /// Id of the client's call.
    pub(super) request: String,
    /// Which sending of it, from 1.
    pub(super) number: i64,
    pub(super) source: String,
    /// In nano-dollars, as all amounts here.
    pub(super) cost: i64,
}

/// A reservation that nobody has settled.
#[derive(Debug, Clone)]
pub(super) struct OpenCall {
    /// Id of the attempt, in hex digits.
    pub(super) id: String,
    /// The most that it can cost.
    pub(super) upper: i64,
}

/// Three ways of adding up the same costs, in nano-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) attempts: i64,
    pub(super) tasks: i64,
    pub(super) hours: i64,
}

/// A connection to a ledger's file.
#[derive(Debug)]
pub(super) struct Books(SqliteConnection);

impl Books {
    /// Opens the file beside the gateway that writes it.
    pub(super) async fn open(path: &Path) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        Ok(Self(SqliteConnection::connect_with(&options).await?))
    }

    /// The reservations that a killed gateway left open, from a copy: to look into the file itself would repair it before the gateway can.
    pub(super) async fn left_open(path: &Path) -> sqlx::Result<Vec<OpenCall>> {
        let folder = tempfile::tempdir()?;
        let copy = folder.path().join("ledger.db");
        std::fs::copy(path, &copy)?;
        let log = |path: &Path| path.with_extension("db-wal");
        if log(path).exists() {
            std::fs::copy(log(path), log(&copy))?;
        }
        let options = SqliteConnectOptions::new().filename(&copy);
        let mut books = Self(SqliteConnection::connect_with(&options).await?);
        let open = books.open_calls().await?;
        books.close().await?;
        Ok(open)
    }

    pub(super) async fn open_calls(&mut self) -> sqlx::Result<Vec<OpenCall>> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT hex(attempt), upper FROM reservations")
                .fetch_all(&mut self.0)
                .await?;
        let open = rows.into_iter().map(|(id, upper)| OpenCall { id, upper });
        Ok(open.collect())
    }

    pub(super) async fn attempts(&mut self) -> sqlx::Result<Vec<Attempt>> {
        let sql = "SELECT t.task, hex(a.id), hex(a.request), a.number, a.source, a.cost \
                   FROM attempts AS a JOIN tasks AS t ON t.id = a.task";
        let rows: Vec<(String, String, String, i64, String, i64)> =
            sqlx::query_as(sql).fetch_all(&mut self.0).await?;
        let attempt = |(task, id, request, number, source, cost)| Attempt {
            task,
            id,
            request,
            number,
            source,
            cost,
        };
        Ok(rows.into_iter().map(attempt).collect())
    }

    /// What each task cost by its own row.
    pub(super) async fn tasks(&mut self) -> sqlx::Result<Vec<(String, i64)>> {
        sqlx::query_as("SELECT task, cost FROM tasks")
            .fetch_all(&mut self.0)
            .await
    }

    pub(super) async fn sums(&mut self) -> sqlx::Result<Sums> {
        let sql = "SELECT (SELECT COALESCE(SUM(cost), 0) FROM attempts), \
                   (SELECT COALESCE(SUM(cost), 0) FROM tasks), \
                   (SELECT COALESCE(SUM(cost), 0) FROM usage_hours WHERE scope = 'tenant')";
        let (attempts, tasks, hours) = sqlx::query_as(sql).fetch_one(&mut self.0).await?;
        Ok(Sums {
            attempts,
            tasks,
            hours,
        })
    }

    pub(super) async fn close(self) -> sqlx::Result<()> {
        self.0.close().await
    }
}

impl Sums {
    /// The sum, where all ways agree.
    pub(super) fn agreed(self) -> Option<i64> {
        (self.attempts == self.tasks && self.attempts == self.hours).then_some(self.attempts)
    }
}
