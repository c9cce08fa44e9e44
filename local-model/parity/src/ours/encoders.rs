//! The encoders of the local model, as [`Ours`](super::Ours) has its decoders.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use skinflint_local_model::{Classified, Embedder, EncoderOptions, Team, TokenClassifier};
use tokio::runtime::Runtime;

use super::{OursError, runtime};

/// An encoder whose output is pooled to vectors. It remembers nothing.
#[derive(Debug)]
pub struct OurEmbedder {
    embedder: Embedder,
    runtime: Runtime,
}

/// An encoder that gives every token a class.
#[derive(Debug)]
pub struct OurClassifier {
    classifier: TokenClassifier,
    runtime: Runtime,
}

impl OurEmbedder {
    /// Loads a folder as Hugging Face lays it out.
    pub fn load(folder: &Path, threads: NonZeroUsize) -> Result<Self, OursError> {
        let embedder = Embedder::load(folder, options(threads)?).map_err(OursError::Load)?;
        Ok(Self {
            embedder,
            runtime: runtime()?,
        })
    }

    /// A vector of length 1 for each text.
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<Arc<[f32]>>, OursError> {
        let embeddings = self.runtime.block_on(self.embedder.embed(texts));
        Ok(embeddings
            .map_err(|fault| OursError::Encode(fault.into()))?
            .vectors)
    }
}

impl OurClassifier {
    /// Loads a folder as Hugging Face lays it out.
    pub fn load(folder: &Path, threads: NonZeroUsize) -> Result<Self, OursError> {
        let classifier =
            TokenClassifier::load(folder, options(threads)?).map_err(OursError::Load)?;
        Ok(Self {
            classifier,
            runtime: runtime()?,
        })
    }

    /// How likely each class is for each token of each text.
    pub fn classify(&self, texts: &[&str]) -> Result<Vec<Classified>, OursError> {
        let classified = self.runtime.block_on(self.classifier.classify(texts));
        classified.map_err(|fault| OursError::Encode(fault.into()))
    }
}

fn options(threads: NonZeroUsize) -> Result<EncoderOptions, OursError> {
    let team = Team::new(threads).map_err(OursError::Threads)?;
    Ok(EncoderOptions {
        memo_bytes: 0,
        ..EncoderOptions::new(Arc::new(team), "encoder")
    })
}
