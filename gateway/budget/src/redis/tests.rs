mod server;
mod strays;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use proptest::{prelude::*, test_runner::TestRunner};
use skinflint_money::NanoUsd;
use tokio::{task::JoinSet, time::Instant};

use self::server::Server;
use super::{ConnectError, Question, RedisBooks, RedisConfig, WhenDown};
use crate::{
    AccountStatus, Ask, Book, BudgetError, Budgets, Crossing, Limit, OpenCall, ReservationId, Seed,
    Seeding, Settled, Window,
    trial::{self, Action, Outcome, Run, START_MS, limit, usd},
};

const CENT: u64 = 10_000_000;

impl RedisBooks {
    /// Lets a history move the server's clock.
    pub(super) fn by_test_clock(&self, now_ms: i64, question: Question) -> Question {
        if self.test_clock {
            question.at(now_ms, &self.node)
        } else {
            question
        }
    }
}

/// A gateway: its books, and their background work.
struct Node {
    books: Arc<RedisBooks>,
    /// Ends with the node.
    _work: JoinSet<()>,
    heard: Arc<parking_lot::Mutex<Vec<Crossing>>>,
}

/// Patient with a busy machine; short enough for tests in which the server hangs.
const PATIENCE: Duration = Duration::from_millis(800);

fn config(server: &Server, name: &str, when_down: WhenDown) -> RedisConfig {
    RedisConfig {
        url: server.url(),
        ledger: "ours".to_owned(),
        node: name.to_owned(),
        when_down,
        answer_within: PATIENCE,
    }
}

async fn node(server: &Server, name: &str, when_down: WhenDown) -> Node {
    started(config(server, name, when_down)).await
}

async fn started(config: RedisConfig) -> Node {
    let heard: Arc<parking_lot::Mutex<Vec<Crossing>>> = Arc::default();
    let ears = Arc::clone(&heard);
    let watch = move |_: &str, settled: &Settled| ears.lock().extend(settled.crossings.clone());
    let books = RedisBooks::connect(config, Arc::new(watch)).await.unwrap();
    let books = Arc::new(books);
    let courier = Arc::clone(&books);
    let mut work = JoinSet::new();
    work.spawn(async move { courier.run().await });
    books.link.changes_to(true).await;
    Node {
        books,
        _work: work,
        heard,
    }
}

/// The time that callers see; the server has its own.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn id(number: u128) -> ReservationId {
    ReservationId(number)
}

fn exactly(amount: u64) -> Ask {
    Ask::Whole {
        likely: usd(amount),
        worst: usd(amount),
        floor: usd(amount),
    }
}

fn month(cap: u64, hard: bool) -> Arc<[Limit]> {
    Arc::from(vec![limit("months", "tenant", Window::Month, cap, hard)])
}

fn seeding(limits: &[Limit], spent: u64) -> Seeding {
    let mut seeding = trial::seeding(limits);
    for seed in &mut seeding.accounts {
        seed.spent.push((now_ms(), usd(spent)));
    }
    seeding
}

impl Node {
    async fn reserve(
        &self,
        number: u128,
        limits: &Arc<[Limit]>,
        ask: Ask,
    ) -> Result<crate::Grant, BudgetError> {
        self.books
            .reserve("acme", now_ms(), id(number), limits, ask)
            .await
    }

    fn settle(&self, number: u128, actual: u64) {
        self.books.settle("acme", now_ms(), id(number), usd(actual));
    }

    async fn seed(&self, seeding: &Seeding) {
        self.books.seed("acme", now_ms(), seeding).await.unwrap();
    }

    /// Spent, exposed and open of the only account.
    async fn standing(&self) -> (u64, u64, u64) {
        let status = self.books.status("acme", now_ms()).await.unwrap();
        let [account] = status.as_slice() else {
            panic!("expected one account: {status:?}")
        };
        (account.spent.get(), account.exposed.get(), account.open)
    }

    /// Waits until calls go through again and everything is told.
    async fn back(&self) {
        self.books.link.changes_to(true).await;
        self.books.flushed().await;
    }
}

