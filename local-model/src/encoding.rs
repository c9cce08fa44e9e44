//! Encoders as services: texts in, vectors or classes out.

mod batcher;
mod classifier;
mod embedder;
mod pooling;
mod states;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use skinflint_kernels::Team;

use self::batcher::Batcher;
pub use self::classifier::{Classified, ClassifiedToken, TokenClassifier};
pub use self::embedder::{Embedder, Embeddings};
pub use self::states::{TokenEncoder, TokenStates};
use crate::checkpoint::{Checkpoint, Safetensors};
use crate::error::LoadFault;
use crate::model::encoder::{Encoder, EncoderShape};
use crate::tokenizer::encoder::TextEncoder;

/// Texts that may wait for an encoder: a call with 2,048 of them, which is the most that OpenAI's API
/// takes, and as many again.
pub const DEFAULT_MAX_TEXTS: usize = 4096;

/// Bytes of vectors that are remembered: some 20,000 of 384 values.
pub const DEFAULT_MEMO_BYTES: u64 = 32 << 20;

/// How an encoder is run.
#[derive(Debug, Clone)]
pub struct EncoderOptions {
    /// The threads that compute, shared with other models.
    pub team: Arc<Team>,
    /// What the model is called.
    pub name: String,
    /// Texts that may wait.
    pub max_texts: NonZeroUsize,
    /// Bytes of results that are remembered by the text's hash; 0 for none.
    pub memo_bytes: u64,
}

impl EncoderOptions {
    /// The defaults.
    pub fn new(team: Arc<Team>, name: impl Into<String>) -> Self {
        Self {
            team,
            name: name.into(),
            max_texts: NonZeroUsize::new(DEFAULT_MAX_TEXTS).unwrap_or(NonZeroUsize::MAX),
            memo_bytes: DEFAULT_MEMO_BYTES,
        }
    }
}

/// An encoder's files, read.
struct Files {
    shape: EncoderShape,
    checkpoint: Safetensors,
    tokenizer: TextEncoder,
}

impl Files {
    /// Reads what a folder has.
    fn open(folder: &Path) -> Result<Self, LoadFault> {
        let shape = EncoderShape::of_config(&folder.join("config.json"))?;
        let tokenizer = TextEncoder::load(&folder.join("tokenizer.json"))?;
        tokenizer.check_rows(shape.vocabulary)?;
        Ok(Self {
            checkpoint: Safetensors::open(folder)?,
            shape,
            tokenizer,
        })
    }

    fn encoder(self, team: &Team) -> Result<(Encoder, Safetensors, TextEncoder), LoadFault> {
        let mut checkpoint = self.checkpoint;
        let encoder = Encoder::load(team, self.shape, &mut checkpoint as &mut dyn Checkpoint)?;
        Ok((encoder, checkpoint, self.tokenizer))
    }
}

#[cfg(test)]
mod tests;
