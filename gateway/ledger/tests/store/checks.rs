//! What every ledger does, whatever database it is kept in. Each check is given a store that is empty.
#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

use skinflint_ledger::{
    By, Config, Durability, Ledger, LedgerError, Money, Outcome, Period, Recovered, Report,
    Repricing, RequestRow, Reservation, Settlement, Source, Spared, Store, Sums, TaskFilter,
    Writer,
};
use skinflint_money::{NanoUsd, NanoUsdDelta};
use skinflint_protocol::Usage;
use tokio::task::JoinSet;
use uuid::Uuid;

/// 2026-11-21 10:00 UTC, a Saturday.
pub(crate) const NOW: i64 = 1_795_255_200_000;
pub(crate) const HOUR: i64 = 3_600_000;

/// A ledger with its writer.
pub(crate) struct Running {
    pub(crate) ledger: Ledger,
    pub(crate) recovered: Vec<Recovered>,
    pub(crate) writer: JoinSet<Result<(), LedgerError>>,
}

pub(crate) fn config(store: &Store, node: &str) -> Config {
    Config {
        store: store.clone(),
        durability: Durability::Process,
        node: node.to_owned(),
    }
}

pub(crate) async fn start(store: &Store) -> Running {
    start_node(store, "one", NOW).await
}

pub(crate) async fn start_node(store: &Store, node: &str, now_ms: i64) -> Running {
    let opened = Ledger::open(config(store, node), now_ms).await.unwrap();
    let (ledger, writer, recovered) = opened;
    let mut tasks = JoinSet::new();
    tasks.spawn(Writer::run(writer));
    Running {
        ledger,
        recovered,
        writer: tasks,
    }
}

impl Running {
    /// Ends in order.
    pub(crate) async fn stop(mut self) {
        self.ledger.close();
        self.writer.join_next().await.unwrap().unwrap().unwrap();
    }

    /// Ends as if the process were killed: what the writer holds in memory is gone.
    pub(crate) async fn crash(mut self) {
        self.writer.shutdown().await;
    }

    pub(crate) async fn spent(&self, tenant: &str, scope: &str) -> u64 {
        let spent = self.ledger.reader().spent(tenant, scope, None).await;
        spent.unwrap().billed.get()
    }
}