/// What the rules of [`Book`] are asked, asked of the script.
async fn act(books: &RedisBooks, tenant: &str, now_ms: i64, action: &Action) -> Outcome {
    match action {
        Action::Reserve { id, limits, ask } => {
            let granted = books.reserve(tenant, now_ms, *id, limits, *ask).await;
            trial::outcome(granted, |grant| Outcome::Granted {
                held: grant.held,
                exposed: grant.exposed,
                room: grant.room,
            })
        }
        Action::Extend { id, by, at_least } => {
            let extended = books.extend(tenant, now_ms, *id, *by, *at_least).await;
            trial::outcome(extended, Outcome::Exposed)
        }
        Action::Shrink { id, exposed } => {
            books.shrink(tenant, now_ms, *id, *exposed).await;
            Outcome::Done
        }
        Action::Settle { id, actual } => {
            books.with(tenant, |tenant| tenant.end(now_ms, *id, *actual));
            let question = Question::settle(*id, *actual, None, None);
            let answer = books.ask(tenant, now_ms, question).await.unwrap();
            Outcome::Settled(answer.settled())
        }
    }
}

#[test]
fn the_script_keeps_the_rules_of_the_book() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start());
    let connecting =
        RedisBooks::connect(config(&server, "a", WhenDown::Closed), Arc::new(|_, _| {}));
    let mut books = runtime.block_on(connecting).unwrap();
    books.test_clock = true;
    let limits = trial::all_limits();
    let tenants = AtomicU32::new(0);
    let config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 300,
        ..ProptestConfig::with_cases(40)
    };
    let histories = TestRunner::new(config).run(&trial::history(60), |ops| {
        let tenant = format!("tenant-{}", tenants.fetch_add(1, Ordering::Relaxed));
        let history = same_answers(&books, &tenant, &limits, &ops);
        runtime.block_on(history)
    });
    histories.unwrap();
}

