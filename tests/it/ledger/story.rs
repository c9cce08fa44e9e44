//! Calls that are told to a ledger, and what it says of them afterwards.

use serde_json::{Value, json};
use skinflint_ledger::{
    AttemptRow, By, Ledger, Money, Outcome, Period, Report, Repricing, Reservation, Settlement,
    Source, Spared, TaskFilter,
};
use skinflint_money::NanoUsd;
use skinflint_protocol::Usage;
use uuid::Uuid;

use super::place::{NOW, Place};

pub(crate) const TENANT: &str = "acme";
/// The most that any call of a story can cost.
pub(crate) const UPPER: u64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

/// Agents and what their calls cost, one an hour, in nano-dollars: `main`, below it `search`, and below that `read`.
pub(crate) const PRICED: [(&str, u64); 9] = [
    ("main", 100),
    ("search", 20),
    ("read", 3),
    ("read", 4),
    ("main", 0),
    ("search", 50),
    ("read", 600),
    ("main", 7),
    ("read", 1),
];

/// What a ledger says, without ids.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) cost: u64,
    /// The sum of all costs: by days and tenants, weeks and models, months and classes, the task, its root agent with all below it, the attempts.
    pub(crate) sums: [u64; 6],
    everything: Value,
}

/// A call of an agent, to be reserved.
pub(crate) fn call(task: &str, agent: &str, ancestors: &[&str]) -> Reservation {
    Reservation {
        reservation: None,
        spared: Spared::default(),
        attempt: Uuid::now_v7(),
        request: Uuid::now_v7(),
        number: 1,
        tenant: TENANT.into(),
        key: Some("k1".into()),
        task: task.into(),
        agent: Some(agent.into()),
        ancestors: ancestors.iter().map(ToString::to_string).collect(),
        class: Some("main".into()),
        tags: vec!["nightly".into()],
        model: "claude-sonnet-4-5".into(),
        upstream: "anthropic".into(),
        upstream_model: "claude-sonnet-4-5".into(),
        held: NanoUsd::new(UPPER / 2),
        upper: NanoUsd::new(UPPER),
        price_version: "one".into(),
        at_ms: NOW,
        notional: false,
        holdout: false,
        scopes: [
            "tenant",
            "key:k1",
            "model:claude-sonnet-4-5",
            "class:main",
            "tag:nightly",
        ]
        .map(Into::into)
        .into(),
    }
}

pub(crate) fn settlement(call: &Reservation, cost: u64) -> Settlement {
    Settlement {
        attempt: call.attempt,
        at_ms: call.at_ms + 1,
        source: Source::Provider,
        usage: Usage {
            fresh_input: cost,
            output: 2 * cost,
            ..Usage::default()
        },
        money: money(cost),
        lines: format!(r#"{{"output":"{cost}"}}"#),
        tier: "standard".into(),
        response: None,
        referable: false,
        answered_by: Some(call.upstream_model.clone()),
        status: 200,
        latency_ms: 12,
        ttft_ms: Some(3),
    }
}

/// Twice as dear.
pub(crate) fn doubled(row: &AttemptRow) -> Repricing {
    Repricing {
        money: money(2 * row.money.cost.get()),
        lines: "{}".into(),
        price_version: "two".into(),
    }
}

fn money(cost: u64) -> Money {
    Money {
        cost: NanoUsd::new(cost),
        counterfactual: NanoUsd::new(cost),
        ..Money::default()
    }
}

/// Tells the calls of [`PRICED`] as those of one task that succeeds.
pub(crate) async fn tell(ledger: &Ledger) {
    for (hour, (agent, cost)) in (0..).zip(PRICED) {
        let above = ["main", "search"];
        let depth = above
            .iter()
            .position(|above| *above == agent)
            .unwrap_or(above.len());
        let mut call = call("task", agent, &above[..depth]);
        call.at_ms = NOW + hour * HOUR_MS;
        ledger.reserve(call.clone()).await.unwrap();
        ledger.settle(settlement(&call, cost));
    }
    ledger.flush().await.unwrap();
    let known = ledger.set_outcome(TENANT, "task", Outcome::Success).await;
    assert!(known.unwrap());
}

impl Told {
    /// Tells the story to a new ledger, and asks it.
    pub(crate) async fn to(place: &Place) -> Self {
        let running = place.open("one", NOW).await;
        tell(&running.ledger).await;
        let told = Self::of(&running.ledger).await;
        running.close().await;
        told
    }

    /// What a ledger says of the story.
    pub(crate) async fn of(ledger: &Ledger) -> Self {
        let reader = ledger.reader();
        let mut everything = Vec::new();
        let mut sums = Vec::new();
        for (period, by) in [
            (Period::Day, By::Tenant),
            (Period::Week, By::Model),
            (Period::Month, By::Class),
        ] {
            let report = Report {
                period,
                by,
                since_ms: 0,
                until_ms: NOW + 100 * HOUR_MS,
                tenant: None,
            };
            let rows = reader.report(&report).await.unwrap();
            sums.push(rows.iter().map(|row| row.sums.cost.get()).sum());
            everything.push(json!(rows));
        }
        let filter = TaskFilter {
            since_ms: 0,
            tenant: Some(TENANT.into()),
            top: 10,
        };
        let tasks = reader.tasks(&filter).await.unwrap();
        sums.push(tasks.iter().map(|task| task.sums.cost.get()).sum());
        let trees = reader.task(Some(TENANT), "task").await.unwrap();
        let roots = trees
            .iter()
            .flat_map(|tree| tree.agents.iter().filter(|agent| agent.depth == 0));
        sums.push(roots.map(|agent| agent.subtree.cost.get()).sum());
        let billed = reader.billed(0, NOW + 100 * HOUR_MS).await.unwrap();
        sums.push(billed.iter().map(|day| day.sums.cost.get()).sum());
        let spent = reader.spent(TENANT, "tag:nightly", None).await.unwrap();
        everything.extend([json!(tasks), json!(trees), json!(billed), json!(spent)]);
        Self {
            cost: spent.billed.get(),
            sums: sums.try_into().expect("six ways to add up"),
            everything: everything.into(),
        }
    }
}
