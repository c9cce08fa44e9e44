//! What transformers computed on a checkpoint: [`Reference`].

use std::fs;
use std::io;
use std::num::ParseIntError;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Deserialize;
use thiserror::Error;

use crate::compare::gap;

/// Files that are not there, or not as they should be.
#[derive(Debug, Error)]
pub enum ReferenceError {
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
}

/// What a checkpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Decoder,
    Encoder,
    TokenClassifier,
}

/// `reference.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    pub(super) kind: Kind,
    pub(super) texts: Vec<String>,
    /// The most tokens that were generated for each text.
    pub(super) generated: u32,
    /// The bytes of each token, in hexadecimal; none for one that stands for no text.
    pieces: Vec<String>,
}

/// What transformers computed.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) description: Description,
    pieces: Vec<Vec<u8>>,
    /// The whole file, and where it is.
    tensors: Vec<u8>,
    path: PathBuf,
}

impl Reference {
    /// Reads both files of a checkpoint.
    pub(super) fn read(folder: &Path) -> Result<Self, ReferenceError> {
        let path = folder.join("reference.json");
        let description: Description = serde_json::from_slice(&read(&path)?)
            .map_err(|source| ReferenceError::Description { path, source })?;
        let pieces = description
            .pieces
            .iter()
            .map(|piece| bytes_of(piece))
            .collect::<Result<_, _>>()?;
        let path = folder.join("reference.safetensors");
        Ok(Self {
            description,
            pieces,
            tensors: read(&path)?,
            path,
        })
    }

    /// The bytes of a token.
    pub(super) fn piece(&self, token: u32) -> Vec<u8> {
        self.pieces.get(token as usize).cloned().unwrap_or_default()
    }

    /// By how much the reference prefers its token `at` of answer `number` to one that is spelled `bytes`.
    pub(super) fn gap(
        &self,
        number: usize,
        at: usize,
        bytes: &[u8],
    ) -> Result<f64, ReferenceError> {
        let rows = self.floats(&format!("greedy_logprobs.{number}"))?;
        let row = rows.chunks(self.pieces.len()).nth(at).unwrap_or_default();
        let spelled: Vec<u32> = (0..)
            .zip(&self.pieces)
            .filter(|(_, piece)| *piece == bytes)
            .map(|(token, _)| token)
            .collect();
        Ok(gap(row, &spelled))
    }

    pub(super) fn ids(&self, name: &str) -> Result<Vec<u32>, ReferenceError> {
        self.values(name, Dtype::U32, u32::from_le_bytes)
    }

    pub(super) fn floats(&self, name: &str) -> Result<Vec<f32>, ReferenceError> {
        self.values(name, Dtype::F32, f32::from_le_bytes)
    }

    fn values<T>(
        &self,
        name: &str,
        expected: Dtype,
        of: fn([u8; 4]) -> T,
    ) -> Result<Vec<T>, ReferenceError> {
        let damaged = |source| ReferenceError::Tensors {
            path: self.path.clone(),
            source,
        };
        let tensors = SafeTensors::deserialize(&self.tensors).map_err(damaged)?;
        let tensor = tensors.tensor(name).map_err(damaged)?;
        if tensor.dtype() != expected {
            return Err(ReferenceError::Type {
                name: name.to_owned(),
                found: tensor.dtype(),
                expected,
            });
        }
        let (values, _) = tensor.data().as_chunks::<4>();
        Ok(values.iter().copied().map(of).collect())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ReferenceError> {
    fs::read(path).map_err(|source| ReferenceError::Read {
        path: path.to_path_buf(),
        source,
    })
}

fn bytes_of(piece: &str) -> Result<Vec<u8>, ReferenceError> {
    let (pairs, _) = piece.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16))
        .collect::<Result<_, _>>()
        .map_err(|source| ReferenceError::Piece {
            piece: piece.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_hexadecimal() {
        assert_eq!(bytes_of("20f09f").unwrap(), [0x20, 0xf0, 0x9f]);
        assert_eq!(bytes_of("").unwrap(), [0_u8; 0]);
        assert!(bytes_of("zz").is_err());
    }
}
