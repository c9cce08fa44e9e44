//! The seam between the engine and an architecture: [`Model`], and [`Architecture`], which picks one.

pub(crate) mod attention;
pub(crate) mod geglu;
pub(crate) mod gemma3;
pub(crate) mod kv;
pub(crate) mod linear;
pub(crate) mod rope;

use candle_core::{Result, Tensor};

use crate::error::LoadFault;
use crate::gguf::GgufFile;
use gemma3::Gemma3;
use kv::KvCache;

/// A decoder's forward pass. Weights are never written after loading; all that belongs to one
/// sequence lies in its [`KvCache`].
pub(crate) trait Model: Send + Sync {
    /// Positions that the weights were trained for.
    fn context_length(&self) -> u32;

    /// An empty cache with room for `expected` positions; it grows past them.
    fn cache(&self, expected: usize) -> KvCache;

    /// Final hidden states, (tokens, width), of `tokens`, which follow those in `cache`.
    fn hidden(&self, tokens: &[u32], cache: &mut KvCache) -> Result<Tensor>;

    /// Logits, (rows, vocabulary), of hidden states.
    fn logits(&self, hidden: &Tensor) -> Result<Tensor>;
}

/// The architectures that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// Gemma 3, text only.
    Gemma3,
}

impl Architecture {
    /// The architecture that the file names.
    pub(crate) fn of(gguf: &GgufFile) -> std::result::Result<Self, LoadFault> {
        match gguf.string("general.architecture")? {
            "gemma3" => Ok(Self::Gemma3),
            other => Err(LoadFault::UnsupportedArchitecture {
                architecture: other.to_owned(),
            }),
        }
    }

    /// Its name in GGUF files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gemma3 => "gemma3",
        }
    }

    /// Reads the weights.
    pub(crate) fn load(
        self,
        gguf: &mut GgufFile,
        vocabulary_size: usize,
    ) -> std::result::Result<Box<dyn Model>, LoadFault> {
        match self {
            Self::Gemma3 => Ok(Box::new(Gemma3::load(gguf, vocabulary_size)?)),
        }
    }
}
