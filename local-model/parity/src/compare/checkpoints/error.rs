//! What is in the way of a comparison: [`CheckpointError`].

use std::io;
use std::num::ParseIntError;
use std::path::PathBuf;

use safetensors::{Dtype, SafeTensorError};
use thiserror::Error;

use crate::ours::OursError;

/// A comparison that could not be made.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file or the folder cannot be read.
    #[error("cannot read {}; `make parity` writes it", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `reference.json` is not what it should be.
    #[error("{} is damaged", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// Where.
        #[source]
        source: serde_json::Error,
    },
    /// `reference.safetensors` is not what it should be.
    #[error("{} is damaged", path.display())]
    Tensors {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SafeTensorError,
    },
    /// A tensor of another type.
    #[error("{name} has type {found}, expected {expected}")]
    Type {
        /// The tensor.
        name: String,
        /// What it has.
        found: Dtype,
        /// What it should have.
        expected: Dtype,
    },
    /// A piece that is not hexadecimal.
    #[error("piece {piece:?} is not hexadecimal")]
    Piece {
        /// The piece.
        piece: String,
        /// Where.
        #[source]
        source: ParseIntError,
    },
    /// Our side.
    #[error(transparent)]
    Ours(#[from] OursError),
    /// The report cannot be written.
    #[error("cannot write the report")]
    Report(#[from] io::Error),
}
