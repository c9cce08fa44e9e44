//! Why a call is not answered as asked. What the client is told of it is decided in `rescue.rs`.

mod compress;

use std::time::Duration;

use http::StatusCode;
use skinflint_budget::{BudgetError, Refusal};
use skinflint_ledger::LedgerError;
use skinflint_local_model::{EncodeFault, EngineFault, GenerateError};
use skinflint_money::MoneyOverflow;
use skinflint_policies::{ByteSize, TenantId};
use skinflint_protocol::{
    AsideError, ConversationError, EditError, Endpoint, TapError, Unsupported, ViewError,
};
use skinflint_upstream::{BodyError, SendError};

pub(crate) use self::compress::CompressError;
use crate::body::BoxError;

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
    /// What the call costs stands in its way.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// It comes too soon after others.
    #[error(transparent)]
    RateLimit(#[from] RateLimited),
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
    /// The model asked the gateway for something, and could not be made to go on.
    #[error(transparent)]
    Aside(#[from] AsideFault),
    /// Prose is not compressed.
    #[error(transparent)]
    Compress(#[from] CompressError),
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
    /// The tenant may not ask this model.
    #[error("tenant `{tenant}` may not ask the model `{model}`")]
    NotAllowed {
        /// Who asks.
        tenant: TenantId,
        /// What for.
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

/// Why a call is not sent on account of its cost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoneyError {
    /// A budget has no room.
    #[error(transparent)]
    Full(Box<Refusal>),
    /// The budget's counters cannot be asked.
    #[error(transparent)]
    Budget(BudgetError),
    /// A hard budget lets nothing through whose cost cannot be counted.
    #[error("{what} cannot be held to a budget")]
    Unmetered {
        /// What was asked for.
        what: &'static str,
    },
    /// The price is not known, and the configuration names none for such models.
    #[error("no price is known for the model `{model}` of upstream `{upstream}`")]
    UnknownPrice {
        /// The model, as the provider knows it.
        model: String,
        /// The provider.
        upstream: String,
    },
    /// The price of the service tier that is asked for is not known.
    #[error("no price is known for the service tier `{tier}`")]
    UnknownTier {
        /// The tier.
        tier: String,
    },
    /// What is not written down may not be spent.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Lengths or prices are absurd.
    #[error(transparent)]
    Overflow(#[from] MoneyOverflow),
}

/// A call that comes too soon after others.
#[derive(Debug, thiserror::Error)]
#[error("{whose} is over {limit} {unit} a minute")]
pub(crate) struct RateLimited {
    /// Who is too fast.
    pub whose: &'static str,
    /// Units in a minute.
    pub limit: u64,
    /// Of what.
    pub unit: &'static str,
    /// When the same call would be let through.
    pub retry_after: Duration,
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
    /// It would take more memory than local models may, and the others are in use.
    #[error("the local model `{model}` needs {}, and `local.memory` leaves no room for it in {}", ByteSize(*need), ByteSize(*limit))]
    NoRoom {
        /// Its name.
        model: String,
        /// Bytes that it takes.
        need: u64,
        /// Bytes that all loaded models may take.
        limit: u64,
    },
    /// The embedder gave no vectors.
    #[error(transparent)]
    Encode(#[from] EncodeFault),
    /// The engine refused the call.
    #[error(transparent)]
    Refused(#[from] GenerateError),
    /// The engine failed on the call.
    #[error(transparent)]
    Fault(#[from] EngineFault),
    /// An answer in one piece took too long.
    #[error("the local model did not answer within {0:?}")]
    TooLate(Duration),
    /// The gateway is stopping and can wait no longer.
    #[error("the gateway is stopping")]
    Stopping,
}

impl From<ConversationError> for CallError {
    fn from(error: ConversationError) -> Self {
        match error {
            ConversationError::Unsupported(unsupported) => LocalError::from(unsupported).into(),
            ConversationError::View(view) => view.into(),
        }
    }
}

/// Why an answer that asked the gateway for something did not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AsideFault {
    /// It asked again and again.
    #[error("the model asked for omitted texts {0} times in one answer")]
    TooManyRounds(u32),
    /// The provider declined to go on.
    #[error("the provider answered {0} when it was given an omitted text")]
    Refused(StatusCode),
    /// What it said cannot be gone on from.
    #[error("an answer that asked for an omitted text cannot be gone on from")]
    Answer(#[from] AsideError),
    /// It broke off.
    #[error("an answer could not be read")]
    Body(#[source] BoxError),
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
            Self::Money(money) => money.label(),
            Self::RateLimit(_) => "rate_limit",
            Self::Upstream { fault, .. } => fault.label(),
            Self::Local(_) => "local",
            Self::Aside(_) => "aside",
            Self::Compress(fault) => fault.label(),
            Self::Edit(_) => "internal",
        }
    }
}

// === impl MoneyError ===

impl MoneyError {
    fn label(&self) -> &'static str {
        match self {
            Self::Full(_) => "budget",
            Self::Budget(_) => "budget_store",
            Self::Unmetered { .. } => "unmetered",
            Self::UnknownPrice { .. } | Self::UnknownTier { .. } => "unknown_price",
            Self::Ledger(_) => "ledger",
            Self::Overflow(_) => "invalid_request",
        }
    }
}

impl From<BudgetError> for MoneyError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Refused(refusal) => Self::Full(refusal),
            other => Self::Budget(other),
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
