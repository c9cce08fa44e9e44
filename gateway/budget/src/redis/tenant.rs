//! What one node knows of a tenant whose books are in Redis, and how it goes on alone while Redis is away.

use std::{collections::HashMap, sync::Arc};

use skinflint_money::NanoUsd;

use super::{
    WhenDown,
    answer::{Answer, Standing},
};
use crate::{
    AccountStatus, Ask, Book, BudgetError, Grant, Limit, OpenCall, ReservationId, Seed, Seeding,
    Window, account::AccountKey,
};

/// A time without the store: which one, and what hard limits do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absence {
    /// Counts from 1.
    pub(super) number: u64,
    pub(super) when_down: WhenDown,
}

const MILLION: u128 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Tenant {
    /// Which life of the store was seen last.
    pub(super) epoch: Option<Arc<str>>,
    calls: HashMap<ReservationId, Call>,
    known: HashMap<AccountKey, Known>,
    alone: Alone,
}

/// What this node admits while the store is away.
#[derive(Debug, Default)]
struct Alone {
    /// Which absence this is.
    absence: u64,
    book: Book,
    /// What was known when it began: what is heard before it is over changes no share.
    known: HashMap<AccountKey, Known>,
}

/// An open call of this node.
#[derive(Debug)]
struct Call {
    limits: Arc<[Limit]>,
    held: NanoUsd,
    exposed: NanoUsd,
    /// How much of `exposed` the store has; `None` where it does not know the call.
    stored: Option<NanoUsd>,
}

/// An account as the store said last.
#[derive(Debug, Clone, Copy)]
struct Known {
    period: i64,
    spent: NanoUsd,
    exposed: NanoUsd,
    seen_ms: i64,
}

/// A call that has ended, as the store needs to hear of it.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// What the call was, if the store was never told.
    pub(super) unstored: Option<OpenCall>,
    pub(super) epoch: Option<Arc<str>>,
}

// === impl Tenant ===

impl Tenant {
    /// Takes note of an answer; whether the store has begun a new life, which knows none of the open calls.
    pub(super) fn hear(&mut self, answer: &Answer, now_ms: i64) -> bool {
        for status in answer.accounts.iter().filter_map(Standing::status) {
            self.learn(&status, now_ms);
        }
        let Some(epoch) = &answer.epoch else {
            return false;
        };
        if self.epoch.as_ref() == Some(epoch) {
            return false;
        }
        self.epoch.replace(Arc::clone(epoch)).is_some()
    }

    fn learn(&mut self, status: &AccountStatus, now_ms: i64) {
        let key = AccountKey {
            scope: Arc::clone(&status.scope),
            window: status.window,
        };
        let known = Known {
            period: status.period,
            spent: status.spent,
            exposed: status.exposed,
            seen_ms: now_ms,
        };
        self.known.insert(key, known);
    }

    /// The store has admitted a call, or extended it.
    pub(super) fn stored(&mut self, id: ReservationId, limits: &Arc<[Limit]>, grant: Grant) {
        let call = Call {
            limits: Arc::clone(limits),
            held: grant.held,
            exposed: grant.exposed,
            stored: Some(grant.exposed),
        };
        self.calls.insert(id, call);
    }

