use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use skinflint_money::NanoUsd;

use super::Book;
use crate::{
    Ask, BudgetError, Limit, Missing, OpenCall, ReservationId, Seed, Seeding, Window,
    trial::{self, Action, Model, Outcome, Run, START_MS, limit, usd},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn id(number: u128) -> ReservationId {
    ReservationId(number)
}

fn whole(likely: u64, worst: u64, floor: u64) -> Ask {
    Ask::Whole {
        likely: usd(likely),
        worst: usd(worst),
        floor: usd(floor),
    }
}

fn leased(first: u64, floor: u64) -> Ask {
    Ask::Leased {
        first: usd(first),
        floor: usd(floor),
    }
}

fn limits<const N: usize>(limits: [Limit; N]) -> Arc<[Limit]> {
    Arc::from(limits)
}

fn seeded(limits: &[Limit]) -> Book {
    let mut book = Book::new();
    book.seed(START_MS, &trial::seeding(limits));
    book
}

/// Spent, held and exposed of the first account.
fn standing(book: &mut Book, now_ms: i64) -> (u64, u64, u64) {
    let all = book.status(now_ms);
    let first = all.first().expect("an account");
    (first.spent.get(), first.held.get(), first.exposed.get())
}

fn refused(result: Result<impl std::fmt::Debug, BudgetError>) -> crate::Refusal {
    match result {
        Err(BudgetError::Refused(refusal)) => *refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

#[test]
fn the_likely_cost_is_held_while_the_worst_case_fits() {
    let limits = limits([limit("days", "tenant", Window::Day, 100, true)]);
    let mut book = seeded(&limits);
    let grant = book
        .reserve(START_MS, id(1), &limits, whole(10, 60, 20))
        .unwrap();
    assert_eq!(
        (grant.held, grant.exposed, grant.room),
        (usd(10), usd(60), Some(usd(40)))
    );
    let near = book
        .reserve(START_MS, id(2), &limits, whole(10, 60, 20))
        .unwrap();
    assert_eq!(
        (near.held, near.exposed, near.room),
        (usd(40), usd(40), Some(NanoUsd::ZERO))
    );
    assert_eq!(standing(&mut book, START_MS), (0, 50, 100));
    book.settle(START_MS, id(1), usd(15));
    assert_eq!(standing(&mut book, START_MS), (15, 40, 40));
}

#[test]
fn a_refusal_says_which_limit_and_when_it_resets() {
    let limits = limits([
        limit("months", "tenant", Window::Month, 1000, true),
        limit("days", "tenant", Window::Day, 100, true),
    ]);
    let mut book = seeded(&limits);
    book.reserve(START_MS, id(1), &limits, whole(5, 70, 70))
        .unwrap();
    book.settle(START_MS, id(1), usd(70));
    book.reserve(START_MS, id(2), &limits, whole(5, 20, 20))
        .unwrap();
    let refusal = refused(book.reserve(START_MS, id(3), &limits, whole(5, 12, 11)));
    assert_eq!(refusal.resets_at_ms, Some(START_MS + 30 * MINUTE));
    insta::assert_snapshot!(
        refusal,
        @"limit days on tenant per day has 0.00000007 of 0.0000001 USD spent and 0.00000002 USD promised to open calls: no room for 0.000000012 USD"
    );
    // Nothing of a refused call stays anywhere.
    assert!(
        book.status(START_MS)
            .iter()
            .all(|account| account.open == 1)
    );
}

#[test]
fn a_stream_leases_until_nothing_useful_is_left() {
    let limits = limits([limit("task", "task:1", Window::Task, 100, true)]);
    let mut book = seeded(&limits);
    let grant = book
        .reserve(START_MS, id(1), &limits, leased(40, 10))
        .unwrap();
    assert_eq!((grant.held, grant.exposed), (usd(40), usd(40)));
    assert_eq!(book.extend(START_MS, id(1), usd(40), usd(1)), Ok(usd(80)));
    assert_eq!(book.extend(START_MS, id(1), usd(40), usd(5)), Ok(usd(100)));
    let refusal = refused(book.extend(START_MS, id(1), usd(40), usd(1)));
    assert_eq!(
        (refusal.wanted, refusal.least, refusal.resets_at_ms),
        (usd(40), usd(1), None)
    );
    book.shrink(id(1), usd(70));
    assert_eq!(standing(&mut book, START_MS), (0, 70, 70));
    book.settle(START_MS, id(1), usd(65));
    assert_eq!(
        book.extend(START_MS, id(1), usd(1), usd(1)),
        Err(BudgetError::NotOpen(id(1)))
    );
}

#[test]
fn a_second_settlement_changes_nothing() {
    let limits = limits([
        limit("days", "tenant", Window::Day, 100, true),
        limit("warning", "tenant", Window::Day, 50, false),
    ]);
    let mut book = seeded(&limits);
    book.reserve(START_MS, id(1), &limits, whole(5, 60, 60))
        .unwrap();
    let settled = book.settle(START_MS, id(1), usd(60));
    let crossings: Vec<(&str, u64, u64, u64)> = settled
        .crossings
        .iter()
        .map(|crossing| {
            let amounts = [crossing.spent_before, crossing.spent_after, crossing.cap];
            let [before, after, cap] = amounts.map(NanoUsd::get);
            (&*crossing.limit, before, after, cap)
        })
        .collect();
    assert_eq!(crossings, [("days", 0, 60, 100), ("warning", 0, 60, 50)]);
    assert_eq!(book.settle(START_MS, id(1), usd(60)).crossings, []);
    assert_eq!(standing(&mut book, START_MS), (60, 0, 0));
    assert_eq!(book.open_calls(), 0);
}

#[test]
fn a_charge_counts_once_and_ends_a_reservation_of_its_id() {
    let limits = limits([limit("days", "tenant", Window::Day, 100, true)]);
    let mut book = seeded(&limits);
    for _ in 0..2 {
        book.charge(START_MS, id(7), &limits, usd(30));
    }
    assert_eq!(standing(&mut book, START_MS), (30, 0, 0));
    book.reserve(START_MS, id(8), &limits, whole(5, 60, 60))
        .unwrap();
    book.charge(START_MS, id(8), &limits, usd(20));
    assert_eq!(standing(&mut book, START_MS), (50, 0, 0));
}

#[test]
fn soft_limits_count_and_never_refuse() {
    let limits = limits([limit("warning", "tenant", Window::Day, 10, false)]);
    let mut book = seeded(&limits);
    for number in 0..5 {
        let grant = book
            .reserve(START_MS, id(number), &limits, whole(9, 9, 9))
            .unwrap();
        assert_eq!((grant.exposed, grant.room), (usd(9), None));
        book.settle(START_MS, id(number), usd(9));
    }
    assert_eq!(standing(&mut book, START_MS), (45, 0, 0));
}

#[test]
fn a_cap_lowered_below_what_is_spent_refuses_even_what_is_free() {
    let wide = limits([limit("days", "tenant", Window::Day, 100, true)]);
    let narrow = limits([limit("days", "tenant", Window::Day, 40, true)]);
    let mut book = seeded(&wide);
    book.charge(START_MS, id(1), &wide, usd(50));
    refused(book.reserve(START_MS, id(2), &narrow, whole(0, 0, 0)));
    assert!(
        book.reserve(START_MS, id(3), &wide, whole(50, 50, 50))
            .is_ok()
    );
}

#[test]
fn an_open_stream_is_held_against_the_window_that_it_runs_into() {
    let limits = limits([limit("hours", "tenant", Window::Hour, 100, true)]);
    let mut book = seeded(&limits);
    book.reserve(START_MS, id(1), &limits, whole(30, 70, 70))
        .unwrap();
    book.charge(START_MS, id(9), &limits, usd(30));
    let later = START_MS + 31 * MINUTE;
    let refusal = refused(book.reserve(later, id(2), &limits, whole(40, 40, 40)));
    assert_eq!((refusal.spent, refusal.exposed), (NanoUsd::ZERO, usd(70)));
    book.settle(later, id(1), usd(65));
    assert_eq!(standing(&mut book, later), (65, 0, 0));
}

#[test]
fn clock_steps_reopen_no_window() {
    let limits = limits([limit("hours", "tenant", Window::Hour, 100, true)]);
    let mut book = seeded(&limits);
    book.charge(START_MS, id(1), &limits, usd(90));
    // An hour forward opens the next window; back again, that one stays in force, with what is spent in it.
    book.reserve(START_MS + HOUR, id(2), &limits, whole(80, 80, 80))
        .unwrap();
    book.settle(START_MS, id(2), usd(80));
    assert_eq!(standing(&mut book, START_MS), (80, 0, 0));
    let refusal = refused(book.reserve(START_MS, id(3), &limits, whole(30, 30, 30)));
    assert_eq!(refusal.resets_at_ms, Some(START_MS + HOUR + 30 * MINUTE));
    refused(book.reserve(START_MS + HOUR, id(3), &limits, whole(30, 30, 30)));
    // An hour back at first refills nothing either.
    refused(book.reserve(START_MS - HOUR, id(3), &limits, whole(30, 30, 30)));
    assert!(
        book.reserve(START_MS + 2 * HOUR, id(3), &limits, whole(30, 30, 30))
            .is_ok()
    );
}

#[test]
fn a_rolling_window_forgets_bucket_by_bucket() {
    let window = Window::Rolling(Duration::from_hours(1));
    let limits = limits([limit("rolling", "tenant", window, 100, true)]);
    let mut book = seeded(&limits);
    book.charge(START_MS, id(1), &limits, usd(60));
    book.charge(START_MS + 30 * MINUTE, id(2), &limits, usd(40));
    let refusal = refused(book.reserve(START_MS + 59 * MINUTE, id(3), &limits, leased(1, 1)));
    assert_eq!(refusal.resets_at_ms, Some(START_MS + 61 * MINUTE));
    refused(book.reserve(START_MS + HOUR, id(3), &limits, leased(1, 1)));
    assert_eq!(standing(&mut book, START_MS + 61 * MINUTE), (40, 0, 0));
    assert_eq!(standing(&mut book, START_MS + 60 * MINUTE), (40, 0, 0));
    assert_eq!(standing(&mut book, START_MS + 91 * MINUTE), (0, 0, 0));
}

#[test]
fn accounts_ask_to_be_seeded_and_take_it_once() {
    let limits = limits([limit("days", "tenant", Window::Day, 100, true)]);
    let mut book = Book::new();
    let asked = book.reserve(START_MS, id(1), &limits, whole(5, 5, 5));
    let midnight = Window::Day.period(START_MS).start_ms;
    let missing = Missing {
        scope: Arc::from("tenant"),
        window: Window::Day,
        since_ms: midnight,
    };
    assert_eq!(asked, Err(BudgetError::Unseeded(vec![missing])));
    let seed = |spent: u64| Seeding {
        accounts: vec![Seed {
            scope: Arc::from("tenant"),
            window: Window::Day,
            spent: vec![(midnight - 1, usd(1000)), (midnight, usd(spent))],
        }],
        open: Vec::new(),
    };
    // What is settled while somebody reads the ledger may have come too late for that.
    book.charge(START_MS, id(9), &limits, usd(3));
    book.seed(START_MS, &seed(90));
    book.seed(START_MS, &seed(90));
    book.reserve(START_MS, id(1), &limits, whole(5, 5, 5))
        .unwrap();
    book.seed(START_MS, &seed(0));
    assert_eq!(standing(&mut book, START_MS), (93, 5, 5));
}

#[test]
fn an_adopted_call_is_exposed_before_its_account_is_seeded() {
    let limits = limits([limit("days", "tenant", Window::Day, 100, true)]);
    let mut book = Book::new();
    let call = OpenCall {
        id: id(1),
        limits: Arc::clone(&limits),
        held: usd(10),
        exposed: usd(80),
    };
    book.adopt(START_MS, &call);
    book.adopt(START_MS, &call);
    book.seed(START_MS, &trial::seeding(&limits));
    assert_eq!(standing(&mut book, START_MS), (0, 10, 80));
    refused(book.reserve(START_MS, id(2), &limits, whole(30, 30, 30)));
    book.settle(START_MS, id(1), usd(70));
    assert_eq!(standing(&mut book, START_MS), (70, 0, 0));
}

#[test]
fn memory_is_bounded_by_what_is_open_or_recent() {
    let mut book = Book::new();
    for task in 0..1000_u128 {
        let now = START_MS + i64::try_from(task).unwrap();
        let limits = limits([limit(
            "task",
            &format!("task:{task}"),
            Window::Task,
            100,
            true,
        )]);
        book.seed(now, &trial::seeding(&limits));
        book.reserve(now, id(task), &limits, whole(1, 1, 1))
            .unwrap();
        if task != 5 {
            book.settle(now, id(task), usd(1));
        }
    }
    book.status(START_MS + HOUR);
    book.forget_idle(START_MS + 990);
    assert_eq!(book.accounts(), 11);
    let limits = limits([limit("task", "task:7", Window::Task, 100, true)]);
    let again = book.reserve(START_MS, id(5000), &limits, whole(1, 1, 1));
    assert!(matches!(again, Err(BudgetError::Unseeded(missing)) if missing[0].since_ms == 0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn every_history_keeps_every_hard_cap(ops in trial::history(60)) {
        let limits = trial::all_limits();
        let (mut book, mut model, mut run) = (seeded(&limits), Model::new(&limits), Run::new());
        for op in &ops {
            let Some(action) = run.action(op) else { continue };
            let outcome = trial::act(&mut book, run.now_ms, &action);
            let expected = model.act(run.now_ms, &action);
            match &outcome {
                Outcome::Granted { held, exposed, .. } => {
                    prop_assert_eq!(Some((held.get(), exposed.get())), expected);
                }
                Outcome::Exposed(exposed) => {
                    prop_assert_eq!(Some(exposed.get()), expected.map(|(_, exposed)| exposed));
                }
                Outcome::Refused(refusal) => {
                    prop_assert_eq!(None, expected);
                    let room = refusal.cap.checked_sub(refusal.spent.saturating_add(refusal.exposed));
                    prop_assert!(room.is_none_or(|room| room < refusal.wanted));
                }
                Outcome::Settled(_) | Outcome::Done => {}
                Outcome::Other(error) => prop_assert!(false, "{}", error),
            }
            if !matches!(action, Action::Settle { .. }) || expected.is_some() {
                run.observe(&action, &outcome);
            }
            for limit in &limits {
                let (spent, exposed) = (model.spent(limit), model.exposed(limit));
                prop_assert!(!limit.hard || spent + exposed <= limit.cap.get(), "{:?}", limit);
            }
        }
        // A look at a moment that has passed for every account changes none of them.
        let long_ago = START_MS - 400 * 24 * HOUR;
        for account in book.status(long_ago) {
            let limit = limits
                .iter()
                .find(|limit| limit.scope == account.scope && limit.window == account.window)
                .unwrap();
            prop_assert_eq!(account.exposed.get(), model.exposed(limit));
            prop_assert_eq!(account.spent.get(), model.spent(limit));
        }
    }
}
