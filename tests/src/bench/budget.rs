//! Budgets alone: a call that falls under four limits reserves and settles, in this process and in a Redis on this machine.

use std::{sync::Arc, time::Duration};

use skinflint_budget::{
    Ask, BudgetError, Budgets, Limit, Missing, RedisConfig, ReservationId, Seed, Seeding, Watch,
    WhenDown, Window,
};
use skinflint_money::NanoUsd;
use tokio::time::Instant;

use super::{
    BenchError,
    statistics::{percentile, share},
};
use crate::{RedisServer, figure::Figure};

/// Calls of a measurement.
const CALLS: usize = 200_000;
const REDIS_CALLS: usize = 10_000;
/// A short run has so many times fewer.
const QUICK: usize = 100;
const TENANT: &str = "bench";
/// 2026-11-21 10:00 UTC.
const NOW: i64 = 1_795_255_200_000;

/// One caller, one call after the other.
///
/// # Panics
/// If there is no Redis on this machine.
pub(super) async fn measure(quick: bool) -> Result<Vec<Figure>, BenchError> {
    let calls = |calls| if quick { calls / QUICK } else { calls };
    let here = Budgets::local(nobody());
    let took: Duration = spend(&here, calls(CALLS)).await?.iter().sum();
    let each = share(took.as_secs_f64() * 1e6, calls(CALLS));
    let server = RedisServer::start().await;
    let config = RedisConfig {
        url: server.url(),
        ledger: "bench".into(),
        node: "bench".into(),
        when_down: WhenDown::Closed,
        // On a busy machine a late answer is to be measured, not given up.
        answer_within: Duration::from_secs(2),
    };
    let (shared, courier) = Budgets::redis(config, nobody()).await?;
    let waits = tokio::select! {
        waits = spend(&shared, calls(REDIS_CALLS)) => waits?,
        () = courier => return Err(BudgetError::StoreDown.into()),
    };
    let mut waits: Vec<f64> = waits.iter().map(|wait| wait.as_secs_f64() * 1e6).collect();
    waits.sort_unstable_by(f64::total_cmp);
    let of_redis = |name: &str, percent| Figure::new(name, percentile(&waits, percent), "us", None);
    Ok(vec![
        Figure::new("budget_reserve_us", each, "us", None),
        of_redis("budget_redis_reserve_p50_us", 50),
        of_redis("budget_redis_reserve_p99_us", 99),
    ])
}

fn nobody() -> Watch {
    Arc::new(|_, _| ())
}

/// What each call takes: in this process to reserve and to settle, with Redis to reserve, as nobody waits for the rest.
async fn spend(budgets: &Budgets, calls: usize) -> Result<Vec<Duration>, BudgetError> {
    let limits = limits();
    let ask = Ask::Whole {
        likely: NanoUsd::new(200_000),
        worst: NanoUsd::new(420_000),
        floor: NanoUsd::new(100_000),
    };
    seed(budgets, &limits, ask).await?;
    let mut took = Vec::with_capacity(calls);
    for call in 1..=calls {
        let id = ReservationId(u128::try_from(call).unwrap_or_default());
        let began = Instant::now();
        budgets.reserve(TENANT, NOW, id, &limits, ask).await?;
        budgets.settle(TENANT, NOW, id, NanoUsd::new(94_750));
        took.push(began.elapsed());
    }
    Ok(took)
}

/// Tells the budgets that nothing was spent before.
async fn seed(budgets: &Budgets, limits: &Arc<[Limit]>, ask: Ask) -> Result<(), BudgetError> {
    let first = budgets.reserve(TENANT, NOW, ReservationId(0), limits, ask);
    let missing = match first.await {
        Err(BudgetError::Unseeded(missing) | BudgetError::StoreEmpty(missing)) => missing,
        done => return done.map(drop),
    };
    let nothing = |account: &Missing| Seed {
        scope: account.scope.clone(),
        window: account.window,
        spent: Vec::new(),
    };
    let seeding = Seeding {
        accounts: missing.iter().map(nothing).collect(),
        open: Vec::new(),
    };
    budgets.seed(TENANT, NOW, &seeding).await
}

fn limits() -> Arc<[Limit]> {
    [
        ("tenant", Window::Month),
        ("task:t", Window::Task),
        ("agent:t/a", Window::Task),
        ("model:gpt-5-mini", Window::Day),
    ]
    .map(|(scope, window)| Limit {
        name: scope.into(),
        scope: scope.into(),
        window,
        cap: NanoUsd::new(1_000_000_000_000_000),
        hard: true,
    })
    .into()
}
