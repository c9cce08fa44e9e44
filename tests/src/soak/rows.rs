//! A ledger of millions of rows, and how long the real command takes to find the costliest tasks in it. See [`time`].

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{fcntl::PosixFadviseAdvice, sys::signal::Signal};
use serde_json::Value;
use sqlx::{
    Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::time::Instant;

use crate::{FakeProvider, Gateway, gateway::Command};

/// Attempts of a task.
const ATTEMPTS: i64 = 50;
/// Tasks that are under way at the same time, so that their attempts lie among one another.
const TOGETHER: i64 = 20;
/// The command is run so often; the slowest counts. Before the first, the system is asked to forget the file.
const RUNS: usize = 3;
const COMMAND: [&str; 4] = ["tasks", "--top", "20", "--json"];

/// Every attempt of one task after the other, among those of its contemporaries; settled within the last day.
const FILL: &str = "INSERT INTO attempts (id, request, number, tenant, task, agent, model, upstream, upstream_model, scopes, \
     held, upper, notional, holdout, reserved_ms, settled_ms, source, status, latency_ms, fresh_input, cache_read, \
     cache_write_5m, cache_write_1h, output, reasoning, audio_input, audio_output, server_tool_uses, tier, price_version, \
     cost, counterfactual, saved_provider_cache, saved_ours, harm, lines) \
     WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2) \
     SELECT unhex(printf('%032x', i)), unhex(printf('%032x', i)), 1, 'tenant-' || (i % 7), \
     i / ($3 * $4) * $4 + i % $4 + 1, 'main', 'claude-sonnet-4-5', 'anthropic', 'claude-sonnet-4-5', \
     '[\"tenant\",\"model:claude-sonnet-4-5\"]', 9000000, 90000000, 0, 0, $5 + i / 200, $5 + i / 200 + 900, 'provider', 200, 900, \
     120, 9000, 400, 0, 350, 0, 0, 0, 0, 'standard', '2026-11-21', \
     1 + i * 2654435761 % 20000000, 1 + i * 2654435761 % 20000000, 24300000, 0, 0, \
     '{\"fresh_input\":\"0.00036\",\"cache_read\":\"0.0027\",\"output\":\"0.00525\"}' FROM n";
/// The tasks, as the rows of their attempts add up.
const TASKS: &str = "INSERT INTO tasks (id, tenant, task, session, class, first_ms, last_ms, begun_ms, requests, holdout, calls, \
     fresh_input, cache_read, cache_write_5m, cache_write_1h, output, reasoning, cost, notional, counterfactual, \
     saved_provider_cache, saved_ours, harm) \
     SELECT task, MIN(tenant), 'task-' || task, 'session-' || task, 'main', MIN(reserved_ms), MAX(settled_ms), MAX(reserved_ms), \
     COUNT(*), 0, COUNT(*), SUM(fresh_input), SUM(cache_read), SUM(cache_write_5m), SUM(cache_write_1h), SUM(output), \
     SUM(reasoning), SUM(cost), 0, SUM(counterfactual), SUM(saved_provider_cache), SUM(saved_ours), SUM(harm) \
     FROM attempts GROUP BY task";

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    /// The slowest run of the command.
    pub(super) slowest: Duration,
    pub(super) tasks: i64,
    /// Bytes of the file.
    pub(super) size: u64,
}

/// Fills a ledger with so many attempts, and has the command look through it.
///
/// # Panics
/// If the ledger cannot be filled, or the command answers anything but the costliest tasks.
pub(super) async fn time(attempts: i64, now_ms: i64) -> Timed {
    let provider = FakeProvider::start().await;
    // Makes the tables, and is the folder that the command runs in.
    let mut gateway = Gateway::start(&provider).await;
    gateway.signal(Signal::SIGTERM);
    let status = gateway.exited().await;
    assert!(status.success(), "{status}: {}", gateway.output());
    let file = gateway.ledger();
    let begin_ms = now_ms - attempts / 200 - 60_000;
    let (tasks, expected) = fill(&file, attempts, begin_ms)
        .await
        .expect("fill the ledger");
    forget(&file);
    let mut slowest = Duration::ZERO;
    for _ in 0..RUNS {
        let began = Instant::now();
        let told = gateway.cli(&COMMAND).await;
        slowest = slowest.max(began.elapsed());
        check(&told, &expected);
    }
    let size = std::fs::metadata(&file).map_or(0, |file| file.len());
    Timed {
        slowest,
        tasks,
        size,
    }
}

/// Gives the number of tasks, and the names of the costliest.
async fn fill(file: &PathBuf, attempts: i64, begin_ms: i64) -> sqlx::Result<(i64, Vec<String>)> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        // Nobody else has it, and if this fails it is thrown away.
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-1000000");
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query(FILL)
        .bind(0_i64)
        .bind(attempts)
        .bind(ATTEMPTS)
        .bind(TOGETHER)
        .bind(begin_ms)
        .execute(&mut connection)
        .await?;
    sqlx::query(TASKS).execute(&mut connection).await?;
    let tasks = sqlx::query_scalar("SELECT COUNT(*) FROM tasks")
        .fetch_one(&mut connection)
        .await?;
    let costliest = "SELECT t.task FROM attempts AS a JOIN tasks AS t ON t.id = a.task \
                     GROUP BY t.id ORDER BY SUM(a.cost) DESC, t.id DESC LIMIT 20";
    let expected = sqlx::query_scalar(costliest)
        .fetch_all(&mut connection)
        .await?;
    // What the gateway's own connections find: a file with a write-ahead log.
    sqlx::query("PRAGMA journal_mode = WAL")
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    Ok((tasks, expected))
}

/// Has the system write the file out and forget it, as far as it will.
fn forget(file: &Path) {
    let open = std::fs::File::open(file).expect("open the ledger");
    open.sync_all().expect("write the ledger out");
    nix::fcntl::posix_fadvise(&open, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
        .expect("give advice about the ledger");
}

fn check(told: &Command, expected: &[String]) {
    assert_eq!(told.code, Some(0), "{told:?}");
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let rows = told
        .as_array()
        .or(told["tasks"].as_array())
        .expect("a list of tasks");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["task"].as_str()).collect();
    assert_eq!(names, expected, "not the costliest tasks");
}
