//! Why prose is not compressed for whoever asks: [`CompressError`].

use skinflint_compressor::lingua::OptionError;
use skinflint_prose::ProseError;

use super::LocalError;
use crate::prose::ProseFault;

/// Why prose is not compressed for whoever asks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompressError {
    /// The body is not what it should be.
    #[error("`{path}`: {fault}", path = .0.path(), fault = .0.inner())]
    Body(serde_path_to_error::Error<serde_json::Error>),
    /// Something stands behind it.
    #[error("the body: {0}")]
    End(serde_json::Error),
    /// A parameter makes no sense.
    #[error(transparent)]
    Option(OptionError),
    /// The classifier that the method needs is not to be had.
    #[error("there is no classifier of tokens")]
    NoClassifier(#[source] LocalError),
    /// It cannot be done.
    #[error(transparent)]
    Prose(ProseFault),
}

impl CompressError {
    /// Whether the client can mend it.
    pub(crate) fn is_the_clients(&self) -> bool {
        match self {
            Self::Body(_) | Self::End(_) | Self::Option(_) => true,
            Self::Prose(ProseFault::Compress(error)) => matches!(
                error,
                ProseError::Option(_) | ProseError::Tag { .. } | ProseError::NoQuestion(_)
            ),
            Self::NoClassifier(_) | Self::Prose(ProseFault::Model(_)) => false,
        }
    }

    /// A label of low cardinality for logs and metrics.
    pub(crate) fn label(&self) -> &'static str {
        if self.is_the_clients() {
            "invalid_request"
        } else {
            "local"
        }
    }
}
