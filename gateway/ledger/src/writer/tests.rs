use skinflint_money::NanoUsd;
use skinflint_protocol::Usage;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::config::{Durability, Store};
use crate::entry::{Money, Source, Spared};
use crate::ledger::Ledger;

struct Running {
    ledger: Ledger,
    _writer: JoinSet<Result<(), LedgerError>>,
    _directory: TempDir,
}

async fn start() -> Running {
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        store: Store::Sqlite {
            path: directory.path().join("ledger.db"),
        },
        durability: Durability::Process,
        node: "one".to_owned(),
    };
    let (ledger, writer, _) = Ledger::open(config, 0).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(writer.run());
    Running {
        ledger,
        _writer: tasks,
        _directory: directory,
    }
}

impl Running {
    async fn pragma(&self, pragma: &'static str) {
        let done = self.ledger.ask(|reply| Op::Pragma(pragma, reply)).await;
        done.unwrap();
    }

    async fn open(&self) -> Vec<Uuid> {
        let open = self.ledger.reader().open_reservations("acme").await;
        let ids = open.unwrap().into_iter();
        ids.map(|open| open.reservation.attempt).collect()
    }

    async fn spent(&self) -> u64 {
        let spent = self.ledger.reader().spent("acme", "tenant", None).await;
        spent.unwrap().billed.get()
    }
}

fn reservation() -> Reservation {
    Reservation {
        attempt: Uuid::now_v7(),
        request: Uuid::now_v7(),
        reservation: None,
        spared: Spared::default(),
        number: 1,
        tenant: "acme".to_owned(),
        key: None,
        task: "t".to_owned(),
        agent: None,
        ancestors: Vec::new(),
        class: None,
        tags: Vec::new(),
        model: "asked".to_owned(),
        upstream: "provider".to_owned(),
        upstream_model: "sold".to_owned(),
        held: NanoUsd::new(10),
        upper: NanoUsd::new(10),
        price_version: String::new(),
        at_ms: 0,
        notional: false,
        holdout: false,
        scopes: Vec::new(),
    }
}

fn settlement(attempt: Uuid, cost: u64) -> Settlement {
    Settlement {
        attempt,
        at_ms: 0,
        source: Source::Counted,
        usage: Usage::default(),
        money: Money {
            cost: NanoUsd::new(cost),
            ..Money::default()
        },
        // More than what is left of a page.
        lines: "x".repeat(8_192),
        tier: String::new(),
        response: None,
        referable: false,
        answered_by: None,
        status: 200,
        latency_ms: 0,
        ttft_ms: None,
    }
}

#[tokio::test]
async fn a_full_disk_stops_spending_and_loses_nothing() {
    let running = start().await;
    let ledger = &running.ledger;
    running.pragma("PRAGMA max_page_count = 1").await;
    let mut held = Vec::new();
    let refused = loop {
        let reserved = reservation();
        match ledger.reserve(reserved.clone()).await {
            Ok(()) => held.push(reserved.attempt),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.to_string(), "the ledger cannot be written");
    assert!(ledger.is_failing());
    for attempt in &held {
        ledger.settle(settlement(*attempt, 3));
    }
    let failed = ledger.flush().await.unwrap_err();
    assert!(matches!(failed, LedgerError::Write(_)));
    assert!(ledger.backlog() >= held.len());
    assert!(ledger.reserve(reservation()).await.is_err());

    running.pragma("PRAGMA max_page_count = 100000").await;
    ledger.flush().await.unwrap();
    assert_eq!((ledger.backlog(), ledger.is_failing()), (0, false));
    assert_eq!(running.spent().await, 3 * held.len() as u64);
    assert!(
        running.open().await.is_empty(),
        "what was refused is not reserved"
    );
    ledger.reserve(reservation()).await.unwrap();
}

#[tokio::test]
async fn a_row_that_cannot_be_written_does_not_keep_the_others_back() {
    let running = start().await;
    let ledger = &running.ledger;
    running
        .pragma(
            "CREATE TRIGGER no_thirteen BEFORE INSERT ON attempts WHEN new.cost = 13 \
             BEGIN SELECT RAISE(ABORT, 'unlucky'); END",
        )
        .await;
    for cost in 1..=20 {
        let reserved = reservation();
        ledger.reserve(reserved.clone()).await.unwrap();
        ledger.settle(settlement(reserved.attempt, cost));
    }
    // Each of these tries at once; fewer rows go together after each failure.
    let mut tries = 0;
    while ledger.backlog() > 1 {
        assert!(ledger.flush().await.is_err());
        tries += 1;
        assert!(tries < 100, "{} rows are kept back", ledger.backlog());
    }
    assert_eq!(running.spent().await, 210 - 13);
    assert_eq!(running.open().await.len(), 1);
    running.pragma("DROP TRIGGER no_thirteen").await;
    ledger.flush().await.unwrap();
    assert_eq!(running.spent().await, 210);
    assert!(running.open().await.is_empty());
}

#[tokio::test]
async fn refusals_are_given_up_before_settlements() {
    let running = start().await;
    let ledger = &running.ledger;
    let kept = reservation();
    ledger.reserve(kept.clone()).await.unwrap();
    running
        .pragma(
            "CREATE TRIGGER no_task BEFORE INSERT ON requests \
             BEGIN SELECT RAISE(ABORT, 'nothing is written'); END",
        )
        .await;
    for _ in 0..=settle::REFUSALS_KEPT {
        ledger.record(refusal());
    }
    ledger.settle(settlement(kept.attempt, 3));
    let tried = ledger.flush().await;
    assert!(tried.is_err());
    assert!(ledger.dropped() > 0);
    assert!(ledger.backlog() <= settle::REFUSALS_KEPT);
    running.pragma("DROP TRIGGER no_task").await;
    ledger.flush().await.unwrap();
    assert_eq!((running.spent().await, ledger.backlog()), (3, 0));
}

fn refusal() -> RequestRow {
    RequestRow {
        request: Uuid::now_v7(),
        at_ms: 0,
        tenant: "acme".to_owned(),
        key: None,
        task: None,
        session: None,
        agent: None,
        parent: None,
        class: None,
        tags: Vec::new(),
        endpoint: "/v1/messages".to_owned(),
        model: None,
        route: None,
        status: 429,
        outcome: "refused".to_owned(),
        error: Some("budget_exceeded".to_owned()),
        tokens_before: None,
        tokens_after: None,
        holdout: false,
        decisions: "{}".to_owned(),
        price_version: None,
        generation: 1,
    }
}