pub(crate) fn reservation(tenant: &str, task: &str) -> Reservation {
    Reservation {
        attempt: Uuid::now_v7(),
        request: Uuid::now_v7(),
        reservation: None,
        spared: Spared::default(),
        number: 1,
        tenant: tenant.to_owned(),
        key: Some("k1".to_owned()),
        task: task.to_owned(),
        agent: None,
        ancestors: Vec::new(),
        class: Some("chat".to_owned()),
        tags: vec!["ci".to_owned()],
        model: "asked".to_owned(),
        upstream: "provider".to_owned(),
        upstream_model: "sold".to_owned(),
        held: NanoUsd::new(40),
        upper: NanoUsd::new(1_000),
        price_version: "2026-11".to_owned(),
        at_ms: NOW,
        notional: false,
        holdout: false,
        scopes: [
            "tenant",
            "key:k1",
            "model:sold",
            "class:chat",
            "tag:ci",
            &format!("task:{task}"),
            "tenant",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

pub(crate) fn settlement(attempt: Uuid, cost: u64) -> Settlement {
    Settlement {
        attempt,
        at_ms: NOW + 1_000,
        source: Source::Provider,
        usage: Usage {
            fresh_input: 100,
            cache_read: 20,
            cache_write_5m: 3,
            cache_write_1h: 4,
            output: 50,
            reasoning: 10,
            ..Usage::default()
        },
        money: Money {
            cost: NanoUsd::new(cost),
            counterfactual: NanoUsd::new(cost * 2),
            saved_provider_cache: NanoUsdDelta::new(7),
            saved_ours: NanoUsdDelta::new(5),
            harm: NanoUsdDelta::new(-2),
        },
        lines: r#"[{"kind":"output","nano":1}]"#.to_owned(),
        tier: "standard".to_owned(),
        response: Some(format!("resp_{attempt}")),
        referable: true,
        answered_by: Some("sold-2026-10-01".to_owned()),
        status: 200,
        latency_ms: 900,
        ttft_ms: Some(200),
    }
}

pub(crate) fn receipt(of: &Reservation) -> RequestRow {
    RequestRow {
        request: of.request,
        at_ms: of.at_ms,
        tenant: of.tenant.clone(),
        key: of.key.clone(),
        task: Some(of.task.clone()),
        session: Some("s1".to_owned()),
        agent: of.agent.clone(),
        parent: of.ancestors.last().cloned(),
        class: of.class.clone(),
        tags: of.tags.clone(),
        endpoint: "/v1/messages".to_owned(),
        model: Some(of.model.clone()),
        route: Some("upstream".to_owned()),
        status: 200,
        outcome: "answered".to_owned(),
        error: None,
        tokens_before: Some(130),
        tokens_after: Some(127),
        holdout: of.holdout,
        decisions: r#"{"route":"only one"}"#.to_owned(),
        price_version: Some(of.price_version.clone()),
        generation: 3,
    }
}

/// Reserves and settles; the reservation.
pub(crate) async fn spend(ledger: &Ledger, reservation: Reservation, cost: u64) -> Reservation {
    ledger.reserve(reservation.clone()).await.unwrap();
    ledger.settle(settlement(reservation.attempt, cost));
    reservation
}

pub(crate) async fn settles_exactly_once(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    let reserved = reservation("acme", "t");
    ledger.reserve(reserved.clone()).await.unwrap();
    let mut settling = JoinSet::new();
    for cost in 1..=20 {
        let ledger = ledger.clone();
        let attempt = reserved.attempt;
        settling.spawn(async move { ledger.settle(settlement(attempt, cost)) });
    }
    settling.join_all().await;
    ledger.flush().await.unwrap();
    let first = running.spent("acme", "tenant").await;
    assert!((1..=20).contains(&first));
    ledger.settle(settlement(reserved.attempt, 500));
    ledger.flush().await.unwrap();
    assert_eq!(running.spent("acme", "tenant").await, first);
    assert_eq!(ledger.backlog(), 0);

    ledger.record(receipt(&reserved));
    ledger.record(receipt(&reserved));
    ledger.flush().await.unwrap();
    ledger.record(receipt(&reserved));
    ledger.flush().await.unwrap();
    let explained = ledger
        .reader()
        .explain(reserved.request)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(explained.cost.get(), first);
    assert_eq!(explained.attempts.len(), 1);
    let trees = ledger.reader().task(Some("acme"), "t").await.unwrap();
    let task = &trees[0].task;
    assert_eq!((task.requests, task.sums.calls), (1, 1));
    assert_eq!(task.sums.cost.get(), first);
    running.stop().await;
}

pub(crate) async fn a_crash_is_settled_at_the_upper_bound(store: Store) {
    let running = start(&store).await;
    let settled = spend(&running.ledger, reservation("acme", "t"), 30).await;
    let open = reservation("acme", "t");
    running.ledger.reserve(open.clone()).await.unwrap();
    running
        .ledger
        .extend(open.attempt, NanoUsd::new(5_000))
        .await
        .unwrap();
    // A lower bound than the one that stands changes nothing.
    running
        .ledger
        .extend(open.attempt, NanoUsd::new(10))
        .await
        .unwrap();
    running.ledger.flush().await.unwrap();
    let held = running
        .ledger
        .reader()
        .open_reservations("acme")
        .await
        .unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].reservation.upper.get(), 5_000);
    running.crash().await;

    let running = start_node(&store, "one", NOW + HOUR).await;
    let recovered = &running.recovered;
    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0].reservation.attempt, open.attempt);
    assert_eq!(recovered[0].reservation.upper.get(), 5_000);
    assert_eq!(running.spent("acme", "tenant").await, 5_030);
    let ledger = &running.ledger;
    let explained = ledger
        .reader()
        .explain(open.request)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(explained.request, None);
    assert_eq!(explained.attempts[0].source, Source::Crash);
    assert_eq!(explained.attempts[0].settled_ms, NOW + HOUR);
    // What was settled in the meantime, or by the recovery, stays as it is.
    ledger.settle(settlement(open.attempt, 1));
    ledger.settle(settlement(settled.attempt, 1));
    ledger.flush().await.unwrap();
    assert_eq!(running.spent("acme", "tenant").await, 5_030);
    assert!(matches!(
        ledger.extend(open.attempt, NanoUsd::new(1)).await,
        Err(LedgerError::NotOpen(_))
    ));
    running.stop().await;
    let running = start(&store).await;
    assert_eq!(running.recovered, []);
    running.stop().await;
}

