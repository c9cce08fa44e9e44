//! What conversations were made into, for good; see [`DecisionStore`].
#![doc = include_str!("../README.md")]

mod file;
mod record;
mod shared;
mod store;

pub use file::{DecisionFile, DecisionFileError};
pub use record::{Literal, Record, Rewrite};
pub use shared::{SharedRecords, SharedRecordsError};
pub use store::DecisionStore;
