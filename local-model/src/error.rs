//! What can go wrong: while loading, when a call is placed, and while it runs.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::tokenizer::encoder::EncodeError;

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
    /// A safetensors file is damaged.
    #[error("{} is not a safetensors file, or a damaged one: {reason}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file ends before its tensors do.
    #[error("truncated: the header announces {needed} bytes, the file has {actual}")]
    Truncated {
        /// Bytes that the header announces.
        needed: u64,
        /// Bytes that are there.
        actual: u64,
    },
    /// The weights are of a kind that this crate cannot run.
    #[error(
        "architecture {architecture:?} is not supported (supported: gemma3, qwen2, qwen3, llama)"
    )]
    UnsupportedArchitecture {
        /// The file's `general.architecture`.
        architecture: String,
    },
    /// The weights are of a kind of encoder that this crate cannot run.
    #[error(
        "encoder {architecture:?} is not supported (supported: bert, roberta, xlm-roberta, modernbert)"
    )]
    UnsupportedEncoder {
        /// The config's `model_type`.
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
    /// The vocabulary belongs to another model.
    #[error(
        "wrong tokenizer: it has {tokens} tokens, the model's embedding has rows for {rows}; take the tokenizer that came with the model"
    )]
    WrongTokenizer {
        /// The highest token and one.
        tokens: usize,
        /// Rows of the embedding table.
        rows: usize,
    },
    /// A file beside the weights cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file beside the weights does not have the values that it should have.
    #[error("{} is damaged or of another kind", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A `tokenizer.json` that cannot be used.
    #[error("unusable tokenizer {}: {reason}", path.display())]
    TokenizerFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The chat template is not valid.
    #[error("the chat template cannot be read: {reason}")]
    Template {
        /// What is wrong, and in which line.
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
    /// The model's chat template does not take such a conversation.
    #[error("the model's chat template refuses the conversation: {message}")]
    Refused {
        /// What the template says.
        message: String,
    },
    /// The model's chat template fails: a fault of the model's file.
    #[error("the model's chat template fails: {reason}")]
    Template {
        /// What went wrong, and in which line.
        reason: String,
    },
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
    /// The form that the answer must have cannot be enforced.
    #[error(transparent)]
    Structure(#[from] StructureError),
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
    /// The answer could not be kept to its form.
    #[error(transparent)]
    Structure(#[from] StructureFault),
}

/// Texts that an encoder does not answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EncodeFault {
    /// Too many texts are waiting.
    #[error("the queue is full; try again in {} s", retry_after.as_secs())]
    QueueFull {
        /// When there is likely to be room, in whole seconds.
        retry_after: Duration,
    },
    /// A text has no tokens.
    #[error(transparent)]
    Text(#[from] EncodeError),
    /// The computation failed.
    #[error(transparent)]
    Engine(EngineFault),
}

/// A form of the answer that cannot be enforced: a mistake of the caller, but for
/// [`Self::Vocabulary`] and [`Self::Other`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StructureError {
    /// The format's schema cannot be satisfied, or uses what is not supported.
    #[error(
        "the format's schema cannot be enforced (at {}): {reason}",
        place(path)
    )]
    Schema {
        /// A JSON pointer to the part at fault; empty for the whole.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The schema of a tool's arguments cannot be satisfied, or uses what is not supported.
    #[error(
        "the parameters of the tool {name:?} cannot be enforced (at {}): {reason}",
        place(path)
    )]
    Tool {
        /// The tool.
        name: String,
        /// A JSON pointer to the part at fault; empty for the whole.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The regular expression is none, matches nothing, or uses what is not supported.
    #[error("the format's regular expression cannot be enforced: {reason}")]
    Regex {
        /// What is wrong.
        reason: String,
    },
    /// A tool must be called, and there is none.
    #[error("a tool must be called, but the call gives none")]
    NoTools,
    /// A tool must be called that is not there.
    #[error("the tool {name:?} must be called, but the call does not give it")]
    UnknownTool {
        /// The tool.
        name: String,
    },
    /// The model's vocabulary does not allow for forms.
    #[error("the model cannot be held to a form: {reason}")]
    Vocabulary {
        /// What is wrong with it.
        reason: String,
    },
    /// The parts are right, but not together: most likely they are too large.
    #[error("the form of the answer cannot be enforced: {reason}")]
    Other {
        /// What is wrong.
        reason: String,
    },
}

fn place(path: &str) -> &str {
    if path.is_empty() { "its root" } else { path }
}

/// A form that could not be enforced to the end of an answer: it is more complex than the engine
/// takes on for one token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the answer could not be kept to its form: {reason}")]
pub struct StructureFault {
    pub(crate) reason: String,
}
