//! Blocks in, smaller blocks out; see [`compress_safely`].
#![doc = include_str!("../README.md")]

mod balanced;
mod chain;
#[cfg(test)]
mod data;
pub mod elision;
mod failure;
mod form;
pub mod jton;
pub mod kind;
pub mod lingua;
pub mod log;
pub mod lossless;
pub mod marker;
mod omission;
mod origin;
mod place;
pub mod protect;
pub mod repeats;
mod safe;
pub mod search;
pub mod toon;

pub use balanced::{SampleName, compress_balanced};
pub use chain::ChainHash;
pub use form::{FormError, StageName};
pub use kind::Kind;
pub use log::normalise::Normalisation;
pub use lossless::Rewrite;
pub use omission::{FETCH_TOOL, Handle, HandleError, Omission, Unit};
pub use origin::Origin;
pub use place::Place;
pub use protect::protected;
pub use safe::{Compressed, RestoreError, Stage, compress_safely, restore};

#[cfg(test)]
mod tests;
