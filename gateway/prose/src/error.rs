//! Why nothing was compressed: [`ProseError`].

use skinflint_compressor::lingua::tags::TagError;
use skinflint_compressor::lingua::{FeedError, OptionError};
use skinflint_local_model::{EncodeFault, ScoreError};
use thiserror::Error;

use crate::Method;

/// Why a text was not compressed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProseError {
    /// An option makes no sense: a mistake of the caller.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A tag of a structured prompt is broken: a mistake of the caller.
    #[error("context {context}: {source}")]
    Tag {
        /// Which context, counted from 0.
        context: usize,
        /// What is wrong, and where.
        source: TagError,
    },
    /// The method asks about the question, and there is none: a mistake of the caller.
    #[error("{0} needs a question")]
    NoQuestion(Method),
    /// The model that the method needs is not loaded.
    #[error("{method} needs {needs}, and none is loaded")]
    NoModel {
        /// Which method.
        method: Method,
        /// What it needs.
        needs: &'static str,
    },
    /// The classifier has no class that means "keep".
    #[error("the classifier {name} has no class \"keep\" or \"LABEL_1\"; it has {labels:?}")]
    NoKeepClass {
        /// The classifier.
        name: String,
        /// Its classes.
        labels: Vec<String>,
    },
    /// The model that scores failed or refused.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The classifier failed or refused.
    #[error(transparent)]
    Classify(#[from] EncodeFault),
    /// A model gave another number of scores than it should: a mistake of ours.
    #[error(transparent)]
    Feed(#[from] FeedError),
}