pub(crate) async fn an_unheard_reservation_is_taken_back(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    let unheard = reservation("acme", "t");
    {
        let mut reserving = Box::pin(ledger.reserve(unheard.clone()));
        // Sent and not waited for.
        assert!(futures_poll(&mut reserving).is_pending());
    }
    ledger.flush().await.unwrap();
    assert_eq!(ledger.reader().open_reservations("acme").await.unwrap(), []);
    assert_eq!(
        ledger.reader().explain(unheard.request).await.unwrap(),
        None
    );
    running.stop().await;
}

fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context)
}

pub(crate) async fn a_task_is_a_tree_of_agents(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    let calls = [
        (None, vec![], 1),
        (Some("main"), vec![], 10),
        (Some("sub"), vec!["main"], 100),
        (Some("deep"), vec!["main", "sub"], 1_000),
        (Some("sub"), vec!["main"], 100),
    ];
    for (agent, ancestors, cost) in calls {
        let mut reserved = reservation("acme", "t");
        reserved.agent = agent.map(str::to_owned);
        reserved.ancestors = ancestors.into_iter().map(str::to_owned).collect();
        for name in reserved.agent.iter().chain(&reserved.ancestors) {
            reserved.scopes.push(format!("agent:t/{name}"));
        }
        let reserved = spend(ledger, reserved, cost).await;
        ledger.record(receipt(&reserved));
    }
    // The same name is another task of another tenant.
    spend(ledger, reservation("other", "t"), 5).await;
    ledger.flush().await.unwrap();
    let trees = ledger.reader().task(Some("acme"), "t").await.unwrap();
    let agents: Vec<_> = trees[0]
        .agents
        .iter()
        .map(|row| {
            let name = row.agent.as_deref().unwrap_or("-");
            (name, row.depth, row.own.cost.get(), row.subtree.cost.get())
        })
        .collect();
    assert_eq!(
        agents,
        [
            ("-", 0, 1, 1),
            ("main", 0, 10, 1_210),
            ("sub", 1, 200, 1_200),
            ("deep", 2, 1_000, 1_000)
        ]
    );
    let task = &trees[0].task;
    assert_eq!(
        (task.sums.cost.get(), task.sums.calls, task.requests),
        (1_211, 5, 5)
    );
    assert_eq!(task.session.as_deref(), Some("s1"));
    assert_eq!(trees[0].models.len(), 1);
    assert_eq!(trees[0].models[0].model, "sold-2026-10-01");
    assert_eq!(trees[0].models[0].sums, task.sums);
    assert_eq!(running.spent("acme", "agent:t/sub").await, 1_200);
    assert_eq!(running.spent("acme", "agent:t/main").await, 1_210);
    assert_eq!(ledger.reader().task(None, "t").await.unwrap().len(), 2);
    assert!(
        ledger
            .reader()
            .task(Some("nobody"), "t")
            .await
            .unwrap()
            .is_empty()
    );
    running.stop().await;
}

pub(crate) async fn the_costliest_tasks_come_first(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    for (tenant, task, cost, at_ms) in [
        ("acme", "old", 900, NOW - 48 * HOUR),
        ("acme", "small", 10, NOW),
        ("acme", "large", 500, NOW),
        ("other", "medium", 100, NOW),
    ] {
        let mut reserved = reservation(tenant, task);
        reserved.at_ms = at_ms;
        ledger.reserve(reserved.clone()).await.unwrap();
        let mut settled = settlement(reserved.attempt, cost);
        settled.at_ms = at_ms;
        ledger.settle(settled);
    }
    ledger.flush().await.unwrap();
    let names = async |since_ms, tenant: Option<&str>, top| {
        let filter = TaskFilter {
            since_ms,
            tenant: tenant.map(str::to_owned),
            top,
        };
        let rows = ledger.reader().tasks(&filter).await.unwrap();
        rows.into_iter().map(|row| row.task).collect::<Vec<_>>()
    };
    assert_eq!(names(NOW - HOUR, None, 2).await, ["large", "medium"]);
    assert_eq!(names(0, Some("acme"), 20).await, ["old", "large", "small"]);
    assert_eq!(names(NOW + HOUR, None, 20).await, [""; 0]);
    running.stop().await;
}

