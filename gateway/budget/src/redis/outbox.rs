//! What the store must still hear, in order, until it has heard it.

use std::{collections::VecDeque, sync::Arc};

use skinflint_money::NanoUsd;

use super::{
    question::Question,
    tenant::{Ended, Tenant},
};
use crate::{Limit, ReservationId};

/// Errands that the store refuses this often are given up: an errand that can never succeed must not stop the others.
const MOST_REFUSALS: u32 = 10;

/// Errands, oldest first. All are idempotent: an answer may have been lost. There are at most a few for each open
/// call, so the open calls bound them.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Errand>,
    refusals: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub(super) tenant: Arc<str>,
    pub(super) now_ms: i64,
    pub(super) task: Task,
}

#[derive(Debug, Clone)]
pub(super) enum Task {
    /// The call has ended.
    Settle {
        id: ReservationId,
        actual: NanoUsd,
        ended: Option<Ended>,
    },
    /// The call of a process that has ended is settled in the ledger.
    Bury { id: ReservationId, actual: NanoUsd },
    /// The answer to a reservation was not heard: it must not stay.
    Cancel(ReservationId),
    /// Money spent without a reservation.
    Charge {
        id: ReservationId,
        limits: Arc<[Limit]>,
        actual: NanoUsd,
    },
    /// The call is under way and the store may not know, or not how far.
    Adopt(ReservationId),
}

// === impl Outbox ===

impl Outbox {
    pub(super) fn push(&mut self, errand: Errand) {
        self.waiting.push_back(errand);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn first(&self, most: usize) -> Vec<Errand> {
        self.waiting.iter().take(most).cloned().collect()
    }

    /// The first errand is done.
    pub(super) fn done(&mut self) {
        self.waiting.pop_front();
        self.refusals = 0;
    }

    /// The store has refused the first errand; returns it when it is given up for that.
    pub(super) fn refused(&mut self) -> Option<Errand> {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals < MOST_REFUSALS {
            return None;
        }
        self.refusals = 0;
        self.waiting.pop_front()
    }
}

// === impl Task ===

impl Task {
    /// What to ask; nothing for a call that has ended since.
    pub(super) fn question(&self, tenant: Option<&Tenant>) -> Option<(Question, NanoUsd)> {
        let question = match self {
            Self::Settle { id, actual, ended } => {
                let unstored = ended.as_ref().and_then(|ended| ended.unstored.as_ref());
                let epoch = ended.as_ref().and_then(|ended| ended.epoch.clone());
                Question::settle(*id, *actual, unstored, epoch)
            }
            Self::Bury { id, actual } => Question::bury(*id, *actual),
            Self::Cancel(id) => Question::cancel(*id),
            Self::Charge { id, limits, actual } => Question::charge(*id, limits, *actual),
            Self::Adopt(id) => {
                let call = tenant?.call(*id)?;
                return Some((Question::adopt(&call), call.exposed));
            }
        };
        Some((question, NanoUsd::ZERO))
    }
}
