use std::sync::Arc;

use super::*;
use crate::{
    Refusal,
    trial::{START_MS, limit, usd},
};

const DAY_MS: i64 = 86_400_000;

fn heard(limits: &[Limit], spent: u64, exposed: u64) -> Tenant {
    let mut tenant = Tenant::default();
    for limit in limits {
        let status = AccountStatus {
            scope: Arc::clone(&limit.scope),
            window: limit.window,
            period: limit.window.period(START_MS).id,
            spent: usd(spent),
            held: NanoUsd::ZERO,
            exposed: usd(exposed),
            open: 0,
        };
        tenant.learn(&status, START_MS);
    }
    tenant
}

fn absence(number: u64, ppm: u32) -> Absence {
    Absence {
        number,
        when_down: WhenDown::Share { ppm },
    }
}

fn refused(result: Result<Grant, BudgetError>) -> Refusal {
    match result {
        Err(BudgetError::Refused(refusal)) => *refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

fn step(amount: u64) -> Ask {
    Ask::Leased {
        first: usd(amount),
        floor: usd(amount),
    }
}

#[test]
fn a_share_is_of_what_neither_is_spent_nor_promised() {
    let limits: Arc<[Limit]> = Arc::from([limit("days", "tenant", Window::Day, 100, true)]);
    for (ppm, share) in [(0, 0), (250_000, 10), (1_000_000, 40), (u32::MAX, 40)] {
        let mut tenant = heard(&limits, 40, 20);
        let mut ask = |number, amount| {
            let id = ReservationId(number);
            tenant.reserve_alone(START_MS, id, &limits, step(amount), absence(1, ppm))
        };
        let refusal = refused(ask(1, share + 1));
        assert_eq!((refusal.spent, refusal.cap), (usd(40), usd(40 + share)));
        if share > 0 {
            assert_eq!(ask(2, share).unwrap().room, Some(NanoUsd::ZERO), "{ppm}");
        }
    }
}

#[test]
fn a_window_that_begins_without_the_store_has_a_share_of_its_own() {
    let limits: Arc<[Limit]> = Arc::from([limit("days", "tenant", Window::Day, 100, true)]);
    let mut tenant = heard(&limits, 90, 0);
    let half = absence(1, 500_000);
    let id = ReservationId(1);
    refused(tenant.reserve_alone(START_MS, id, &limits, step(6), half));
    let next = START_MS + DAY_MS;
    tenant
        .reserve_alone(next, id, &limits, step(50), half)
        .unwrap();
    refused(tenant.reserve_alone(next, ReservationId(2), &limits, step(1), half));
}

#[test]
fn what_is_heard_in_an_absence_changes_no_share_before_the_next() {
    let limits: Arc<[Limit]> = Arc::from([limit("days", "tenant", Window::Day, 100, true)]);
    let mut tenant = heard(&limits, 0, 0);
    let all = |number| absence(number, 1_000_000);
    tenant
        .reserve_alone(START_MS, ReservationId(1), &limits, step(100), all(1))
        .unwrap();
    tenant.known = heard(&limits, 50, 0).known;
    refused(tenant.reserve_alone(START_MS, ReservationId(2), &limits, step(1), all(1)));
    tenant
        .reserve_alone(START_MS, ReservationId(3), &limits, step(50), all(2))
        .unwrap();
    refused(tenant.reserve_alone(START_MS, ReservationId(4), &limits, step(1), all(2)));
}

#[test]
fn a_call_of_the_store_is_extended_by_what_it_needs_beyond() {
    let limits: Arc<[Limit]> = Arc::from([limit("days", "tenant", Window::Day, 100, true)]);
    let mut tenant = heard(&limits, 0, 60);
    let id = ReservationId(1);
    let grant = Grant {
        held: usd(60),
        exposed: usd(60),
        room: None,
        store_down: false,
    };
    tenant.stored(id, &limits, grant);
    let half = absence(1, 500_000);
    let extended = tenant.extend_alone(START_MS, id, usd(30), usd(1), half);
    assert_eq!(extended, Ok(usd(80)));
    assert_eq!(tenant.call(id).unwrap().exposed, usd(80));
    let ended = tenant.end(START_MS, id, usd(75)).unwrap();
    assert!(ended.unstored.is_none());
    let next = ReservationId(2);
    tenant
        .reserve_alone(START_MS, next, &limits, step(5), half)
        .unwrap();
    refused(tenant.reserve_alone(START_MS, ReservationId(3), &limits, step(1), half));
}