pub(crate) async fn tasks_close_and_open_again(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    let task = async || {
        let tree = ledger.reader().task(Some("acme"), "t").await.unwrap();
        tree.into_iter().next().unwrap().task
    };
    spend(ledger, reservation("acme", "t"), 10).await;
    let success = Some(Outcome::Success);
    assert!(
        ledger
            .close_task("acme", "t", success, "client", NOW + 5_000)
            .await
            .unwrap()
    );
    assert!(
        !ledger
            .close_task("acme", "none", None, "client", NOW)
            .await
            .unwrap()
    );
    assert_eq!(task().await.closed_by.as_deref(), Some("client"));
    assert_eq!(task().await.outcome, Outcome::Success);

    // A call that began before keeps it closed, one that begins later opens it.
    let mut late = reservation("acme", "t");
    late.at_ms = NOW + 4_000;
    spend(ledger, late, 1).await;
    ledger.flush().await.unwrap();
    assert_eq!(task().await.closed_ms, Some(NOW + 5_000));
    let mut next = reservation("acme", "t");
    next.at_ms = NOW + 6_000;
    spend(ledger, next, 1).await;
    ledger.flush().await.unwrap();
    assert_eq!(
        (task().await.closed_ms, task().await.closed_by),
        (None, None)
    );
    assert_eq!(task().await.outcome, Outcome::Success);
    assert!(
        ledger
            .set_outcome("acme", "t", Outcome::Failure)
            .await
            .unwrap()
    );
    assert_eq!(task().await.outcome, Outcome::Failure);

    // A call under way is no idleness.
    let mut under_way = reservation("acme", "t");
    under_way.at_ms = NOW + 7_000;
    ledger.reserve(under_way.clone()).await.unwrap();
    let (before, now) = (NOW + HOUR, NOW + 2 * HOUR);
    assert_eq!(ledger.close_idle(before, now).await.unwrap(), 0);
    ledger.settle(settlement(under_way.attempt, 1));
    assert_eq!(ledger.close_idle(NOW, now).await.unwrap(), 0);
    assert_eq!(ledger.close_idle(before, now).await.unwrap(), 1);
    assert_eq!(task().await.closed_by.as_deref(), Some("idle"));
    assert_eq!(task().await.closed_ms, Some(now));
    assert_eq!(ledger.close_idle(before, now).await.unwrap(), 0);
    running.stop().await;
}

/// Calls of a Friday, the Monday after it and that week's Saturday.
async fn spend_over_days(ledger: &Ledger) {
    for (days, class, cost) in [
        (8, "chat", 100),
        (5, "chat", 40),
        (0, "title", 1),
        (0, "chat", 9),
    ] {
        let mut reserved = reservation("acme", &format!("{class}{days}"));
        reserved.class = Some(class.to_owned());
        reserved.scopes = vec![format!("class:{class}"), "model:sold".to_owned()];
        reserved.at_ms = NOW - days * 24 * HOUR;
        ledger.reserve(reserved.clone()).await.unwrap();
        let mut settled = settlement(reserved.attempt, cost);
        settled.at_ms = reserved.at_ms;
        ledger.settle(settled);
    }
    spend(ledger, reservation("other", "t"), 70).await;
    ledger
        .set_outcome("acme", "chat0", Outcome::Success)
        .await
        .unwrap();
    ledger
        .set_outcome("acme", "chat5", Outcome::Success)
        .await
        .unwrap();
}

pub(crate) async fn reports_group_by_time_and_name(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    spend_over_days(ledger).await;
    let rows = async |period, by, tenant: Option<&str>| {
        let report = Report {
            period,
            by,
            since_ms: NOW - 30 * 24 * HOUR,
            until_ms: NOW + HOUR,
            tenant: tenant.map(str::to_owned),
        };
        let rows = ledger.reader().report(&report).await.unwrap();
        rows.into_iter()
            .map(|row| {
                let per_success = row.cost_per_success.map(NanoUsd::get);
                (
                    row.start.to_string(),
                    row.group,
                    row.sums.cost.get(),
                    per_success,
                )
            })
            .collect::<Vec<_>>()
    };
    let row = |start: &str, group: &str, cost, per| (start.to_owned(), group.to_owned(), cost, per);
    assert_eq!(
        rows(Period::Week, By::Class, Some("acme")).await,
        [
            row("2026-11-09", "chat", 100, None),
            row("2026-11-16", "chat", 49, Some(25)),
            row("2026-11-16", "title", 1, None),
        ]
    );
    assert_eq!(
        rows(Period::Month, By::Tenant, None).await,
        [
            row("2026-11-01", "acme", 150, Some(75)),
            row("2026-11-01", "other", 70, None)
        ]
    );
    assert_eq!(
        rows(Period::Day, By::Model, None).await,
        [
            row("2026-11-13", "sold", 100, None),
            row("2026-11-16", "sold", 40, None),
            row("2026-11-21", "sold", 80, None)
        ]
    );
    assert_eq!(
        rows(Period::Day, By::Tag, None).await,
        [row("2026-11-21", "ci", 70, None)]
    );
    running.stop().await;
}

