//! The ledger alone, as the gateway uses it: a file of SQLite on the disk of temporary files, durable by default.

use std::{io, time::Duration};

use skinflint_ledger::{
    Config, Durability, Ledger, LedgerError, Money, RequestRow, Reservation, Settlement, Source,
    Spared, Store,
};
use skinflint_money::{NanoUsd, NanoUsdDelta};
use skinflint_protocol::Usage;
use tempfile::TempDir;
use tokio::{
    runtime::Builder,
    task::{JoinSet, spawn_blocking},
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    BenchError,
    statistics::{percentile, share},
};
use crate::figure::{Figure, Goal};

/// A ledger that is written to, in a folder of its own.
struct Books {
    ledger: Ledger,
    writer: JoinSet<Result<(), LedgerError>>,
    _folder: TempDir,
}

/// Calls under way at a time, and calls of each.
const CALLERS: usize = 256;
const CALLS: usize = 500;
const QUICK_CALLS: usize = 10;
/// How long the window is looked at.
const WINDOW: Duration = Duration::from_secs(5);
const QUICK_WINDOW: Duration = Duration::from_millis(200);
/// 2026-11-21 10:00 UTC.
const NOW: i64 = 1_795_255_200_000;
const TASKS: usize = 1_000;
const PRICES: &str = "2026-11-20";

/// Calls reserved, settled and recorded in a second, from the first reservation until the last row is durable; on two threads.
pub(super) async fn measure(quick: bool) -> Result<Vec<Figure>, BenchError> {
    let calls = if quick { QUICK_CALLS } else { CALLS };
    let rate = on_threads(2, move || settled_per_second(calls)).await?;
    let goal = Some(Goal::AtLeast(20_000.0));
    let name = "ledger_settled_per_second";
    Ok(vec![Figure::new(name, rate, "calls/s", goal)])
}

/// What a reservation waits for until it is durable, in µs, in the median: so many callers, each reserving, settling and recording its calls
/// one after the other, with about so long between a call's reservation and that of the next.
pub(super) async fn window(callers: usize, rest: Duration, quick: bool) -> Result<f64, BenchError> {
    let length = if quick { QUICK_WINDOW } else { WINDOW };
    // As many threads as the gateway has on such a machine.
    let cores = std::thread::available_parallelism()?.get();
    on_threads((cores / 2).max(1), move || waited(callers, rest, length)).await
}

/// Runs work on a runtime with so many threads of its own.
async fn on_threads<F>(
    threads: usize,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<f64, BenchError>
where
    F: Future<Output = Result<f64, BenchError>>,
{
    let blocking = spawn_blocking(move || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()?;
        runtime.block_on(work())
    });
    blocking.await.map_err(io::Error::from)?
}

async fn settled_per_second(calls: usize) -> Result<f64, BenchError> {
    let books = Books::open().await?;
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let ledger = books.ledger.clone();
        callers.spawn(async move {
            for call in 0..calls {
                let reserved = reservation(caller * calls + call);
                ledger.reserve(reserved.clone()).await?;
                ledger.settle(settlement(&reserved));
                ledger.record(receipt(reserved));
            }
            Ok::<(), LedgerError>(())
        });
    }
    for done in callers.join_all().await {
        done?;
    }
    books.ledger.flush().await?;
    let took = began.elapsed();
    books.close().await?;
    Ok(1.0 / share(took.as_secs_f64(), CALLERS * calls))
}

async fn waited(callers: usize, rest: Duration, length: Duration) -> Result<f64, BenchError> {
    let books = Books::open().await?;
    let deadline = Instant::now() + length;
    let mut waiting = JoinSet::new();
    for caller in 0..callers {
        let ledger = books.ledger.clone();
        waiting.spawn(async move {
            let mut waits = Vec::new();
            while Instant::now() < deadline {
                sleep(rest.mul_f64(rand::random_range(0.5..1.5))).await;
                let reserved = reservation(waits.len() * callers + caller);
                let row = reserved.clone();
                let began = Instant::now();
                ledger.reserve(row).await?;
                waits.push(began.elapsed().as_secs_f64() * 1e6);
                ledger.settle(settlement(&reserved));
                ledger.record(receipt(reserved));
            }
            Ok::<_, LedgerError>(waits)
        });
    }
    let mut waits = Vec::new();
    for of_one in waiting.join_all().await {
        waits.extend(of_one?);
    }
    books.close().await?;
    waits.sort_unstable_by(f64::total_cmp);
    Ok(percentile(&waits, 50))
}

