//! Why a provider gave no answer.

use std::{error::Error, time::Duration};

/// A provider's client could not be made: TLS or the resolver could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("upstream `{name}`: {source}")]
pub struct BuildError {
    /// The upstream.
    pub name: String,
    /// What the client library said.
    #[source]
    pub source: reqwest::Error,
}

/// A request brought no response headers.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection: nothing was sent.
    #[error("cannot connect to the provider: {0}")]
    Connect(#[source] reqwest::Error),
    /// The provider refused the stream before it read the request.
    #[error("the provider refused the request: {0}")]
    Refused(#[source] reqwest::Error),
    /// The request may have been read; no response header came in time.
    #[error("the provider sent no response within {0:?}")]
    FirstByte(Duration),
    /// The connection broke, or what came was not HTTP; the request may have been read.
    #[error("the provider broke off the exchange: {0}")]
    Broken(#[source] reqwest::Error),
}

// === impl SendError ===

impl SendError {
    pub(crate) fn classify(error: reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Connect(error)
        } else if is_refusal(&error) {
            Self::Refused(error)
        } else {
            Self::Broken(error)
        }
    }

    /// Whether the provider cannot have accepted the request, so that sending it again is free of double billing.
    pub fn nothing_accepted(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Refused(_))
    }
}

/// `REFUSED_STREAM`, or a graceful `GOAWAY` before the stream was read (RFC 9113 §8.7 and §6.8).
fn is_refusal(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let reason = error.reason();
            return error.is_remote()
                && ((error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM))
                    || (error.is_go_away() && reason == Some(h2::Reason::NO_ERROR)));
        }
        source = error.source();
    }
    false
}