pub(crate) async fn providers_bill_by_day_and_model(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    spend_over_days(ledger).await;
    ledger.flush().await.unwrap();
    let billed = ledger
        .reader()
        .billed(NOW - 5 * 24 * HOUR, NOW)
        .await
        .unwrap();
    let billed: Vec<_> = billed
        .iter()
        .map(|row| {
            (
                row.day.to_string(),
                row.model.as_str(),
                row.sums.cost.get(),
                row.sums.calls,
            )
        })
        .collect();
    assert_eq!(
        billed,
        [
            ("2026-11-16".to_owned(), "sold-2026-10-01", 40, 1),
            ("2026-11-21".to_owned(), "sold-2026-10-01", 80, 3)
        ]
    );
    running.stop().await;
}

pub(crate) async fn budgets_start_from_what_was_spent(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    for (model, cost, notional, at_ms) in [
        ("opus-1", 100, false, NOW - 2 * HOUR),
        ("opus-2", 10, false, NOW + 59 * 60_000),
        ("sonnet", 1, false, NOW),
        ("opus-1", 7, true, NOW),
    ] {
        let mut reserved = reservation("acme", "t");
        reserved.scopes.push(format!("model:{model}"));
        reserved.notional = notional;
        ledger.reserve(reserved.clone()).await.unwrap();
        let mut settled = settlement(reserved.attempt, cost);
        settled.at_ms = at_ms;
        ledger.settle(settled);
    }
    ledger.flush().await.unwrap();
    let reader = ledger.reader();
    let spent = reader.spent("acme", "tenant", None).await.unwrap();
    assert_eq!((spent.billed.get(), spent.notional.get()), (111, 7));
    // Down to the hour: what came earlier in it is counted.
    let spent = reader
        .spent("acme", "tenant", Some(NOW + 30 * 60_000))
        .await
        .unwrap();
    assert_eq!(spent.billed.get(), 11);
    let by_scope = reader
        .spent_by_scope("acme", "model:opus", None)
        .await
        .unwrap();
    let by_scope: Vec<_> = by_scope
        .iter()
        .map(|(scope, spent)| (scope.as_str(), spent.billed.get()))
        .collect();
    assert_eq!(by_scope, [("model:opus-1", 100), ("model:opus-2", 10)]);
    assert_eq!(
        reader.spent("other", "tenant", None).await.unwrap().billed,
        NanoUsd::ZERO
    );
    let answered = reservation("acme", "t");
    spend(ledger, answered.clone(), 1).await;
    ledger.flush().await.unwrap();
    let response = format!("resp_{}", answered.attempt);
    assert_eq!(
        reader.response_tokens("acme", &response).await.unwrap(),
        Some(177)
    );
    assert_eq!(
        reader.response_tokens("other", &response).await.unwrap(),
        None
    );
    running.stop().await;
}

pub(crate) async fn other_prices_change_history_and_its_sums(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    let priced = spend(ledger, reservation("acme", "t"), 100).await;
    let mut notional = reservation("acme", "t");
    notional.notional = true;
    spend(ledger, notional, 10).await;
    let unpriced = reservation("other", "t");
    ledger.reserve(unpriced.clone()).await.unwrap();
    let mut bound = settlement(unpriced.attempt, 1_000);
    bound.source = Source::UpperBound;
    ledger.settle(bound);
    let double = |row: &skinflint_ledger::AttemptRow| {
        Some(Repricing {
            money: Money {
                cost: NanoUsd::new(row.money.cost.get() * 2),
                saved_ours: NanoUsdDelta::new(-3),
                ..row.money
            },
            lines: "[]".to_owned(),
            price_version: "2026-12".to_owned(),
        })
    };
    let changed = ledger.reprice(0, double).await.unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].tenant, "acme");
    assert_eq!(
        (
            changed[0].attempts,
            changed[0].before.get(),
            changed[0].after.get()
        ),
        (2, 110, 220)
    );
    let spent = ledger.reader().spent("acme", "key:k1", None).await.unwrap();
    assert_eq!((spent.billed.get(), spent.notional.get()), (200, 20));
    assert_eq!(running.spent("other", "tenant").await, 1_000);
    let tree = ledger.reader().task(Some("acme"), "t").await.unwrap();
    let Sums {
        cost,
        notional,
        saved_ours,
        calls,
        ..
    } = tree[0].task.sums;
    assert_eq!(
        (cost.get(), notional.get(), saved_ours.get(), calls),
        (200, 20, -3, 2)
    );
    let explained = ledger
        .reader()
        .explain(priced.request)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(explained.attempts[0].price_version, "2026-12");
    assert_eq!(ledger.reprice(NOW + HOUR, double).await.unwrap(), []);
    running.stop().await;
}

