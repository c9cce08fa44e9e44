//! Where a ledger may be, and a gateway's hold of it.

use skinflint_ledger::{Config, Durability, Explanation, Ledger, PostgresUrl, Recovered, Store};
use skinflint_tests::PostgresServer;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::story::TENANT;

/// In unix milliseconds.
pub(crate) const NOW: i64 = 1_795_000_000_000;

/// A ledger that nobody has written to.
#[derive(Debug)]
pub(crate) enum Place {
    File(TempDir),
    Server(String),
}

/// A ledger that is open for writing.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) ledger: Ledger,
    pub(crate) recovered: Vec<Recovered>,
    writer: JoinHandle<()>,
}

impl Place {
    /// A file, and a database of a real server.
    pub(crate) async fn both() -> [Self; 2] {
        [
            Self::File(tempfile::tempdir().unwrap()),
            Self::server().await,
        ]
    }

    /// A database of a real server.
    pub(crate) async fn server() -> Self {
        Self::Server(PostgresServer::shared().await.database().await)
    }

    pub(crate) fn store(&self) -> Store {
        match self {
            Self::File(folder) => Store::Sqlite {
                path: folder.path().join("ledger.db"),
            },
            Self::Server(url) => Store::Postgres {
                url: PostgresUrl::new(url),
            },
        }
    }

    pub(crate) async fn open(&self, node: &str, now_ms: i64) -> Running {
        let config = Config {
            store: self.store(),
            durability: Durability::default(),
            node: node.into(),
        };
        let (ledger, writer, recovered) = Ledger::open(config, now_ms).await.unwrap();
        let writer = TaskTracker::new().spawn(async move { writer.run().await.unwrap() });
        Running {
            ledger,
            recovered,
            writer,
        }
    }
}

impl Running {
    /// Ends in order.
    pub(crate) async fn close(self) {
        self.ledger.close();
        self.writer.await.unwrap();
    }

    /// Ends as a killed process does: what is not written is lost.
    pub(crate) async fn die(self) {
        self.writer.abort();
        assert!(self.writer.await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn explain(&self, request: Uuid) -> Explanation {
        let told = self.ledger.reader().explain(request).await.unwrap();
        told.expect("the request is known")
    }

    /// What the story's tenant has spent.
    pub(crate) async fn spent(&self) -> u64 {
        let spent = self.ledger.reader().spent(TENANT, "tenant", None).await;
        spent.unwrap().billed.get()
    }
}
