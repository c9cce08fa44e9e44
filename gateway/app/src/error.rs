//! Why a call is not answered as asked. What the client is told of it is decided in `rescue.rs`.

use std::time::Duration;

use skinflint_local_model::{EngineFault, GenerateError};
use skinflint_protocol::{EditError, Endpoint, TapError, Unsupported, ViewError};
use skinflint_upstream::{BodyError, SendError};

/// Any refusal or failure of a call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// Too many calls in flight.
    #[error("too many calls are in flight")]
    Overloaded,
    /// The caller may not call.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The body did not arrive as it should.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The body is not a request of its endpoint.
    #[error(transparent)]
    View(#[from] ViewError),
    /// Nothing is to be found under this method and path.
    #[error("no such endpoint")]
    UnknownEndpoint {
        /// The path is known, but only for this method.
        allowed: Option<&'static str>,
    },
    /// A WebSocket was asked for.
    #[error("no WebSocket is offered")]
    NoWebSocket,
    /// The model cannot be asked here.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A provider failed.
    #[error("upstream `{name}`")]
    Upstream {
        /// The provider.
        name: String,
        /// How.
        #[source]
        fault: UpstreamFault,
    },
    /// The local model refused or failed.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The view's own spans do not fit its body.
    #[error("an edit does not fit the request body")]
    Edit(#[from] EditError),
}

/// Why a caller may not call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    /// Without keys, only this machine may call.
    #[error("`{header}: {value}` does not name this machine")]
    Foreign {
        /// The header that names somebody else.
        header: &'static str,
        /// What it says.
        value: String,
    },
    /// No key was sent.
    #[error("no key was sent")]
    Missing,
    /// The key sent is unknown or revoked.
    #[error("the key sent is unknown or revoked")]
    Unknown,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Larger than allowed, as sent.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// Larger than allowed, decompressed.
    #[error("the body is larger than {limit} bytes after decompression")]
    Inflated {
        /// The limit.
        limit: u64,
    },
    /// Compressed in a way that is not understood, or more than once.
    #[error("unsupported content-encoding `{encoding}`")]
    Encoding {
        /// The header's value.
        encoding: String,
    },
    /// The compressed data is damaged or cut off.
    #[error("the compressed body is damaged or cut off: {0}")]
    Decompression(#[source] std::io::Error),
    /// Nothing came for so long.
    #[error("the client was silent for {0:?} within its body")]
    Idle(Duration),
    /// The body took longer than it may as a whole.
    #[error("the body did not arrive within {0:?}")]
    Slow(Duration),
    /// The client broke off.
    #[error("the client broke off its body: {0}")]
    Broken(#[source] crate::body::BoxError),
}

/// Why a model cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RouteError {
    /// No row of the table covers the model.
    #[error("no upstream serves the model `{model}`")]
    UnknownModel {
        /// What the client asked for.
        model: String,
    },
    /// The provider of the model speaks another protocol.
    #[error("upstream `{upstream}` does not speak `{endpoint}`")]
    OtherProtocol {
        /// The model asked for.
        model: String,
        /// Its provider.
        upstream: String,
        /// The endpoint that was asked.
        endpoint: Endpoint,
        /// An endpoint that would do.
        instead: Endpoint,
    },
    /// Neither the gateway nor the client has a key for the provider.
    #[error("no credential for upstream `{upstream}`")]
    NoCredential {
        /// The provider.
        upstream: String,
    },
}

/// How a provider failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamFault {
    /// No response headers.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The response broke off.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The response is not what its endpoint answers with.
    #[error(transparent)]
    Garbage(#[from] TapError),
    /// The response sends the client elsewhere; its SDK would go there, with its key.
    #[error("the answer is a redirect ({0})")]
    Redirect(http::StatusCode),
    /// The response has another media type than was asked for.
    #[error("the answer is `{0}`, not JSON and no event stream")]
    MediaType(String),
    /// A stream ended without its terminal event.
    #[error("the stream ended before its terminal event")]
    CutOff,
    /// A single event or an unstreamed answer is larger than is kept in memory.
    #[error("the answer has a part of more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The gateway is stopping and can wait no longer.
    #[error("the gateway is stopping")]
    Stopping,
}

/// Why the local model gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    /// The request asks for what a text model cannot do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The endpoint is not served locally.
    #[error("the local model does not serve `{0}`")]
    Endpoint(Endpoint),
    /// The weights are not there, or could not be loaded.
    #[error("the local model is not available: {reason}")]
    Unavailable {
        /// Why, in the operator's words.
        reason: String,
    },
    /// The engine refused the call.
    #[error(transparent)]
    Refused(#[from] GenerateError),
    /// The engine failed on the call.
    #[error(transparent)]
    Fault(#[from] EngineFault),
    /// The gateway is stopping and can wait no longer.
    #[error("the gateway is stopping")]
    Stopping,
}

// === impl CallError ===

impl CallError {
    /// A label of low cardinality for logs and metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Access(_) => "access",
            Self::Read(_) => "body",
            Self::View(_) => "invalid_request",
            Self::UnknownEndpoint { .. } | Self::NoWebSocket => "unknown_endpoint",
            Self::Route(_) => "route",
            Self::Upstream { fault, .. } => fault.label(),
            Self::Local(_) => "local",
            Self::Edit(_) => "internal",
        }
    }
}

// === impl UpstreamFault ===

impl UpstreamFault {
    /// A label of low cardinality for logs and metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Send(SendError::Connect(_)) => "upstream_connect",
            Self::Send(SendError::Refused(_)) => "upstream_refused",
            Self::Send(SendError::FirstByte(_)) | Self::Body(BodyError::Idle(_)) => {
                "upstream_timeout"
            }
            Self::Send(SendError::Broken(_)) | Self::Body(BodyError::Broken(_)) | Self::CutOff => {
                "upstream_broken"
            }
            Self::Garbage(_) | Self::MediaType(_) | Self::Redirect(_) | Self::TooLarge { .. } => {
                "upstream_garbage"
            }
            Self::Stopping => "stopping",
        }
    }
}