async fn same_answers(
    books: &RedisBooks,
    tenant: &str,
    limits: &[Limit],
    ops: &[trial::Op],
) -> Result<(), TestCaseError> {
    let (mut book, mut run) = (Book::new(), Run::new());
    book.seed(START_MS, &trial::seeding(limits));
    let seeded = books.seed(tenant, START_MS, &trial::seeding(limits)).await;
    seeded.unwrap();
    for op in ops {
        let Some(action) = run.action(op) else {
            continue;
        };
        let expected = trial::act(&mut book, run.now_ms, &action);
        let outcome = act(books, tenant, run.now_ms, &action).await;
        prop_assert_eq!(&outcome, &expected, "{:?}", &action);
        run.observe(&action, &outcome);
        let now_ms = run.now_ms;
        let mut expected: Vec<AccountStatus> = book.status(now_ms);
        expected.sort_by(|a, b| (&a.scope, a.window).cmp(&(&b.scope, b.window)));
        prop_assert_eq!(books.status(tenant, now_ms).await.unwrap(), expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_admit_a_hundred_cents_of_a_dollar() {
    let server = Server::start().await;
    let limits = month(100 * CENT, true);
    let nodes = [
        node(&server, "a", WhenDown::Closed).await,
        node(&server, "b", WhenDown::Closed).await,
    ];
    nodes[0].seed(&seeding(&limits, 0)).await;
    let mut calls = JoinSet::new();
    for number in 0..1000_u128 {
        let node = &nodes[usize::from(number % 2 == 0)];
        let (books, limits) = (Arc::clone(&node.books), Arc::clone(&limits));
        calls.spawn(async move {
            let asked = books
                .reserve("acme", now_ms(), id(number), &limits, exactly(CENT))
                .await;
            if asked.is_ok() {
                books.settle("acme", now_ms(), id(number), usd(CENT));
            }
            match asked {
                Ok(_) => true,
                Err(BudgetError::Refused(_)) => false,
                Err(other) => panic!("{other}"),
            }
        });
    }
    let admitted = calls
        .join_all()
        .await
        .into_iter()
        .filter(|admitted| *admitted);
    assert_eq!(admitted.count(), 100);
    for node in &nodes {
        node.books.flushed().await;
        assert_eq!(node.books.open_calls(), 0);
    }
    assert_eq!(nodes[0].standing().await, (100 * CENT, 0, 0));
    let heard: Vec<Crossing> = nodes
        .iter()
        .flat_map(|node| node.heard.lock().clone())
        .collect();
    assert_eq!(heard.len(), 100);
    assert!(heard.iter().any(|last| last.spent_after == usd(100 * CENT)));
}

#[tokio::test]
async fn a_server_that_hangs_closes_hard_limits_at_once_and_comes_back() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits = month(100, true);
    node.seed(&seeding(&limits, 0)).await;
    node.reserve(1, &limits, exactly(10)).await.unwrap();
    let hasty = started(RedisConfig {
        answer_within: RedisConfig::ANSWER_WITHIN,
        ..config(&server, "b", WhenDown::Closed)
    });
    let hasty = hasty.await;
    server.stop();
    let began = Instant::now();
    for number in [2, 3] {
        let asked = hasty.reserve(number, &limits, exactly(10)).await;
        assert_eq!(asked, Err(BudgetError::StoreDown));
    }
    // 50 ms for the first, nothing for the second; the rest is a busy machine's.
    assert!(began.elapsed() < Duration::from_millis(750));
    let extended = node
        .books
        .extend("acme", now_ms(), id(1), usd(1), usd(1))
        .await;
    assert_eq!(extended, Err(BudgetError::StoreDown));
    node.settle(1, 7);
    server.go_on();
    node.back().await;
    hasty.back().await;
    // The reservation whose answer was lost has been made by now, and taken back.
    assert_eq!(node.standing().await, (7, 0, 0));
    assert!(node.reserve(4, &limits, exactly(93)).await.is_ok());
}

#[tokio::test]
async fn a_settlement_whose_answer_is_lost_counts_once() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits = month(100, true);
    node.seed(&seeding(&limits, 0)).await;
    node.reserve(1, &limits, exactly(10)).await.unwrap();
    server.stop();
    node.settle(1, 7);
    node.books.link.changes_to(false).await;
    server.go_on();
    node.back().await;
    assert_eq!(node.standing().await, (7, 0, 0));
}

#[tokio::test]
async fn a_server_restarted_empty_is_closed_until_it_is_seeded_once() {
    let mut server = Server::start().await;
    let nodes = [
        node(&server, "a", WhenDown::Closed).await,
        node(&server, "b", WhenDown::Closed).await,
    ];
    let limits = month(100, true);
    nodes[0].seed(&seeding(&limits, 0)).await;
    for (number, node) in nodes.iter().enumerate() {
        let number = u128::try_from(number).unwrap();
        node.reserve(number, &limits, exactly(10)).await.unwrap();
    }
    nodes[0].settle(0, 10);
    nodes[0].books.flushed().await;
    server.kill().await;
    for node in &nodes {
        assert_eq!(
            node.reserve(5, &limits, exactly(1)).await,
            Err(BudgetError::StoreDown)
        );
    }
    // Ended while the server is away: the ledger has it, and the store will be seeded with it.
    nodes[1].settle(1, 9);
    server.restart().await;
    for node in &nodes {
        node.back().await;
        let asked = node.reserve(6, &limits, exactly(1)).await;
        assert!(
            matches!(&asked, Err(BudgetError::StoreEmpty(missing)) if missing.len() == 1),
            "{asked:?}"
        );
    }
    let ledger = seeding(&limits, 19);
    tokio::join!(nodes[0].seed(&ledger), nodes[1].seed(&ledger));
    for node in &nodes {
        node.books.flushed().await;
        assert_eq!(node.standing().await, (19, 0, 0));
    }
    nodes[1].reserve(7, &limits, exactly(81)).await.unwrap();
    let asked = nodes[0].reserve(8, &limits, exactly(1)).await;
    assert!(matches!(asked, Err(BudgetError::Refused(_))), "{asked:?}");
}

#[tokio::test]
async fn calls_that_are_open_when_the_store_loses_everything_stay_exposed() {
    let mut server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits = month(100, true);
    node.seed(&seeding(&limits, 0)).await;
    node.reserve(1, &limits, exactly(60)).await.unwrap();
    server.kill().await;
    assert_eq!(
        node.reserve(5, &limits, exactly(1)).await,
        Err(BudgetError::StoreDown)
    );
    server.restart().await;
    node.back().await;
    let mut ledger = seeding(&limits, 0);
    // Another gateway's, which has died.
    let open = OpenCall {
        id: id(2),
        limits: Arc::clone(&limits),
        held: usd(10),
        exposed: usd(30),
    };
    ledger.open.push(open);
    node.seed(&ledger).await;
    assert_eq!(node.standing().await, (0, 90, 2));
    // Whoever recovers it settles it by its id alone.
    node.settle(2, 30);
    node.settle(1, 50);
    node.books.flushed().await;
    assert_eq!(node.standing().await, (80, 0, 0));
}

#[tokio::test]
async fn a_flushed_store_takes_up_open_calls_again() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits = month(100, true);
    node.seed(&seeding(&limits, 0)).await;
    node.reserve(1, &limits, exactly(60)).await.unwrap();
    raw(&server, &["FLUSHALL"]).await;
    let asked = node.reserve(2, &limits, exactly(1)).await;
    assert!(
        matches!(asked, Err(BudgetError::StoreEmpty(_))),
        "{asked:?}"
    );
    node.seed(&seeding(&limits, 0)).await;
    node.books.flushed().await;
    assert_eq!(node.standing().await, (0, 60, 1));
    node.settle(1, 60);
    node.books.flushed().await;
    assert_eq!(node.standing().await, (60, 0, 0));
}

