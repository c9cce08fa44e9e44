//! What was reserved and what was spent, for good; see [`Ledger`].
#![doc = include_str!("../README.md")]

mod clock;
mod config;
mod entry;
mod error;
mod ledger;
mod reader;
mod repricing;
mod store;
mod sums;
mod task;
mod writer;

pub use config::{Config, Durability, PostgresUrl, Store};
pub use entry::{
    MOST_FOR_ONE_CALL, Money, NAME_BYTES, Recovered, RequestRow, Reservation, SCOPE_BYTES,
    Settlement, Source, Spared,
};
pub use error::{LedgerError, OpenError};
pub use ledger::Ledger;
pub use reader::{
    AgentRow, AttemptRow, BilledDay, By, Explanation, ModelRow, OpenReservation, Period, Reader,
    Report, ReportRow, Spent, TaskFilter, TaskRow, TaskTree, request_id,
};
pub use repricing::{Repricing, TenantRepricing};
pub use sums::Sums;
pub use task::Outcome;
pub use writer::{SETTLE_WITHIN, Writer};
