//! Why there is no room, or nobody who could say.

use skinflint_money::NanoUsd;

use crate::{Missing, Refusal, ReservationId};

/// Why a call may not be sent, or not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// A limit has no room.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// Accounts must be seeded from the ledger first; then ask again.
    #[error("{} accounts of the budget are not seeded from the ledger", .0.len())]
    Unseeded(Vec<Missing>),
    /// The store has lost everything (restarted empty, flushed) or never knew the tenant: seed these accounts and the
    /// tenant's open calls; then ask again.
    #[error("the budget store is empty and must be seeded from the ledger")]
    StoreEmpty(Vec<Missing>),
    /// The store cannot be reached, or not in time.
    #[error("the budget store is unavailable")]
    StoreDown,
    /// The reservation is not open: settled, or never made.
    #[error("reservation {0} is not open")]
    NotOpen(ReservationId),
    /// A hard limit is too high to be compared exactly in the store.
    #[error(
        "the cap of {cap} USD of limit {limit} is above the {most} USD that a shared store can count"
    )]
    CapTooLarge {
        /// The limit's name.
        limit: std::sync::Arc<str>,
        /// Its cap.
        cap: NanoUsd,
        /// The highest cap possible.
        most: NanoUsd,
    },
}

impl From<Refusal> for BudgetError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