#[tokio::test]
async fn without_the_store_each_node_has_its_share() {
    let server = Server::start().await;
    let half = WhenDown::Share { ppm: 500_000 };
    let nodes = [
        node(&server, "a", half).await,
        node(&server, "b", half).await,
    ];
    let limits = month(100, true);
    nodes[0].seed(&seeding(&limits, 20)).await;
    nodes[0].reserve(100, &limits, exactly(20)).await.unwrap();
    nodes[1].reserve(101, &limits, exactly(0)).await.unwrap();
    server.stop();
    for (place, node) in nodes.iter().enumerate() {
        let first = u128::try_from(place * 10).unwrap();
        // 60 are left: 30 for each node.
        let grant = node.reserve(first, &limits, exactly(20)).await.unwrap();
        assert!(grant.store_down);
        let asked = node.reserve(first + 1, &limits, exactly(11)).await;
        assert!(matches!(asked, Err(BudgetError::Refused(_))), "{asked:?}");
        let lease = Ask::Leased {
            first: usd(4),
            floor: usd(1),
        };
        assert_eq!(
            node.reserve(first + 2, &limits, lease)
                .await
                .unwrap()
                .exposed,
            usd(4)
        );
        let extended = node
            .books
            .extend("acme", now_ms(), id(first + 2), usd(9), usd(1))
            .await;
        assert_eq!(extended, Ok(usd(10)));
        node.settle(first, 20);
    }
    // An account of which the node has never heard is closed.
    let unheard: Arc<[Limit]> = Arc::from(vec![limit("tasks", "task:1", Window::Task, 9, true)]);
    assert_eq!(
        nodes[0].reserve(50, &unheard, exactly(1)).await,
        Err(BudgetError::StoreDown)
    );
    server.go_on();
    for node in &nodes {
        node.back().await;
    }
    assert_eq!(nodes[0].standing().await, (60, 40, 4));
    for number in [2, 12] {
        nodes[usize::from(number == 12)].settle(number, 10);
    }
    nodes[0].settle(100, 20);
    nodes[1].settle(101, 0);
    for node in &nodes {
        node.books.flushed().await;
    }
    assert_eq!(nodes[0].standing().await, (100, 0, 0));
}

#[tokio::test]
async fn soft_limits_stay_open_and_count_in_the_end() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits = month(10, false);
    node.seed(&seeding(&limits, 0)).await;
    server.stop();
    for number in 0..5 {
        let grant = node.reserve(number, &limits, exactly(4)).await.unwrap();
        assert!(grant.store_down);
        node.settle(number, 4);
    }
    let grant = node.reserve(9, &limits, exactly(6)).await.unwrap();
    assert!(grant.store_down);
    server.go_on();
    node.back().await;
    assert_eq!(node.standing().await, (20, 6, 1));
    assert!(
        !node
            .reserve(10, &limits, exactly(4))
            .await
            .unwrap()
            .store_down
    );
}

#[tokio::test]
async fn a_reservation_that_nobody_waits_for_is_taken_back() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits = month(100, true);
    node.seed(&seeding(&limits, 0)).await;
    server.stop();
    let asking = node.reserve(1, &limits, exactly(60));
    let client = tokio::time::timeout(PATIENCE / 8, asking).await;
    assert!(
        client.is_err(),
        "a server that hangs has answered: {client:?}"
    );
    server.go_on();
    node.books.flushed().await;
    assert_eq!(node.standing().await, (0, 0, 0));
}