pub(crate) async fn a_receipt_is_told_as_it_was_given(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    let mut reserved = reservation("acme", "t");
    reserved.agent = Some("sub".to_owned());
    reserved.ancestors = vec!["main".to_owned()];
    let reserved = spend(ledger, reserved, 30).await;
    let row = receipt(&reserved);
    ledger.record(row.clone());
    let mut refused = receipt(&reservation("acme", "t"));
    refused.status = 429;
    refused.error = Some("budget_exceeded".to_owned());
    refused.task = None;
    refused.decisions = String::from("no JSON");
    ledger.record(refused.clone());
    ledger.flush().await.unwrap();
    let explained = ledger.reader().explain(row.request).await.unwrap().unwrap();
    assert_eq!(explained.request, Some(row));
    let attempt = &explained.attempts[0];
    let given = settlement(reserved.attempt, 30);
    assert_eq!((attempt.usage, attempt.money), (given.usage, given.money));
    assert_eq!(attempt.ancestors, reserved.ancestors);
    assert_eq!(
        (attempt.held, attempt.upper),
        (reserved.held, reserved.upper)
    );
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["request"]["decisions"]["route"], "only one");
    assert_eq!(json["attempts"][0]["lines"][0]["nano"], 1);
    assert_eq!(json["attempts"][0]["cost"], "0.00000003");
    let explained = ledger
        .reader()
        .explain(refused.request)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (explained.request, explained.cost),
        (Some(refused), NanoUsd::ZERO)
    );
    assert_eq!(ledger.reader().explain(Uuid::nil()).await.unwrap(), None);
    running.stop().await;
}

pub(crate) async fn absurd_text_is_cut_and_absurd_amounts_are_refused(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    let long = "é".repeat(5_000);
    let mut reserved = reservation("acme", &format!("a\0{long}"));
    reserved.agent = Some(long.clone());
    reserved.tags = vec![long.clone()];
    reserved.scopes.push(format!("agent:{long}"));
    let reserved = spend(ledger, reserved, 30).await;
    let mut row = receipt(&reserved);
    row.error = Some(format!("\0{long}"));
    ledger.record(row);
    ledger.flush().await.unwrap();
    let explained = ledger
        .reader()
        .explain(reserved.request)
        .await
        .unwrap()
        .unwrap();
    assert!(explained.attempts[0].task.starts_with("a\u{fffd}é"));
    assert_eq!(
        explained.request.unwrap().task.unwrap(),
        explained.attempts[0].task
    );
    let mut absurd = reservation("acme", "t");
    absurd.upper = NanoUsd::MAX;
    let refused = ledger.reserve(absurd).await;
    assert!(matches!(refused, Err(LedgerError::TooLarge { .. })));
    let open = reservation("acme", "t");
    ledger.reserve(open.clone()).await.unwrap();
    let refused = ledger.extend(open.attempt, NanoUsd::MAX).await;
    assert!(matches!(refused, Err(LedgerError::TooLarge { .. })));
    ledger.settle(settlement(open.attempt, 1));
    running.stop().await;
}

pub(crate) async fn an_alert_is_sent_once(store: Store) {
    let running = start(&store).await;
    let ledger = &running.ledger;
    assert!(
        ledger
            .first_alert("acme/month/0.8/2026-11", NOW)
            .await
            .unwrap()
    );
    assert!(
        !ledger
            .first_alert("acme/month/0.8/2026-11", NOW)
            .await
            .unwrap()
    );
    assert!(
        ledger
            .first_alert("acme/month/1.0/2026-11", NOW)
            .await
            .unwrap()
    );
    running.stop().await;
    let running = start(&store).await;
    assert!(
        !running
            .ledger
            .first_alert("acme/month/0.8/2026-11", NOW)
            .await
            .unwrap()
    );
    running.stop().await;
}
