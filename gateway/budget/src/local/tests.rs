use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use skinflint_money::NanoUsd;

use super::{LocalBooks, Lock};
use crate::{
    Ask, Book, BudgetError, Limit, ReservationId, Window,
    trial::{self, START_MS, limit, usd},
};

const CENT: u64 = 10_000_000;

/// The model checker's lock: it tries every order in which threads can take it.
struct Checked<T>(loom::sync::Mutex<T>);

impl<T> Lock<T> for Checked<T> {
    fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.0.lock().unwrap())
    }
}

fn one_limit(cap: u64) -> Arc<[Limit]> {
    Arc::from(vec![limit("days", "tenant", Window::Day, cap, true)])
}

fn exactly(amount: u64) -> Ask {
    Ask::Whole {
        likely: usd(amount),
        worst: usd(amount),
        floor: usd(amount),
    }
}

fn taken<L: Lock<Book>>(books: &LocalBooks<L>) -> (NanoUsd, NanoUsd) {
    let all = books.status("acme", START_MS);
    (all[0].spent, all[0].exposed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_calls_of_a_cent_fit_a_dollar_a_hundred_times() {
    let books = Arc::new(<LocalBooks>::new());
    let limits = one_limit(100 * CENT);
    books.seed("acme", START_MS, &trial::seeding(&limits));
    let admitted = Arc::new(AtomicUsize::new(0));
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..10_000 {
        let (books, limits, admitted) = (
            Arc::clone(&books),
            Arc::clone(&limits),
            Arc::clone(&admitted),
        );
        calls.spawn(async move {
            let id = ReservationId(number);
            if books
                .reserve("acme", START_MS, id, &limits, exactly(CENT))
                .is_ok()
            {
                admitted.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                books.settle("acme", START_MS, id, usd(CENT));
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    assert_eq!(admitted.load(Ordering::Relaxed), 100);
    assert_eq!(taken(&books), (usd(100 * CENT), NanoUsd::ZERO));
    assert_eq!(books.open_calls(), 0);
}

#[test]
fn tenants_share_nothing() {
    let books = <LocalBooks>::new();
    let limits = one_limit(10);
    for tenant in ["acme", "zenith"] {
        books.seed(tenant, START_MS, &trial::seeding(&limits));
        books
            .reserve(tenant, START_MS, ReservationId(1), &limits, exactly(10))
            .unwrap();
    }
    books.settle("acme", START_MS, ReservationId(1), usd(10));
    assert_eq!(books.open_calls(), 1);
    books.settle("zenith", START_MS, ReservationId(1), usd(1));
    assert_eq!(taken(&books), (usd(10), NanoUsd::ZERO));
    books.forget_idle(START_MS + 1);
    let again = books.reserve("acme", START_MS, ReservationId(2), &limits, exactly(10));
    assert!(matches!(again, Err(BudgetError::Unseeded(_))));
}

#[test]
fn in_every_order_of_three_calls_two_fit() {
    loom::model(|| {
        let books = loom::sync::Arc::new(LocalBooks::<Checked<Book>>::new());
        let limits = one_limit(25);
        books.seed("acme", START_MS, &trial::seeding(&limits));
        let calls: Vec<_> = (0..2_u128)
            .map(|number| {
                let (books, limits) = (loom::sync::Arc::clone(&books), Arc::clone(&limits));
                loom::thread::spawn(move || call(&books, &limits, number))
            })
            .collect();
        let third = ReservationId(2);
        let mut admitted = usize::from(
            books
                .reserve("acme", START_MS, third, &limits, exactly(10))
                .is_ok(),
        );
        let (spent, exposed) = taken(&books);
        assert!(spent.saturating_add(exposed) <= usd(25));
        books.settle("acme", START_MS, third, usd(10));
        for thread in calls {
            admitted += usize::from(thread.join().unwrap());
        }
        assert_eq!(admitted, 2);
        assert_eq!(taken(&books), (usd(20), NanoUsd::ZERO));
    });
}

/// Reserves, and settles at the whole price.
fn call(books: &LocalBooks<Checked<Book>>, limits: &Arc<[Limit]>, number: u128) -> bool {
    let id = ReservationId(number);
    let admitted = books
        .reserve("acme", START_MS, id, limits, exactly(10))
        .is_ok();
    books.settle("acme", START_MS, id, usd(10));
    admitted
}

#[test]
fn in_every_order_a_lease_takes_what_others_leave() {
    loom::model(|| {
        let books = loom::sync::Arc::new(LocalBooks::<Checked<Book>>::new());
        let limits = one_limit(30);
        books.seed("acme", START_MS, &trial::seeding(&limits));
        let stream = {
            let (books, limits) = (loom::sync::Arc::clone(&books), Arc::clone(&limits));
            loom::thread::spawn(move || {
                let id = ReservationId(1);
                let ask = Ask::Leased {
                    first: usd(10),
                    floor: usd(1),
                };
                let mut exposed = books
                    .reserve("acme", START_MS, id, &limits, ask)
                    .map_or(NanoUsd::ZERO, |grant| grant.exposed);
                if let Ok(more) = books.extend("acme", START_MS, id, usd(15), usd(1)) {
                    exposed = more;
                }
                books.settle("acme", START_MS, id, exposed);
                exposed
            })
        };
        let id = ReservationId(2);
        let whole = books
            .reserve("acme", START_MS, id, &limits, exactly(20))
            .is_ok();
        let (spent, exposed) = taken(&books);
        assert!(spent.saturating_add(exposed) <= usd(30));
        books.settle("acme", START_MS, id, usd(20));
        let streamed = stream.join().unwrap();
        let (spent, exposed) = taken(&books);
        assert_eq!(
            spent,
            streamed.saturating_add(usd(if whole { 20 } else { 0 }))
        );
        assert_eq!(exposed, NanoUsd::ZERO);
        assert!(spent <= usd(30));
    });
}

#[test]
fn in_every_order_an_unseeded_account_admits_nobody() {
    loom::model(|| {
        let books = loom::sync::Arc::new(LocalBooks::<Checked<Book>>::new());
        let limits = one_limit(10);
        let first = {
            let (books, limits) = (loom::sync::Arc::clone(&books), Arc::clone(&limits));
            loom::thread::spawn(move || seed_and_call(&books, &limits, 1))
        };
        let second = seed_and_call(&books, &limits, 2);
        // The ledger says 4 are spent: one call of 5 fits, however often that is told.
        assert_eq!(usize::from(first.join().unwrap()) + usize::from(second), 1);
        assert_eq!(taken(&books), (usd(9), NanoUsd::ZERO));
    });
}

fn seed_and_call(books: &LocalBooks<Checked<Book>>, limits: &Arc<[Limit]>, number: u128) -> bool {
    let id = ReservationId(number);
    let mut asked = books.reserve("acme", START_MS, id, limits, exactly(5));
    if let Err(BudgetError::Unseeded(_)) = asked {
        let mut seeding = trial::seeding(limits);
        seeding.accounts[0].spent.push((START_MS, usd(4)));
        books.seed("acme", START_MS, &seeding);
        asked = books.reserve("acme", START_MS, id, limits, exactly(5));
    }
    books.settle("acme", START_MS, id, usd(5));
    asked.is_ok()
}
