//! The rules once more, kept plain: slow, and easy to check by reading.

use std::{collections::HashMap, sync::Arc};

use super::{Action, START_MS};
use crate::{Ask, Limit, ReservationId, Window};

/// The rules, from the whole history each time.
#[derive(Debug, Default)]
pub(crate) struct Model {
    calls: HashMap<ReservationId, Call>,
    spent: Vec<(Key, i64, u64)>,
    latest: HashMap<Key, i64>,
}

type Key = (Arc<str>, Window);

#[derive(Debug)]
struct Call {
    limits: Arc<[Limit]>,
    held: u64,
    exposed: u64,
}

// === impl Model ===

impl Model {
    /// Nothing spent on any account when the history begins.
    pub(crate) fn new(limits: &[Limit]) -> Self {
        Self {
            latest: limits.iter().map(|limit| (key(limit), START_MS)).collect(),
            ..Self::default()
        }
    }

    /// What is held and exposed after an action; `None` where it is refused.
    pub(crate) fn act(&mut self, now_ms: i64, action: &Action) -> Option<(u64, u64)> {
        match action {
            Action::Reserve { id, limits, ask } => {
                self.see(now_ms, limits);
                let (held, wanted, least) = match *ask {
                    Ask::Whole {
                        likely,
                        worst,
                        floor,
                    } => (likely.min(worst), worst, floor.min(worst)),
                    Ask::Leased { first, floor } => (first, first, floor.min(first)),
                };
                let (held, exposed) = self.fit(limits, held.get(), wanted.get(), least.get())?;
                let limits = Arc::clone(limits);
                self.calls.insert(
                    *id,
                    Call {
                        limits,
                        held,
                        exposed,
                    },
                );
                Some((held, exposed))
            }
            Action::Extend { id, by, at_least } => {
                let limits = Arc::clone(&self.calls[id].limits);
                self.see(now_ms, &limits);
                let (by, at_least) = (by.get(), at_least.get());
                let (_, more) = self.fit(&limits, by, by, at_least.min(by))?;
                let call = self.calls.get_mut(id).unwrap();
                call.held += more;
                call.exposed += more;
                Some((call.held, call.exposed))
            }
            Action::Shrink { id, exposed } => {
                let call = self.calls.get_mut(id).unwrap();
                call.exposed = call.exposed.min(exposed.get());
                call.held = call.held.min(call.exposed);
                Some((call.held, call.exposed))
            }
            Action::Settle { id, actual } => {
                let call = self.calls.remove(id)?;
                self.see(now_ms, &call.limits);
                let mut keys: Vec<Key> = call.limits.iter().map(key).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    let at = self.latest[&key];
                    self.spent.push((key, at, actual.get()));
                }
                Some((0, 0))
            }
        }
    }

    /// Spent in the account's latest period.
    pub(crate) fn spent(&self, limit: &Limit) -> u64 {
        let key = key(limit);
        let Some(latest) = self.latest.get(&key) else {
            return 0;
        };
        let now = limit.window.period(*latest);
        let counts = |at: i64| match limit.window {
            Window::Rolling(_) => at >= now.start_ms,
            _ => limit.window.period(at).id == now.id,
        };
        let entries = self
            .spent
            .iter()
            .filter(|(other, at, _)| *other == key && counts(*at));
        entries.map(|(_, _, amount)| amount).sum()
    }

    pub(crate) fn exposed(&self, limit: &Limit) -> u64 {
        let calls = self.calls.values();
        let calls = calls.filter(|call| call.limits.iter().any(|other| key(other) == key(limit)));
        calls.map(|call| call.exposed).sum()
    }

    fn fit(&self, limits: &[Limit], held: u64, wanted: u64, least: u64) -> Option<(u64, u64)> {
        let hard = limits.iter().filter(|limit| limit.hard);
        let rooms = hard.map(|limit| {
            let taken = self.spent(limit) + self.exposed(limit);
            i128::from(limit.cap.get()) - i128::from(taken)
        });
        let room = rooms.min().unwrap_or(i128::MAX);
        if i128::from(wanted) <= room {
            return Some((held, wanted));
        }
        let room = u64::try_from(room)
            .ok()
            .filter(|room| *room >= least && *room > 0)?;
        Some((room, room))
    }

    fn see(&mut self, now_ms: i64, limits: &[Limit]) {
        for limit in limits {
            let latest = self.latest.entry(key(limit)).or_insert(now_ms);
            *latest = now_ms.max(*latest);
        }
    }
}

fn key(limit: &Limit) -> Key {
    (Arc::clone(&limit.scope), limit.window)
}
