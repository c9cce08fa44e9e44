//! What can go wrong: while loading, when a call is placed, and while it runs.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// A model file that cannot be served.
#[derive(Debug, Error)]
#[error("cannot load the model {}", path.display())]
pub struct LoadError {
    path: PathBuf,
    #[source]
    fault: LoadFault,
}

impl LoadError {
    pub(crate) fn new(path: &Path, fault: LoadFault) -> Self {
        Self {
            path: path.to_path_buf(),
            fault,
        }
    }

    /// The file that was to be loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn fault(&self) -> &LoadFault {
        &self.fault
    }
}

/// What is wrong with a model file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadFault {
    /// The file cannot be opened.
    #[error("the file cannot be opened")]
    Open(#[source] io::Error),
    /// The file is not GGUF, or its header or a tensor is damaged.
    #[error("not a GGUF file, or a damaged one")]
    Corrupt(#[source] candle_core::Error),
    /// The header has values that no valid file has.
    #[error("damaged GGUF header")]
    Header,
    /// The file ends before its tensors do.
    #[error("truncated: the header announces {needed} bytes, the file has {actual}")]
    Truncated {
        /// Bytes that the header announces.
        needed: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// The weights are of a kind that this crate cannot run.
    #[error("architecture {architecture:?} is not supported (supported: gemma3)")]
    UnsupportedArchitecture {
        /// The file's `general.architecture`.
        architecture: String,
    },
    /// A metadata value is missing or of another type.
    #[error("metadata {key:?} is missing or is not {expected}")]
    Metadata {
        /// The metadata key.
        key: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// Metadata values that contradict each other.
    #[error("metadata does not describe a model: {reason}")]
    Shape {
        /// The contradiction.
        reason: String,
    },
    /// A tensor is missing.
    #[error("tensor {name:?} is missing")]
    MissingTensor {
        /// The tensor's name.
        name: String,
    },
    /// A tensor has another shape than the metadata says.
    #[error("tensor {name:?} has {found}, expected {expected}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What the metadata asks for.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The vocabulary cannot be used.
    #[error("unusable vocabulary: {reason}")]
    Vocabulary {
        /// What is wrong with it.
        reason: String,
    },
    /// The engine's thread cannot be started.
    #[error("cannot start the engine's thread")]
    Thread(#[source] io::Error),
}

/// A call that the engine refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// Prompt and answer do not fit into the context together.
    #[error(
        "the prompt has {prompt_tokens} tokens and {requested} are asked for, but the context holds {limit}"
    )]
    ContextOverflow {
        /// Tokens of the prompt, template included.
        prompt_tokens: u32,
        /// Tokens asked for as answer; 1 where the call names no number.
        requested: u32,
        /// Tokens that the context holds.
        limit: u32,
    },
    /// Too many calls are waiting.
    #[error("the queue is full; try again in {} s", retry_after.as_secs())]
    QueueFull {
        /// When a place is likely to be free, in whole seconds.
        retry_after: Duration,
    },
    /// The engine has been stopped.
    #[error("the engine is stopped")]
    Stopped,
    /// There is nothing to answer.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The keys and values of prompt and answer would not fit into the memory that the engine may
    /// use for them, not even alone.
    #[error(
        "prompt and answer can take {needed_bytes} bytes of the cache, which holds {limit_bytes}; ask for fewer tokens"
    )]
    CacheOverflow {
        /// What they take at most.
        needed_bytes: usize,
        /// What the engine may use for all calls together.
        limit_bytes: usize,
    },
    /// The deadline had passed when the call was placed.
    #[error("the call's deadline has passed")]
    DeadlinePassed,
    /// A token to score is not in the vocabulary.
    #[error("token {token} is not in the vocabulary, which has {size}")]
    UnknownToken {
        /// The token.
        token: u32,
        /// Tokens of the vocabulary.
        size: usize,
    },
}

/// Why a text was not scored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScoreError {
    /// The call was refused.
    #[error(transparent)]
    Refused(#[from] GenerateError),
    /// The call failed.
    #[error(transparent)]
    Failed(#[from] EngineFault),
}

/// A fault inside the engine that ended one call; the engine serves the next one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EngineFault {
    /// The engine was stopped before the call was served.
    #[error("the engine was stopped")]
    Stopped,
    /// A bug: a panic while the call was served.
    #[error("the engine panicked")]
    Panicked,
    /// The computation failed.
    #[error("the computation failed: {0}")]
    Compute(String),
    /// The call's deadline passed before it was served to its end.
    #[error("the call's deadline passed before its end")]
    DeadlineExceeded,
}
