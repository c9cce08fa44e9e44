//! Calls whose process has ended, in histories that move the server's clock.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Server, config, exactly, id, month, raw};
use crate::{
    BudgetError, Limit, OpenCall, RedisBooks, ReservationId, Seeding, WhenDown,
    trial::{self, START_MS, usd},
};

/// A process counts as ended when nothing is heard of it for so long.
const GONE_MS: i64 = 60_000;

/// A gateway with one tenant, told the time.
struct Process {
    books: Arc<RedisBooks>,
    /// Ends with the process.
    _work: JoinSet<()>,
}

impl Process {
    async fn start(server: &Server, ledger: &str, name: &str) -> Self {
        Self::with(server, ledger, name, WhenDown::Closed).await
    }

    async fn with(server: &Server, ledger: &str, name: &str, when_down: WhenDown) -> Self {
        let mut config = config(server, name, when_down);
        ledger.clone_into(&mut config.ledger);
        let connecting = RedisBooks::connect(config, Arc::new(|_, _| {}));
        let mut books = connecting.await.unwrap();
        books.test_clock = true;
        let books = Arc::new(books);
        let courier = Arc::clone(&books);
        let mut work = JoinSet::new();
        work.spawn(async move { courier.run().await });
        books.link.changes_to(true).await;
        Self { books, _work: work }
    }

    async fn seed(&self, seeding: &Seeding) {
        self.books.seed("acme", START_MS, seeding).await.unwrap();
    }

    async fn reserve(&self, at_ms: i64, number: u128, limits: &Arc<[Limit]>, amount: u64) {
        let asked = self
            .books
            .reserve("acme", at_ms, id(number), limits, exactly(amount));
        asked.await.unwrap();
    }

    async fn settle(&self, at_ms: i64, number: u128, actual: u64) {
        self.books.settle("acme", at_ms, id(number), usd(actual));
        self.books.flushed().await;
    }

    async fn settle_stray(&self, at_ms: i64, number: u128, actual: u64) {
        self.books
            .settle_stray("acme", at_ms, id(number), usd(actual));
        self.books.flushed().await;
    }

    async fn strays(&self, at_ms: i64) -> Vec<ReservationId> {
        let mut strays = self.books.strays("acme", at_ms).await.unwrap();
        strays.sort();
        strays
    }

    /// Spent, exposed and open of the only account.
    async fn standing(&self, at_ms: i64) -> (u64, u64, u64) {
        let status = self.books.status("acme", at_ms).await.unwrap();
        let [account] = status.as_slice() else {
            panic!("expected one account: {status:?}")
        };
        (account.spent.get(), account.exposed.get(), account.open)
    }

    /// As if the time for it had come.
    async fn beat(&self) {
        let session = self.books.link.session().unwrap();
        self.books.beat(&session).await.unwrap();
    }
}

#[tokio::test]
async fn open_calls_of_a_process_that_has_ended_are_strays_after_a_minute() {
    let server = Server::start().await;
    let dead = Process::start(&server, "ours", "dead").await;
    let alive = Process::start(&server, "ours", "alive").await;
    let limits = month(100, true);
    alive.seed(&trial::seeding(&limits)).await;
    dead.reserve(START_MS, 1, &limits, 30).await;
    dead.reserve(START_MS, 2, &limits, 40).await;
    dead.reserve(START_MS, 3, &limits, 10).await;
    dead.settle(START_MS, 3, 10).await;
    drop(dead);
    alive.reserve(START_MS, 4, &limits, 20).await;
    let gone = START_MS + GONE_MS;
    assert_eq!(alive.strays(gone - 1).await, []);
    // What asks says that it lives by beating; asking alone is no sign of it.
    alive.beat().await;
    assert_eq!(alive.strays(gone).await, [id(1), id(2)]);
    assert_eq!(alive.standing(gone).await, (10, 90, 3));
    // One is unknown to the ledger, the other was settled there.
    for _ in 0..2 {
        alive.settle_stray(gone, 1, 0).await;
        alive.settle_stray(gone, 2, 25).await;
    }
    assert_eq!(alive.standing(gone).await, (35, 20, 1));
    assert_eq!(alive.strays(gone).await, []);
    alive.settle(gone, 4, 20).await;
    assert_eq!(alive.standing(gone).await, (55, 0, 0));
    assert_eq!(alive.strays(gone + GONE_MS).await, []);
    for key in ["nodes", "open", "of:ours/alive", "of:ours/dead"] {
        let key = format!("sf1:{{acme}}:{key}");
        assert_eq!(raw(&server, &["EXISTS", &key]).await, 0, "{key}");
    }
}

