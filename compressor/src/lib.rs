//! Blocks in, smaller blocks out.
#![doc = include_str!("../README.md")]

mod form;
pub mod kind;
pub mod log;
pub mod lossless;
pub mod marker;
pub mod repeats;
pub mod search;

pub use form::{FormError, StageName};
pub use kind::Kind;
pub use log::normalise::Normalisation;
pub use lossless::Rewrite;

#[cfg(test)]
mod tests;