    /// The store has taken up what was exposed when it was told.
    pub(super) fn adopted(&mut self, id: ReservationId, exposed: NanoUsd) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.stored = Some(call.stored.unwrap_or_default().max(exposed));
        }
    }

    pub(super) fn call(&self, id: ReservationId) -> Option<OpenCall> {
        self.calls.get(&id).map(|call| call.open(id))
    }

    pub(super) fn shrink(&mut self, id: ReservationId, exposed: NanoUsd) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.held = call.held.min(exposed);
            call.exposed = call.exposed.min(exposed);
        }
    }

    pub(super) fn end(&mut self, now_ms: i64, id: ReservationId, actual: NanoUsd) -> Option<Ended> {
        let call = self.calls.remove(&id)?;
        let stored = call.stored.unwrap_or_default();
        self.alone
            .book
            .settle(now_ms, id, actual.saturating_sub(stored));
        let unstored = call.stored.is_none().then(|| call.open(id));
        Some(Ended {
            unstored,
            epoch: self.epoch.clone(),
        })
    }

    pub(super) fn open_calls(&self) -> impl Iterator<Item = ReservationId> {
        self.calls.keys().copied()
    }

    pub(super) fn forget_idle(&mut self, before_ms: i64) {
        self.known.retain(|_, known| known.seen_ms >= before_ms);
    }

    /// Admits a call without the store: under soft limits, and under hard ones within this node's share.
    pub(super) fn reserve_alone(
        &mut self,
        now_ms: i64,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        ask: Ask,
        absence: Absence,
    ) -> Result<Grant, BudgetError> {
        let shares = self.shares(now_ms, limits, absence)?;
        let grant = self.alone.book.reserve(now_ms, id, &shares, ask)?;
        let call = Call {
            limits: Arc::clone(limits),
            held: grant.held,
            exposed: grant.exposed,
            stored: None,
        };
        self.calls.insert(id, call);
        Ok(Grant {
            store_down: true,
            ..grant
        })
    }

    /// More room without the store; what the store has of the call stays counted there.
    pub(super) fn extend_alone(
        &mut self,
        now_ms: i64,
        id: ReservationId,
        by: NanoUsd,
        at_least: NanoUsd,
        absence: Absence,
    ) -> Result<NanoUsd, BudgetError> {
        let call = self.calls.get(&id).ok_or(BudgetError::NotOpen(id))?;
        let (limits, exposed) = (Arc::clone(&call.limits), call.exposed);
        let shares = self.shares(now_ms, &limits, absence)?;
        let nothing_yet = OpenCall {
            id,
            limits: shares,
            held: NanoUsd::ZERO,
            exposed: NanoUsd::ZERO,
        };
        self.alone.book.adopt(now_ms, &nothing_yet);
        let before = self.alone.book.exposed(id);
        let after = self.alone.book.extend(now_ms, id, by, at_least)?;
        let more = after.saturating_sub(before);
        let exposed = exposed.saturating_add(more);
        if let Some(call) = self.calls.get_mut(&id) {
            call.held = call.held.saturating_add(more);
            call.exposed = exposed;
        }
        Ok(exposed)
    }

    /// The limits with this node's share of what was left as caps; their accounts begin at what was spent.
    fn shares(
        &mut self,
        now_ms: i64,
        limits: &[Limit],
        absence: Absence,
    ) -> Result<Arc<[Limit]>, BudgetError> {
        if self.alone.absence != absence.number {
            self.alone = Alone {
                absence: absence.number,
                book: Book::new(),
                known: self.known.clone(),
            };
        }
        let mut shares = Vec::with_capacity(limits.len());
        let mut seeding = Seeding::default();
        for limit in limits {
            let known = self.alone.known.get(&AccountKey::of(limit)).copied();
            let known = known.map(|known| known.at(limit.window, now_ms));
            let cap = match (limit.hard, absence.when_down, known) {
                (false, _, _) => limit.cap,
                (true, WhenDown::Share { ppm }, Some(known)) => known.share(limit.cap, ppm),
                (true, _, _) => return Err(BudgetError::StoreDown),
            };
            let spent = known.map(|known| known.spent).unwrap_or_default();
            seeding.accounts.push(Seed {
                scope: Arc::clone(&limit.scope),
                window: limit.window,
                spent: vec![(now_ms, spent)],
            });
            shares.push(Limit {
                cap,
                ..limit.clone()
            });
        }
        self.alone.book.seed(now_ms, &seeding);
        Ok(Arc::from(shares))
    }
}

// === impl Call ===

impl Call {
    fn open(&self, id: ReservationId) -> OpenCall {
        OpenCall {
            id,
            limits: Arc::clone(&self.limits),
            held: self.held,
            exposed: self.exposed,
        }
    }
}

// === impl Known ===

impl Known {
    /// What is known of the period of a moment: nothing is spent in a calendar window that has begun since.
    fn at(self, window: Window, now_ms: i64) -> Self {
        let rolled =
            !matches!(window, Window::Rolling(_)) && window.period(now_ms).id > self.period;
        Self {
            spent: if rolled { NanoUsd::ZERO } else { self.spent },
            ..self
        }
    }

    fn share(self, cap: NanoUsd, ppm: u32) -> NanoUsd {
        let left = cap.saturating_sub(self.spent).saturating_sub(self.exposed);
        let share = u128::from(left.get()) * u128::from(ppm) / MILLION;
        let share = u64::try_from(share).map_or(left, |share| NanoUsd::new(share).min(left));
        self.spent.saturating_add(share)
    }
}

/// The first hard limit that is too high for the store to compare.
pub(super) fn too_large(limits: &[Limit], most: NanoUsd) -> Option<BudgetError> {
    let limit = limits.iter().find(|limit| limit.hard && limit.cap > most)?;
    Some(BudgetError::CapTooLarge {
        limit: Arc::clone(&limit.name),
        cap: limit.cap,
        most,
    })
}

#[cfg(test)]
mod tests;
