#![doc = include_str!("../README.md")]

mod causal;
mod classes;
mod compressor;
pub mod curves;
mod error;
mod passages;
mod reader;
mod result;
pub mod train;

pub use compressor::{Method, ProseCompressor, ProseRequest};
pub use error::ProseError;
pub use passages::{EvalError, data_folder, models_folder};
pub use result::{KeptContext, ProseResult};

#[cfg(test)]
mod tests;
