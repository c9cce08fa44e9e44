//! Tokens, greedy answers, log-probabilities, embeddings and classes beside those of transformers, on checkpoints that
//! `transformers/make_checkpoints.py` has made: [`compare`]. Its README describes the files.

mod error;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use skinflint_local_model::Precision;

pub use error::CheckpointError;

use super::{GAP, first_difference, gap};
use crate::figure::{Figure, Goal};
use crate::logits::logprobs;
use crate::ours::Ours;
use crate::ours::encoders::{OurClassifier, OurEmbedder};
use crate::report::{self, Report};
use crate::statistics::Agreement;

/// In nats: far above what rounding does to a model of a few small layers, far below what a wrong one does.
const LOGPROB_DIFFERENCE: f64 = 0.02;

/// The same for a value of a vector of length 1.
const EMBEDDING_DIFFERENCE: f64 = 1e-3;

/// The same for a probability.
const PROBABILITY_DIFFERENCE: f64 = 1e-3;

/// What a checkpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Decoder,
    Encoder,
    TokenClassifier,
}

/// `reference.json`.
#[derive(Debug, Deserialize)]
struct Description {
    kind: Kind,
    texts: Vec<String>,
    /// The most tokens that were generated for each text.
    generated: u32,
    /// The bytes of each token, in hexadecimal; none for one that stands for no text.
    pieces: Vec<String>,
}

/// What transformers computed.
struct Reference<'a> {
    description: Description,
    pieces: Vec<Vec<u8>>,
    tensors: SafeTensors<'a>,
}

/// Compares all checkpoints in `folder`. One that our engine does not load is short, too.
pub fn compare(
    folder: &Path,
    threads: NonZeroUsize,
    report: &mut Report,
) -> Result<(), CheckpointError> {
    let fault = |source| CheckpointError::Read {
        path: folder.to_path_buf(),
        source,
    };
    let mut paths = fs::read_dir(folder)
        .map_err(fault)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(fault)?;
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .replace('-', "_");
        let figures = match compare_one(&path, threads, &name, report) {
            Err(CheckpointError::Ours(error)) => {
                report.line(&format!("{name}: {}", report::chain(&error)))?;
                vec![Figure::new(
                    format!("parity_{name}"),
                    0.0,
                    "models",
                    Goal::AtLeast(1.0),
                )]
            }
            figures => figures?,
        };
        for figure in figures {
            report.figure(&figure)?;
        }
    }
    Ok(())
}

fn compare_one(
    path: &Path,
    threads: NonZeroUsize,
    name: &str,
    report: &Report,
) -> Result<Vec<Figure>, CheckpointError> {
    let description = describe(path)?;
    let tensors_path = path.join("reference.safetensors");
    let bytes = read(&tensors_path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|source| CheckpointError::Tensors {
        path: tensors_path,
        source,
    })?;
    let reference = Reference {
        pieces: description
            .pieces
            .iter()
            .map(|piece| bytes_of(piece))
            .collect::<Result<_, _>>()?,
        description,
        tensors,
    };
    match reference.description.kind {
        Kind::Decoder => compare_decoder(
            name,
            &Ours::load(path, Precision::Bits8, threads, NonZeroUsize::MIN)?,
            &reference,
            report,
        ),
        Kind::Encoder => compare_encoder(name, &OurEmbedder::load(path, threads)?, &reference),
        Kind::TokenClassifier => compare_classifier(
            name,
            &OurClassifier::load(path, threads)?,
            &reference,
            report,
        ),
    }
}

fn compare_decoder(
    name: &str,
    ours: &Ours,
    reference: &Reference<'_>,
    report: &Report,
) -> Result<Vec<Figure>, CheckpointError> {
    let texts = &reference.description.texts;
    let mut same_tokens = 0.0;
    let mut close = 0.0;
    let mut agreement = Agreement::default();
    for (number, text) in texts.iter().enumerate() {
        let ids = reference.ids(&format!("ids.{number}"))?;
        if ours.tokenize(text)? == ids {
            same_tokens += 1.0;
        } else {
            report.line(&format!("{name}: other tokens for text {number}"))?;
        }
        agreement.add_all(
            &ours.score(&ids)?,
            &reference.floats(&format!("logprobs.{number}"))?,
        );

        let answer = ours.greedy(text, reference.description.generated, true)?;
        let chosen = reference.ids(&format!("greedy.{number}"))?;
        let pieces: Vec<Vec<u8>> = chosen.iter().map(|&token| reference.piece(token)).collect();
        let ended = chosen.len() < reference.description.generated as usize;
        let gap = first_difference(&answer, &pieces, ended).map_or(Ok(0.0), |at| {
            // An end has no bytes, as other control tokens have none.
            let bytes = answer.tokens.get(at).map_or(&[][..], |token| &token.bytes);
            reference.gap(number, at, bytes)
        })?;
        if gap < GAP {
            close += 1.0;
        } else {
            report.line(&format!(
                "{name}: another answer to text {number}, {gap:.3} nats apart"
            ))?;
        }
    }
    let all = Goal::AtLeast(u32::try_from(texts.len()).map_or(f64::INFINITY, f64::from));
    let difference = agreement.mean_difference();
    Ok(vec![
        Figure::new(format!("parity_{name}_tokens"), same_tokens, "texts", all),
        Figure::new(
            format!("parity_{name}_greedy_same_or_close"),
            close,
            "texts",
            all,
        ),
        Figure::new(
            format!("parity_{name}_logprob_difference"),
            difference,
            "nats",
            Goal::AtMost(LOGPROB_DIFFERENCE),
        ),
        Figure::info(
            format!("parity_{name}_logprob_difference_max"),
            agreement.largest_difference(),
            "nats",
        ),
        Figure::new(
            format!("parity_{name}_logprob_pearson"),
            agreement.pearson(),
            "ratio",
            Goal::AtLeast(0.999),
        ),
    ])
}