#[tokio::test]
async fn a_process_that_beats_has_no_strays_however_long_its_calls_take() {
    let server = Server::start().await;
    let (busy, other) = (
        Process::start(&server, "ours", "busy").await,
        Process::start(&server, "ours", "other").await,
    );
    let limits = month(100, true);
    busy.seed(&trial::seeding(&limits)).await;
    busy.reserve(START_MS, 1, &limits, 30).await;
    for minutes in 1..5 {
        let now = START_MS + minutes * GONE_MS;
        // The beat is told by the latest moment that the process knows.
        busy.standing(now - 1).await;
        busy.beat().await;
        assert_eq!(other.strays(now).await, []);
    }
    // A process that was idle for long lives when it calls again.
    busy.settle(START_MS + 5 * GONE_MS, 1, 30).await;
    let late = START_MS + 60 * GONE_MS;
    busy.reserve(late, 2, &limits, 30).await;
    assert_eq!(other.strays(late + 1).await, []);
    assert_eq!(other.strays(late + GONE_MS).await, [id(2)]);
}

#[tokio::test]
async fn a_process_that_was_only_slow_adds_what_goes_beyond() {
    let server = Server::start().await;
    let (slow, other) = (
        Process::start(&server, "ours", "slow").await,
        Process::start(&server, "ours", "other").await,
    );
    let limits = month(100, true);
    slow.seed(&trial::seeding(&limits)).await;
    for number in [1, 2, 3] {
        slow.reserve(START_MS, number, &limits, 20).await;
    }
    let gone = START_MS + GONE_MS;
    assert_eq!(other.strays(gone).await, [id(1), id(2), id(3)]);
    other.settle_stray(gone, 1, 0).await;
    other.settle_stray(gone, 2, 20).await;
    other.settle_stray(gone, 3, 5).await;
    assert_eq!(slow.standing(gone).await, (25, 0, 0));
    let extended = slow
        .books
        .extend("acme", gone, id(1), usd(10), usd(1))
        .await;
    assert_eq!(extended, Err(BudgetError::NotOpen(id(1))));
    for _ in 0..2 {
        for number in [1, 2, 3] {
            slow.settle(gone, number, 15).await;
        }
    }
    // 15 beyond nothing, nothing beyond 20, and 10 beyond 5.
    assert_eq!(slow.standing(gone).await, (50, 0, 0));
    // The ledger has settled one at its upper bound later.
    other.settle_stray(gone, 1, 18).await;
    assert_eq!(slow.standing(gone).await, (53, 0, 0));
}

#[tokio::test]
async fn only_who_has_the_ledger_of_a_call_finds_it_a_stray() {
    let server = Server::start().await;
    let (theirs, ours) = (
        Process::start(&server, "theirs", "a").await,
        Process::start(&server, "ours", "a").await,
    );
    let limits = month(100, true);
    ours.seed(&trial::seeding(&limits)).await;
    theirs.reserve(START_MS, 1, &limits, 30).await;
    ours.reserve(START_MS, 2, &limits, 30).await;
    let gone = START_MS + GONE_MS;
    assert_eq!(ours.strays(gone).await, [id(2)]);
    assert_eq!(theirs.strays(gone).await, [id(1)]);
}

#[tokio::test]
async fn calls_from_the_ledger_are_nobodys_until_their_process_claims_them() {
    let server = Server::start().await;
    let (owner, other) = (
        Process::start(&server, "ours", "owner").await,
        Process::start(&server, "ours", "other").await,
    );
    let limits = month(100, true);
    owner.seed(&trial::seeding(&limits)).await;
    owner.reserve(START_MS, 1, &limits, 30).await;
    raw(&server, &["FLUSHALL"]).await;
    let open = |number| OpenCall {
        id: id(number),
        limits: Arc::clone(&limits),
        held: usd(30),
        exposed: usd(30),
    };
    let mut ledger = trial::seeding(&limits);
    ledger.open.extend([open(1), open(2)]);
    other.seed(&ledger).await;
    // The owner hears that the store has begun anew, and puts back what it has open.
    assert_eq!(owner.standing(START_MS).await, (0, 60, 2));
    owner.books.flushed().await;
    let gone = START_MS + GONE_MS;
    owner.standing(gone).await;
    owner.beat().await;
    assert_eq!(other.strays(gone).await, [id(2)]);
    other.settle_stray(gone, 2, 30).await;
    owner.settle(gone, 1, 10).await;
    assert_eq!(other.standing(gone).await, (40, 0, 0));
}

#[tokio::test]
async fn what_is_taken_over_counts_once_where_redis_has_every_call() {
    let server = Server::start().await;
    let share = WhenDown::Share { ppm: 500_000 };
    // Where calls go out without Redis, it may never have heard of one: rather twice than never.
    for (name, when_down, spent) in [("a", WhenDown::Closed, 30), ("b", share, 50)] {
        let limits = month(100, true);
        let process = Process::with(&server, name, name, when_down).await;
        raw(&server, &["FLUSHALL"]).await;
        process.seed(&trial::seeding(&limits)).await;
        process.reserve(START_MS, 1, &limits, 20).await;
        process.reserve(START_MS, 2, &limits, 20).await;
        process.settle(START_MS, 1, 10).await;
        for number in [1, 1, 2, 2] {
            let books = &process.books;
            books.take_over("acme", START_MS, id(number), &limits, usd(20));
        }
        process.books.flushed().await;
        assert_eq!(process.standing(START_MS).await, (spent, 0, 0));
    }
}
