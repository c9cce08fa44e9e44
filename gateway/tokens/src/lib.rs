//! How many input tokens a request has, or at most has; see [`Counter`].
#![doc = include_str!("../README.md")]

mod count;
mod counter;
mod encoding;
mod framing;
mod media;
mod tool;
mod vocabulary;
mod word;

pub use count::{Certainty, Count};
pub use counter::Counter;
pub use encoding::{Encoding, TextTokenizer};