// === impl Books ===

impl Books {
    async fn open() -> Result<Self, BenchError> {
        let folder = TempDir::new()?;
        let config = Config {
            store: Store::Sqlite {
                path: folder.path().join("ledger.db"),
            },
            durability: Durability::default(),
            node: "bench".into(),
        };
        let (ledger, running, _) = Box::pin(Ledger::open(config, NOW)).await?;
        let mut writer = JoinSet::new();
        writer.spawn(running.run());
        Ok(Self {
            ledger,
            writer,
            _folder: folder,
        })
    }

    async fn close(self) -> Result<(), BenchError> {
        self.ledger.close();
        for ended in self.writer.join_all().await {
            ended?;
        }
        Ok(())
    }
}

/// What the gateway writes of a call of 1 KB.
fn reservation(call: usize) -> Reservation {
    let task = format!("task-{}", call % TASKS);
    Reservation {
        reservation: None,
        spared: Spared::default(),
        attempt: Uuid::now_v7(),
        request: Uuid::now_v7(),
        number: 1,
        tenant: "bench".into(),
        key: None,
        scopes: vec![
            "tenant".into(),
            format!("task:{task}"),
            "model:gpt-5-mini".into(),
        ],
        task,
        agent: None,
        ancestors: Vec::new(),
        class: None,
        tags: Vec::new(),
        model: "gpt-5-mini".into(),
        upstream: "openai".into(),
        upstream_model: "gpt-5-mini".into(),
        held: NanoUsd::new(200_000),
        upper: NanoUsd::new(420_000),
        price_version: PRICES.into(),
        at_ms: NOW,
        notional: false,
        holdout: false,
    }
}

fn settlement(of: &Reservation) -> Settlement {
    Settlement {
        attempt: of.attempt,
        at_ms: of.at_ms + 1,
        source: Source::Provider,
        usage: Usage {
            fresh_input: 251,
            output: 16,
            ..Usage::default()
        },
        money: Money {
            cost: NanoUsd::new(94_750),
            counterfactual: NanoUsd::new(94_750),
            saved_provider_cache: NanoUsdDelta::default(),
            saved_ours: NanoUsdDelta::default(),
            harm: NanoUsdDelta::default(),
        },
        lines: r#"{"lines":[{"kind":"fresh_input","quantity":251,"cost":62750},{"kind":"output","quantity":16,"cost":32000}]}"#.into(),
        tier: "standard".into(),
        response: Some("chatcmpl-CZ8nJ5bN2vQ1".into()),
        referable: false,
        answered_by: Some("gpt-5-mini".into()),
        status: 200,
        latency_ms: 1,
        ttft_ms: None,
    }
}

fn receipt(of: Reservation) -> RequestRow {
    RequestRow {
        request: of.request,
        at_ms: of.at_ms,
        tenant: of.tenant,
        key: of.key,
        task: Some(of.task),
        session: None,
        agent: None,
        parent: None,
        class: None,
        tags: Vec::new(),
        endpoint: "/v1/chat/completions".into(),
        model: Some(of.model),
        route: Some("upstream:openai".into()),
        status: 200,
        outcome: "completed".into(),
        error: None,
        tokens_before: Some(251),
        tokens_after: Some(251),
        holdout: false,
        decisions: r#"[{"decision":"routed","to":"upstream:openai"},{"decision":"reserved","held_usd":"0.0002","exposed_usd":"0.00042","input_tokens":1024,"metered":false}]"#.into(),
        price_version: Some(of.price_version),
        generation: 1,
    }
}