#[tokio::test]
async fn the_door_leads_to_redis() {
    let server = Server::start().await;
    let heard = Arc::new(AtomicU32::new(0));
    let ears = Arc::clone(&heard);
    let watch = move |tenant: &str, settled: &Settled| {
        assert_eq!((tenant, settled.crossings.len()), ("acme", 1));
        ears.fetch_add(1, Ordering::Relaxed);
    };
    let opening = Budgets::redis(config(&server, "a", WhenDown::Closed), Arc::new(watch));
    let (budgets, work) = opening.await.unwrap();
    let mut background = JoinSet::new();
    background.spawn(work);
    let limits = month(100, true);
    let ledger = seeding(&limits, 10);
    budgets.seed("acme", now_ms(), &ledger).await.unwrap();
    let lease = Ask::Leased {
        first: usd(40),
        floor: usd(1),
    };
    let asked = budgets.reserve("acme", now_ms(), id(1), &limits, lease);
    assert_eq!(asked.await.unwrap().exposed, usd(40));
    let extended = budgets.extend("acme", now_ms(), id(1), usd(20), usd(20));
    assert_eq!(extended.await, Ok(usd(60)));
    budgets.shrink("acme", now_ms(), id(1), usd(50)).await;
    let status = budgets.status("acme", now_ms()).await.unwrap();
    assert_eq!((status[0].spent, status[0].exposed), (usd(10), usd(50)));
    assert_eq!(budgets.open_calls(), 1);
    for _ in 0..2 {
        budgets.settle("acme", now_ms(), id(1), usd(45));
    }
    budgets.charge("acme", now_ms(), id(2), &limits, usd(5));
    budgets.flushed().await;
    assert_eq!(
        (budgets.open_calls(), heard.load(Ordering::Relaxed)),
        (0, 2)
    );
    let status = budgets.status("acme", now_ms()).await.unwrap();
    assert_eq!(
        (status[0].spent, status[0].exposed),
        (usd(60), NanoUsd::ZERO)
    );
}

#[tokio::test]
async fn a_charge_counts_once() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits = month(100, true);
    node.seed(&seeding(&limits, 0)).await;
    node.reserve(1, &limits, exactly(60)).await.unwrap();
    for number in [1, 1, 2, 2] {
        node.books
            .charge("acme", now_ms(), id(number), &limits, usd(30));
    }
    node.books.flushed().await;
    assert_eq!(node.standing().await, (60, 0, 0));
}

#[tokio::test]
async fn errands_told_twice_count_once() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits = month(100, true);
    node.seed(&seeding(&limits, 0)).await;
    let call = |number| OpenCall {
        id: id(number),
        limits: Arc::clone(&limits),
        held: usd(10),
        exposed: usd(30),
    };
    let epoch = node.books.with("acme", |tenant| tenant.epoch.clone());
    assert!(epoch.is_some());
    let another = Some(Arc::from("another life"));
    let batch = [
        Question::adopt(&call(1)),
        Question::settle(id(1), usd(20), Some(&call(1)), epoch.clone()),
        // Never adopted: told with its limits, in this life of the store and in another.
        Question::settle(id(2), usd(5), Some(&call(2)), epoch),
        Question::settle(id(3), usd(5), Some(&call(3)), another),
        Question::cancel(id(4)),
    ];
    for question in batch.iter().chain(&batch) {
        let told = node.books.ask("acme", now_ms(), question.clone()).await;
        told.unwrap();
    }
    assert_eq!(node.standing().await, (25, 0, 0));
    // A reservation that arrives after it was taken back is not made.
    let late = node.reserve(4, &limits, exactly(1)).await;
    assert_eq!(late, Err(BudgetError::NotOpen(id(4))));
}

#[tokio::test]
async fn what_is_settled_while_the_ledger_is_read_is_not_missed() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits = month(100, true);
    node.books.charge("acme", now_ms(), id(1), &limits, usd(50));
    node.books.flushed().await;
    let asked = node.reserve(2, &limits, exactly(1)).await;
    assert!(
        matches!(asked, Err(BudgetError::StoreEmpty(_))),
        "{asked:?}"
    );
    node.books.charge("acme", now_ms(), id(3), &limits, usd(3));
    node.books.flushed().await;
    // The ledger had the first, as nobody had asked yet.
    node.seed(&seeding(&limits, 50)).await;
    assert_eq!(node.standing().await, (53, 0, 0));
}