/// All texts in one call, so that short and long ones share a batch.
fn compare_encoder(
    name: &str,
    ours: &OurEmbedder,
    reference: &Reference<'_>,
) -> Result<Vec<Figure>, CheckpointError> {
    let texts: Vec<&str> = reference
        .description
        .texts
        .iter()
        .map(String::as_str)
        .collect();
    let mut agreement = Agreement::default();
    for (number, vector) in ours.embed(&texts)?.iter().enumerate() {
        agreement.add_all(vector, &reference.floats(&format!("embedding.{number}"))?);
    }
    let largest = agreement.largest_difference();
    let goal = Goal::AtMost(EMBEDDING_DIFFERENCE);
    Ok(vec![Figure::new(
        format!("parity_{name}_embedding_difference_max"),
        largest,
        "values",
        goal,
    )])
}

/// All texts in one call, as [`compare_encoder`].
fn compare_classifier(
    name: &str,
    ours: &OurClassifier,
    reference: &Reference<'_>,
    report: &Report,
) -> Result<Vec<Figure>, CheckpointError> {
    let texts: Vec<&str> = reference
        .description
        .texts
        .iter()
        .map(String::as_str)
        .collect();
    let mut same_tokens = 0.0;
    let mut agreement = Agreement::default();
    for (number, classified) in ours.classify(&texts)?.iter().enumerate() {
        let ids = reference.ids(&format!("ids.{number}"))?;
        let logits = reference.floats(&format!("logits.{number}"))?;
        // Ours are without the token that starts a text and the one that ends it.
        let own = ids.len().saturating_sub(2);
        if classified.tokens.len() != own {
            report.line(&format!(
                "{name}: {} tokens instead of {own} for {:?}",
                classified.tokens.len(),
                texts[number]
            ))?;
            continue;
        }
        same_tokens += 1.0;
        let rows = logits.chunks(logits.len() / ids.len()).skip(1);
        for (token, row) in classified.tokens.iter().zip(rows) {
            let expected: Vec<f32> = logprobs(row).into_iter().map(f32::exp).collect();
            agreement.add_all(&token.probabilities, &expected);
        }
    }
    let all = Goal::AtLeast(u32::try_from(texts.len()).map_or(f64::INFINITY, f64::from));
    let largest = agreement.largest_difference();
    let goal = Goal::AtMost(PROBABILITY_DIFFERENCE);
    Ok(vec![
        Figure::new(format!("parity_{name}_tokens"), same_tokens, "texts", all),
        Figure::new(
            format!("parity_{name}_probability_difference_max"),
            largest,
            "values",
            goal,
        ),
    ])
}

impl Reference<'_> {
    fn piece(&self, token: u32) -> Vec<u8> {
        self.pieces.get(token as usize).cloned().unwrap_or_default()
    }

    /// By how much the reference prefers its token `at` of answer `number` to one that is spelled `bytes`.
    fn gap(&self, number: usize, at: usize, bytes: &[u8]) -> Result<f64, CheckpointError> {
        let rows = self.floats(&format!("greedy_logprobs.{number}"))?;
        let row = rows.chunks(self.pieces.len()).nth(at).unwrap_or_default();
        let spelled: Vec<u32> = (0..)
            .zip(&self.pieces)
            .filter(|(_, piece)| *piece == bytes)
            .map(|(token, _)| token)
            .collect();
        Ok(gap(row, &spelled))
    }

    fn ids(&self, name: &str) -> Result<Vec<u32>, CheckpointError> {
        self.values(name, Dtype::U32, u32::from_le_bytes)
    }

    fn floats(&self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        self.values(name, Dtype::F32, f32::from_le_bytes)
    }

    fn values<T>(
        &self,
        name: &str,
        expected: Dtype,
        of: fn([u8; 4]) -> T,
    ) -> Result<Vec<T>, CheckpointError> {
        let tensor = self
            .tensors
            .tensor(name)
            .map_err(|source| CheckpointError::Tensors {
                path: PathBuf::from(name),
                source,
            })?;
        if tensor.dtype() != expected {
            return Err(CheckpointError::Type {
                name: name.to_owned(),
                found: tensor.dtype(),
                expected,
            });
        }
        let (values, _) = tensor.data().as_chunks::<4>();
        Ok(values.iter().copied().map(of).collect())
    }
}

fn describe(folder: &Path) -> Result<Description, CheckpointError> {
    let path = folder.join("reference.json");
    let bytes = read(&path)?;
    serde_json::from_slice(&bytes).map_err(|source| CheckpointError::Description { path, source })
}

fn read(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    fs::read(path).map_err(|source| CheckpointError::Read {
        path: path.to_path_buf(),
        source,
    })
}

fn bytes_of(piece: &str) -> Result<Vec<u8>, CheckpointError> {
    let (pairs, _) = piece.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16))
        .collect::<Result<_, _>>()
        .map_err(|source| CheckpointError::Piece {
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
