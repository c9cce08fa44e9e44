//! Random histories of one tenant, and a model of the rules that is too plain to be wrong.

mod model;

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use skinflint_money::NanoUsd;

pub(crate) use self::model::Model;
use crate::{
    Ask, Book, BudgetError, Limit, Refusal, ReservationId, Seed, Seeding, Settled, Window,
};

/// 2026-01-31T23:30:00Z: a month, a day and an hour are about to end.
pub(crate) const START_MS: i64 = 1_769_902_200_000;

const HOUR: Duration = Duration::from_hours(1);

/// A step of a history; numbers choose among what there is.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Reserve {
        limits: u8,
        whole: bool,
        likely: u64,
        wanted: u64,
        floor: u64,
    },
    Extend {
        which: usize,
        by: u64,
        at_least: u64,
    },
    Shrink {
        which: usize,
        percent: u64,
    },
    /// 0 cancels; 100 is what a crash or an expiry books.
    Settle {
        which: usize,
        percent: u64,
    },
    SettleAgain,
    Clock {
        minutes: i64,
    },
}

/// What a book is asked.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Reserve {
        id: ReservationId,
        limits: Arc<[Limit]>,
        ask: Ask,
    },
    Extend {
        id: ReservationId,
        by: NanoUsd,
        at_least: NanoUsd,
    },
    Shrink {
        id: ReservationId,
        exposed: NanoUsd,
    },
    Settle {
        id: ReservationId,
        actual: NanoUsd,
    },
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Granted {
        held: NanoUsd,
        exposed: NanoUsd,
        room: Option<NanoUsd>,
    },
    Exposed(NanoUsd),
    Refused(Refusal),
    Settled(Settled),
    Other(BudgetError),
    Done,
}

/// A history under way: the time, and the calls that are open.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) now_ms: i64,
    next: u128,
    open: Vec<(ReservationId, NanoUsd)>,
    last: Option<ReservationId>,
}

pub(crate) fn usd(nano: u64) -> NanoUsd {
    NanoUsd::new(nano)
}

pub(crate) fn limit(name: &str, scope: &str, window: Window, cap: u64, hard: bool) -> Limit {
    Limit {
        name: Arc::from(name),
        scope: Arc::from(scope),
        window,
        cap: usd(cap),
        hard,
    }
}

/// Everything that a call can fall under here.
pub(crate) fn all_limits() -> Vec<Limit> {
    vec![
        limit("days", "tenant", Window::Day, 100, true),
        limit("tight", "task:1", Window::Task, 150, true),
        limit("rolling", "tenant", Window::Rolling(HOUR), 80, true),
        limit("warning", "tenant", Window::Day, 20, false),
        limit("hours", "agent:1/a", Window::Hour, 40, true),
        limit("months", "key:k", Window::Month, 300, true),
        limit("soft", "model:m", Window::Day, 20, false),
    ]
}

/// Nothing was spent before, on any account.
pub(crate) fn seeding(limits: &[Limit]) -> Seeding {
    let accounts = limits.iter().map(|limit| Seed {
        scope: Arc::clone(&limit.scope),
        window: limit.window,
        spent: Vec::new(),
    });
    Seeding {
        accounts: accounts.collect(),
        open: Vec::new(),
    }
}

pub(crate) fn history(length: usize) -> impl Strategy<Value = Vec<Op>> {
    let step = prop_oneof![
        4 => (1_u8..128, any::<bool>(), 0_u64..30, 0_u64..60, 0_u64..30).prop_map(
            |(limits, whole, likely, wanted, floor)| Op::Reserve { limits, whole, likely, wanted, floor },
        ),
        2 => (any::<usize>(), 0_u64..30, 0_u64..15)
            .prop_map(|(which, by, at_least)| Op::Extend { which, by, at_least }),
        1 => (any::<usize>(), 0_u64..=100).prop_map(|(which, percent)| Op::Shrink { which, percent }),
        3 => (any::<usize>(), prop_oneof![Just(0_u64), Just(100), 0_u64..=100])
            .prop_map(|(which, percent)| Op::Settle { which, percent }),
        1 => Just(Op::SettleAgain),
        2 => prop_oneof![
            Just(60_i64), Just(-60), Just(1), Just(31), Just(24 * 60), Just(31 * 24 * 60), -90_i64..90
        ]
        .prop_map(|minutes| Op::Clock { minutes }),
    ];
    prop::collection::vec(step, 1..length)
}