#[tokio::test]
async fn the_servers_clock_decides() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits: Arc<[Limit]> = Arc::from(vec![limit("hours", "tenant", Window::Hour, 100, true)]);
    let days_off = now_ms() - 3 * 86_400_000;
    let asked = node
        .books
        .reserve("acme", days_off, id(1), &limits, exactly(10))
        .await;
    let Err(BudgetError::StoreEmpty(missing)) = asked else {
        panic!("{asked:?}")
    };
    let since = missing[0].since_ms;
    assert!((now_ms() - since) < 2 * 3_600_000, "{since}");
    let spent = vec![(since, usd(95))];
    let account = Seed {
        scope: Arc::from("tenant"),
        window: Window::Hour,
        spent,
    };
    let ledger = Seeding {
        accounts: vec![account],
        open: Vec::new(),
    };
    node.books.seed("acme", days_off, &ledger).await.unwrap();
    let asked = node
        .books
        .reserve("acme", days_off, id(1), &limits, exactly(10))
        .await;
    let Err(BudgetError::Refused(refusal)) = asked else {
        panic!("{asked:?}")
    };
    assert!(refusal.resets_at_ms.unwrap() > since);
}

#[tokio::test]
async fn accounts_outlive_their_period_by_two_days_and_open_calls_do_not_expire() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let limits: Arc<[Limit]> = Arc::from(vec![limit("hours", "tenant", Window::Hour, 100, true)]);
    node.seed(&seeding(&limits, 0)).await;
    let account = ["PTTL", "sf1:{acme}:a:hour:tenant"];
    let day_ms = 86_400_000;
    let idle = raw(&server, &account).await;
    assert!(
        (2 * day_ms - 1000..2 * day_ms + 3_600_000).contains(&idle),
        "{idle}"
    );
    node.reserve(1, &limits, exactly(10)).await.unwrap();
    assert_eq!(raw(&server, &account).await, -1);
    assert_eq!(raw(&server, &["PTTL", "sf1:{acme}:open"]).await, -1);
    node.settle(1, 10);
    node.books.flushed().await;
    assert!(raw(&server, &account).await > day_ms);
    assert_eq!(raw(&server, &["EXISTS", "sf1:{acme}:open"]).await, 0);
}

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let memory = ["--maxmemory", "100mb", "--maxmemory-policy"];
    let evicting = Server::with(&[memory[0], memory[1], memory[2], "allkeys-lru"]).await;
    let config = |server: &Server| config(server, "a", WhenDown::Closed);
    let refused = RedisBooks::connect(config(&evicting), Arc::new(|_, _| {})).await;
    insta::assert_snapshot!(
        refused.unwrap_err(),
        @"redis has `maxmemory-policy allkeys-lru` and would evict budgets: set it to `noeviction`"
    );
    let keeping = Server::with(&[memory[0], memory[1], memory[2], "noeviction"]).await;
    let connected = RedisBooks::connect(config(&keeping), Arc::new(|_, _| {})).await;
    assert!(connected.unwrap().link.session().is_some());
    let secretive = Server::with(&["--rename-command", "CONFIG", ""]).await;
    let connected = RedisBooks::connect(config(&secretive), Arc::new(|_, _| {})).await;
    assert!(connected.unwrap().link.session().is_some());
}

#[tokio::test]
async fn caps_that_doubles_cannot_compare_are_refused() {
    let server = Server::start().await;
    let node = node(&server, "a", WhenDown::Closed).await;
    let most = 9_000_000_000_000_000;
    let asked = node.reserve(1, &month(most + 1, true), exactly(1)).await;
    insta::assert_snapshot!(
        asked.unwrap_err(),
        @"the cap of 9000000.000000001 USD of limit months is above the 9000000.00 USD that a shared store can count"
    );
    let limits = month(most, true);
    node.seed(&seeding(&limits, most - 1)).await;
    let room = node.reserve(1, &limits, exactly(1)).await.unwrap().room;
    assert_eq!(room, Some(NanoUsd::ZERO));
    assert!(node.reserve(2, &limits, exactly(1)).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_none_is_an_error() {
    let config = RedisConfig {
        url: "nonsense".to_owned(),
        ledger: "ours".to_owned(),
        node: "a".to_owned(),
        when_down: WhenDown::Closed,
        answer_within: RedisConfig::ANSWER_WITHIN,
    };
    let refused = RedisBooks::connect(config, Arc::new(|_, _| {})).await;
    assert!(matches!(refused, Err(ConnectError::Address(_))));
}

/// Asks the server directly, for a number.
async fn raw(server: &Server, words: &[&str]) -> i64 {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    let answer: redis::Value = command.query_async(&mut connection).await.unwrap();
    match answer {
        redis::Value::Int(number) => number,
        _ => 0,
    }
}
