//! What the ledger knows and a book that has just begun does not.

use std::sync::Arc;

use skinflint_money::NanoUsd;

use crate::{Limit, ReservationId, Window};

/// An account that counts nothing until it is told what was spent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Whose money it is.
    pub scope: Arc<str>,
    /// When spending counts.
    pub window: Window,
    /// From when on, in unix milliseconds; 0 for the whole life of a task.
    pub since_ms: i64,
}

/// What was spent on an account, from the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Whose money it is.
    pub scope: Arc<str>,
    /// When spending counts.
    pub window: Window,
    /// Amounts settled, each with its moment in unix milliseconds. One sum for all will do: at any moment of the
    /// period, or now for a rolling window, which then forgets it later than it might.
    pub spent: Vec<(i64, NanoUsd)>,
}

/// A reservation that a book does not know, with what it may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCall {
    /// The reservation.
    pub id: ReservationId,
    /// The limits that the call falls under.
    pub limits: Arc<[Limit]>,
    /// The likely cost.
    pub held: NanoUsd,
    /// The most that it may cost.
    pub exposed: NanoUsd,
}

/// What a book begins with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seeding {
    /// One for each missing account.
    pub accounts: Vec<Seed>,
    /// Calls that the ledger has reserved and not settled. Only a store that lost everything takes them up.
    pub open: Vec<OpenCall>,
}