pub(crate) fn outcome<T>(
    result: Result<T, BudgetError>,
    granted: impl FnOnce(T) -> Outcome,
) -> Outcome {
    match result {
        Ok(value) => granted(value),
        Err(BudgetError::Refused(refusal)) => Outcome::Refused(*refusal),
        Err(other) => Outcome::Other(other),
    }
}

pub(crate) fn act(book: &mut Book, now_ms: i64, action: &Action) -> Outcome {
    match action {
        Action::Reserve { id, limits, ask } => {
            outcome(book.reserve(now_ms, *id, limits, *ask), |grant| {
                Outcome::Granted {
                    held: grant.held,
                    exposed: grant.exposed,
                    room: grant.room,
                }
            })
        }
        Action::Extend { id, by, at_least } => {
            outcome(book.extend(now_ms, *id, *by, *at_least), Outcome::Exposed)
        }
        Action::Shrink { id, exposed } => {
            book.shrink(*id, *exposed);
            Outcome::Done
        }
        Action::Settle { id, actual } => Outcome::Settled(book.settle(now_ms, *id, *actual)),
    }
}

// === impl Run ===

impl Run {
    pub(crate) fn new() -> Self {
        Self {
            now_ms: START_MS,
            next: 0,
            open: Vec::new(),
            last: None,
        }
    }

    /// What the step asks, if it asks anything.
    pub(crate) fn action(&mut self, op: &Op) -> Option<Action> {
        match *op {
            Op::Reserve {
                limits,
                whole,
                likely,
                wanted,
                floor,
            } => {
                // The warning watches the account of a hard limit, which the same calls fall under.
                let limits = limits | (limits >> 3) & 1;
                let chosen = all_limits().into_iter().enumerate();
                let chosen = chosen.filter(|(bit, _)| limits & (1 << bit) != 0);
                self.next += 1;
                Some(Action::Reserve {
                    id: ReservationId(self.next),
                    limits: chosen.map(|(_, limit)| limit).collect(),
                    ask: if whole {
                        Ask::Whole {
                            likely: usd(likely),
                            worst: usd(wanted),
                            floor: usd(floor),
                        }
                    } else {
                        Ask::Leased {
                            first: usd(wanted),
                            floor: usd(floor),
                        }
                    },
                })
            }
            Op::Extend {
                which,
                by,
                at_least,
            } => {
                let (id, _) = self.chosen(which)?;
                Some(Action::Extend {
                    id,
                    by: usd(by),
                    at_least: usd(at_least),
                })
            }
            Op::Shrink { which, percent } => {
                let (id, exposed) = self.chosen(which)?;
                Some(Action::Shrink {
                    id,
                    exposed: usd(exposed.get() * percent / 100),
                })
            }
            Op::Settle { which, percent } => {
                let (id, exposed) = self.chosen(which)?;
                Some(Action::Settle {
                    id,
                    actual: usd(exposed.get() * percent / 100),
                })
            }
            Op::SettleAgain => Some(Action::Settle {
                id: self.last?,
                actual: usd(50),
            }),
            Op::Clock { minutes } => {
                self.now_ms += minutes * 60_000;
                None
            }
        }
    }

    /// Follows what came of it.
    pub(crate) fn observe(&mut self, action: &Action, outcome: &Outcome) {
        match (action, outcome) {
            (Action::Reserve { id, .. }, Outcome::Granted { exposed, .. }) => {
                self.open.push((*id, *exposed));
            }
            (Action::Extend { id, .. }, Outcome::Exposed(exposed))
            | (Action::Shrink { id, exposed }, Outcome::Done) => {
                let call = self.open.iter_mut().find(|(open, _)| open == id);
                call.expect("the call is open").1 = *exposed;
            }
            (Action::Settle { id, .. }, Outcome::Settled(_)) => {
                self.open.retain(|(open, _)| open != id);
                self.last = Some(*id);
            }
            _ => {}
        }
    }

    fn chosen(&self, which: usize) -> Option<(ReservationId, NanoUsd)> {
        let index = which.checked_rem(self.open.len())?;
        self.open.get(index).copied()
    }
}
