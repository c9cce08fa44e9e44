//! What a file does, and what can be done to one.

use std::path::Path;

use skinflint_ledger::{Config, Durability, Ledger, OpenError, Reader, Store};

use crate::checks::{NOW, config, reservation, spend, start};
use crate::file;

#[tokio::test]
async fn one_process_writes_and_others_read() {
    let (_directory, store) = file();
    let running = start(&store).await;
    let refused = Ledger::open(config(&store, "two"), NOW).await.unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }));
    assert!(refused.to_string().contains("ledger.db.lock"), "{refused}");
    let reader = Reader::open(&store).await.unwrap();
    spend(&running.ledger, reservation("acme", "t"), 10).await;
    running.ledger.flush().await.unwrap();
    let spent = reader.spent("acme", "tenant", None).await.unwrap();
    assert_eq!(spent.billed.get(), 10);
    running.stop().await;
    // Nobody writes any more: it can be read, and written by another.
    assert_eq!(
        Reader::open(&store)
            .await
            .unwrap()
            .task(None, "t")
            .await
            .unwrap()
            .len(),
        1
    );
    start(&store).await.stop().await;
}

#[tokio::test]
async fn a_ledger_is_told_from_all_others_for_good() {
    let ((_directory, store), (_other_directory, other)) = (file(), file());
    let mut identities = Vec::new();
    for store in [&store, &other, &store] {
        let running = start(store).await;
        identities.push(running.ledger.reader().identity().await.unwrap());
        running.stop().await;
    }
    assert_eq!(identities[0], identities[2]);
    assert_ne!(identities[0], identities[1]);
    assert!(identities.iter().all(|identity| identity.len() == 32));
}

#[tokio::test]
async fn a_newer_ledger_is_refused() {
    let (_directory, store) = file();
    start(&store).await.stop().await;
    let Store::Sqlite { path } = &store else {
        unreachable!("it is a file");
    };
    let pool =
        sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(path))
            .await
            .unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (7, 'from the future', TRUE, x'00', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    for refused in [
        Ledger::open(config(&store, "one"), NOW).await.err(),
        Reader::open(&store).await.err(),
    ] {
        assert_eq!(
            refused.unwrap().to_string(),
            "the ledger has schema version 7, this version knows up to 3; use a newer version"
        );
    }
}

#[tokio::test]
async fn a_missing_ledger_is_not_made_by_reading() {
    let (directory, store) = file();
    assert!(Reader::open(&store).await.is_err());
    assert!(!directory.path().join("ledger.db").exists());
    let nowhere = Store::Sqlite {
        path: directory.path().join("no/such/directory/ledger.db"),
    };
    let refused = Ledger::open(config(&nowhere, "one"), NOW)
        .await
        .unwrap_err();
    assert!(matches!(refused, OpenError::File { .. }));
}

#[tokio::test]
async fn what_a_power_cut_must_not_take_is_written_through() {
    let (_directory, store) = file();
    let config = Config {
        durability: Durability::Power,
        ..config(&store, "one")
    };
    let (ledger, writer, _) = Ledger::open(config, NOW).await.unwrap();
    let reserving = async {
        spend(&ledger, reservation("acme", "t"), 10).await;
        ledger.close();
    };
    let (ended, ()) = tokio::join!(writer.run(), reserving);
    ended.unwrap();
    assert_eq!(
        ledger
            .reader()
            .spent("acme", "tenant", None)
            .await
            .unwrap()
            .billed
            .get(),
        10
    );
    assert!(ledger.reserve(reservation("acme", "t")).await.is_err());
}

/// A power cut, or a disk that lies, can leave any beginning of SQLite's log.
#[tokio::test]
async fn a_torn_log_keeps_all_commits_before_the_tear() {
    let (directory, store) = file();
    let running = start(&store).await;
    let log = directory.path().join("ledger.db-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    let begin = length();
    let mut acknowledged = Vec::new();
    for _ in 0..12 {
        let reserved = reservation("acme", "t");
        running.ledger.reserve(reserved.clone()).await.unwrap();
        acknowledged.push((reserved.attempt, length()));
    }
    let end = length();
    assert!(end > begin, "the log grows with each commit");
    // Steps that fall inside the pages and their headers.
    for cut in (begin..=end).step_by(2_777).chain([end - 1, end]) {
        let copy = tempfile::tempdir().unwrap();
        torn_copy(directory.path(), copy.path(), cut);
        let store = Store::Sqlite {
            path: copy.path().join("ledger.db"),
        };
        let after = start(&store).await;
        let found: Vec<_> = after
            .recovered
            .iter()
            .map(|recovered| recovered.reservation.attempt)
            .collect();
        for (attempt, written) in &acknowledged {
            assert_eq!(
                found.contains(attempt),
                *written <= cut,
                "cut at {cut} of {end}"
            );
        }
        after.stop().await;
    }
    running.crash().await;
}

fn torn_copy(from: &Path, to: &Path, cut: u64) {
    std::fs::copy(from.join("ledger.db"), to.join("ledger.db")).unwrap();
    let log = to.join("ledger.db-wal");
    std::fs::copy(from.join("ledger.db-wal"), &log).unwrap();
    std::fs::File::options()
        .write(true)
        .open(log)
        .unwrap()
        .set_len(cut)
        .unwrap();
}
