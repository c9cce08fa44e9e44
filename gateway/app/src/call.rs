//! A call on its way inwards: each stage of the stack hands the next one a type that says what is known by then.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, request::Parts};
use skinflint_ledger::Spared;
use skinflint_policies::{KeyId, ModelTarget, Policies, Tenant};
use skinflint_protocol::{Endpoint, RequestView};

use uuid::Uuid;

use crate::{accounting::Spending, attribution::Attribution, compression::Offer, receipt::Receipt};

/// A request with the record of its call.
#[derive(Debug)]
pub(crate) struct Recorded<B> {
    /// The request as it came.
    pub request: Request<B>,
    /// The call's record.
    pub receipt: Receipt,
}

/// Who calls is known; the body has not been read.
#[derive(Debug)]
pub(crate) struct Authenticated<B> {
    /// The request, without the gateway's own key.
    pub request: Request<B>,
    /// Who calls.
    pub caller: Caller,
    /// The call's record.
    pub receipt: Receipt,
}

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The key that it showed; none for a caller without one.
    pub key: Option<KeyId>,
    /// Whether the headers still hold a provider credential of the client's own.
    pub brings_credential: bool,
    /// Whether that is a subscription's token, so that what its calls cost is a notion.
    pub has_subscription: bool,
    /// The policies that hold for this call, to its end.
    pub policies: Arc<Policies>,
}

/// What is asked is known.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The request.
    pub call: Call,
    /// What it is.
    pub ask: Ask,
}

/// What the call belongs to is known.
#[derive(Debug)]
pub(crate) struct Attributed {
    /// The request.
    pub call: Call,
    /// What it is.
    pub ask: Ask,
    /// Task, session, agent.
    pub attribution: Arc<Attribution>,
}

/// A request with its body, and who sent it.
#[derive(Debug)]
pub(crate) struct Call {
    /// Method, path, headers.
    pub parts: Parts,
    /// The body exactly as it came, after decompression.
    pub body: Bytes,
    /// Who calls.
    pub caller: Caller,
    /// The call's record.
    pub receipt: Receipt,
}

/// The kinds of request.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A call to a model, with the view of its body.
    Model(Endpoint, Arc<RequestView>),
    /// The list of models.
    Models,
    /// To compress prose.
    Compress,
    /// A path that may be passed through.
    Other,
}

/// Where it goes is known.
#[derive(Debug)]
pub(crate) enum Routed {
    /// To the model of this name in this process.
    Local(ModelCall, Arc<str>),
    /// To a provider, with a view of what it asks.
    Upstream(ModelCall, UpstreamTarget),
    /// To the provider of this index, unread.
    PassThrough(Call, usize),
    /// To the gateway's own list.
    Models(Call),
    /// To what compresses prose.
    Compress(Call),
}

/// A call to a model.
#[derive(Debug)]
pub(crate) struct ModelCall {
    /// The request.
    pub call: Call,
    /// The endpoint, which is also the shape of the answer.
    pub endpoint: Endpoint,
    /// The view of the body.
    pub view: Arc<RequestView>,
    /// What it belongs to.
    pub attribution: Arc<Attribution>,
    /// Where the gateway's own tool is on offer: what is known of the conversation.
    pub offer: Option<Arc<Offer>>,
    /// By what its room in budgets is set aside: one for all attempts.
    pub reservation: Uuid,
    /// What was kept out of its prompt.
    pub spared: Spared,
}

/// What it may cost is reserved.
#[derive(Debug)]
pub(crate) enum Funded {
    /// To the model of this name in this process.
    Local(ModelCall, Arc<str>, Spending),
    /// To a provider.
    Upstream(ModelCall, UpstreamTarget, Spending),
    /// To the provider of this index, unread and uncounted.
    PassThrough(Call, usize),
    /// To the gateway's own list.
    Models(Call),
    /// To what compresses prose, which costs nothing but this machine's time.
    Compress(Call),
}

/// Which provider, and under which name it knows the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpstreamTarget {
    /// Its place in the list of upstreams.
    pub index: usize,
    /// Another name for the model than the client's.
    pub rename: Option<String>,
}

// === impl UpstreamTarget ===

impl UpstreamTarget {
    /// The upstream side of a row of the routing table; for a local model, its name.
    pub(crate) fn of(target: &ModelTarget) -> Result<Self, Arc<str>> {
        match target {
            ModelTarget::Local(name) => Err(name.clone()),
            ModelTarget::Upstream { index, rename } => Ok(Self {
                index: *index,
                rename: rename.clone(),
            }),
        }
    }
}
