//! What blocks of conversations were made into, for good; see [`DecisionStore`].
#![doc = include_str!("../README.md")]

mod file;
mod store;

pub use file::{DecisionFile, DecisionFileError};
pub use store::{Decision, DecisionStore, Rewrite};
