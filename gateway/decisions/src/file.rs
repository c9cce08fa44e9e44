//! Decisions on disk: [`DecisionFile`].

use std::{fs::OpenOptions, io, path::Path, time::Duration};

use skinflint_compressor::ChainHash;
use sqlx::{
    Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::{
    Record,
    store::{DecisionStore, Note},
};

/// Decisions that may wait to be written; later ones are not kept on disk.
const WAITING: usize = 4096;
/// Decisions in one transaction.
const BATCH: usize = 256;
/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(5);
const TABLE: &str = "CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY,
    chain BLOB NOT NULL UNIQUE,
    decision TEXT NOT NULL
)";

/// An entry takes some 256 bytes beside its text.
const PRUNE: &str = "DELETE FROM decisions WHERE id <= (
    SELECT MAX(id) FROM (
        SELECT id, SUM(LENGTH(CAST(decision AS BLOB)) + 256) OVER (ORDER BY id DESC) AS bytes
        FROM decisions
    ) WHERE bytes > ?
)";

/// A file of decisions that is open. Someone has to run [`DecisionFile::write`], to its end.
#[derive(Debug)]
pub struct DecisionFile {
    pool: SqlitePool,
    waiting: mpsc::Receiver<Note>,
    limit_bytes: u64,
}

/// A file that cannot be used.
#[derive(Debug, Error)]
#[error("the file of decisions {path} cannot be used")]
pub struct DecisionFileError {
    path: String,
    source: sqlx::Error,
}

impl DecisionFile {
    /// Opens the file, which is made where it is not there, and reads its newest entries, up to
    /// `limit_bytes`; what is older is removed.
    pub async fn open(
        path: &Path,
        limit_bytes: u64,
    ) -> Result<(DecisionStore, Self), DecisionFileError> {
        let fault = |source| DecisionFileError {
            path: path.display().to_string(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What a loss of power takes costs a prefix, once.
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(BUSY);
        make_private(path).map_err(|error| fault(sqlx::Error::Io(error)))?;
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .map_err(fault)?;
        let known = read(&pool, limit_bytes).await.map_err(fault)?;
        let (sender, waiting) = mpsc::channel(WAITING);
        let store = DecisionStore::with_file(limit_bytes, known, sender);
        let file = Self {
            pool,
            waiting,
            limit_bytes,
        };
        Ok((store, file))
    }

    /// Writes down what the store is told, until it is closed or gone with all its clones.
    pub async fn write(mut self) {
        let mut notes = Vec::with_capacity(BATCH);
        let (mut is_open, mut grown) = (true, 0);
        while is_open && self.waiting.recv_many(&mut notes, BATCH).await > 0 {
            let mut batch = Vec::with_capacity(notes.len());
            for note in notes.drain(..) {
                match note {
                    Note::Settled(chain, decision) => batch.push((chain, decision)),
                    Note::Closed => is_open = false,
                }
            }
            grown += batch
                .iter()
                .map(|(_, decision)| decision.bytes() as u64)
                .sum::<u64>();
            let mut done = insert(&self.pool, &batch).await;
            // So the file takes at most twice the limit.
            if done.is_ok() && grown > self.limit_bytes {
                done = prune(&self.pool, self.limit_bytes).await;
                grown = 0;
            }
            if let Err(error) = done {
                tracing::warn!(%error, decisions = batch.len(), "decisions about blocks are not written down");
            }
        }
        self.pool.close().await;
    }
}

/// Makes the file, if it is not there, for its owner alone: it holds what tools have said.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

async fn read(
    pool: &SqlitePool,
    limit_bytes: u64,
) -> Result<Vec<(ChainHash, Record)>, sqlx::Error> {
    sqlx::query(TABLE).execute(pool).await?;
    prune(pool, limit_bytes).await?;
    // The oldest first, so that the newest are the last ones that memory lets go.
    let rows = sqlx::query("SELECT chain, decision FROM decisions ORDER BY id")
        .fetch_all(pool)
        .await?;
    let mut known = Vec::with_capacity(rows.len());
    for row in rows {
        let chain: Vec<u8> = row.try_get("chain")?;
        let text: &str = row.try_get("decision")?;
        // What another version wrote is passed over: its blocks are sent as they came.
        if let (Ok(chain), Ok(decision)) = (
            <[u8; 32]>::try_from(chain.as_slice()),
            serde_json::from_str::<Record>(text),
        ) {
            known.push((ChainHash::from_bytes(chain), decision));
        }
    }
    Ok(known)
}

/// Removes the oldest entries until the rest takes at most `limit_bytes`.
async fn prune(pool: &SqlitePool, limit_bytes: u64) -> Result<(), sqlx::Error> {
    sqlx::query(PRUNE)
        .bind(i64::try_from(limit_bytes).unwrap_or(i64::MAX))
        .execute(pool)
        .await?;
    Ok(())
}

async fn insert(pool: &SqlitePool, batch: &[(ChainHash, Record)]) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    for (chain, decision) in batch {
        let text =
            serde_json::to_string(decision).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query("INSERT OR IGNORE INTO decisions (chain, decision) VALUES (?, ?)")
            .bind(chain.as_bytes().as_slice())
            .bind(text)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{key, replace};

    const LIMIT: u64 = 1 << 20;

    #[tokio::test]
    async fn decisions_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.db");
        let (store, file) = DecisionFile::open(&path, LIMIT).await.unwrap();
        store.settle(key("a"), replace("é\"\n")).await;
        store.settle(key("b"), Record::Keep).await;
        store.close().await;
        file.write().await;
        store.settle(key("c"), Record::Keep).await;
        let (store, _file) = DecisionFile::open(&path, LIMIT).await.unwrap();
        assert_eq!(store.find(&key("a")).await, Some(replace("é\"\n")));
        assert_eq!(store.settle(key("b"), replace("x")).await, Record::Keep);
        assert_eq!(store.find(&key("c")).await, None);
    }

    #[tokio::test]
    async fn the_oldest_go_once_there_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.db");
        let (store, file) = DecisionFile::open(&path, LIMIT).await.unwrap();
        for name in ["a", "b", "c"] {
            store.settle(key(name), replace(&name.repeat(1000))).await;
        }
        drop(store);
        file.write().await;
        for _ in 0..2 {
            let (store, _file) = DecisionFile::open(&path, 3000).await.unwrap();
            assert_eq!(store.find(&key("a")).await, None);
            assert!(store.find(&key("b")).await.is_some() && store.find(&key("c")).await.is_some());
        }
    }

    #[tokio::test]
    async fn a_file_stays_bounded_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.db");
        let (store, file) = DecisionFile::open(&path, 20_000).await.unwrap();
        for number in 0..1000 {
            store
                .settle(key(&number.to_string()), replace(&"x".repeat(1000)))
                .await;
        }
        drop(store);
        file.write().await;
        let (store, _file) = DecisionFile::open(&path, u64::MAX).await.unwrap();
        assert!(store.find(&key("999")).await.is_some() && store.find(&key("500")).await.is_none());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.db");
        let (_store, _file) = DecisionFile::open(&path, LIMIT).await.unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = DecisionFile::open(folder.path(), LIMIT).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&folder.path().display().to_string())
        );
    }
}
