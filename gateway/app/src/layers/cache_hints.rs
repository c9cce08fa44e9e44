//! The provider's prompt cache is switched on for clients that have not done so.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Response;
use skinflint_policies::UpstreamProtocol;
use skinflint_protocol::{
    EditError, EditList, Endpoint, JsonLimits, RequestView, Role, mark_prefix,
};
use tower::{Layer, Service};

use crate::{
    body::Body,
    call::{ModelCall, Routed, UpstreamTarget},
    error::CallError,
    layers::route::RouteMap,
    receipt::Decision,
};

/// Puts [`CacheHints`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct CacheHintsLayer {
    map: Arc<RouteMap>,
}

/// Says to providers what of a request will come again.
#[derive(Debug, Clone)]
pub(crate) struct CacheHints<S> {
    inner: S,
    map: Arc<RouteMap>,
}

/// About so many bytes are a token.
const BYTES_PER_TOKEN: usize = 4;
/// Routes calls of one conversation to where its prefix is kept; no more characters than OpenAI takes.
const KEY_CHARACTERS: usize = 32;

/// Shorter prefixes are not kept, in tokens, by the names that models begin with.
const LEAST: [(&str, usize); 6] = [
    ("claude-opus-5", 512),
    ("claude-opus-4-7", 2048),
    ("claude-opus-4-5", 4096),
    ("claude-opus-4-6", 4096),
    ("claude-haiku-4-5", 4096),
    ("claude-3-haiku", 2048),
];
const USUAL_LEAST: usize = 1024;

// === impl CacheHintsLayer ===

impl CacheHintsLayer {
    /// The map says who a target is.
    pub(crate) fn new(map: Arc<RouteMap>) -> Self {
        Self { map }
    }
}

impl<S> Layer<S> for CacheHintsLayer {
    type Service = CacheHints<S>;

    fn layer(&self, inner: S) -> CacheHints<S> {
        CacheHints {
            inner,
            map: self.map.clone(),
        }
    }
}

// === impl CacheHints ===

impl<S> CacheHints<S> {
    /// The call with what its client has left out. Whatever goes wrong, the call goes on as it came.
    fn hint(&self, call: ModelCall, target: &UpstreamTarget) -> ModelCall {
        let is_held_out = call.call.receipt.read(|entries| entries.holdout);
        if is_held_out || !call.call.caller.tenant.cache_hints {
            return call;
        }
        let mut edits = EditList::new();
        let upstream = &self.map.upstreams[target.index];
        let decided = match (call.endpoint, upstream.protocol) {
            (Endpoint::Messages, UpstreamProtocol::Anthropic) if comes_again(&call) => {
                let marks = mark_prefix(&call.view, &call.call.body, &mut edits);
                marks.map(|marks| Decision::CacheHints { marks, key: false })
            }
            (Endpoint::ChatCompletions | Endpoint::Responses, _)
                if upstream.provider == "openai" =>
            {
                let keyed = put_key(&call, &mut edits);
                keyed.map(|key| Decision::CacheHints { marks: 0, key })
            }
            _ => return call,
        };
        let sent = decided.and_then(|decision| Ok((decision, edits.apply(&call.call.body)?)));
        match sent {
            Ok((decision, body)) if !edits.is_empty() => with_body(call, body, decision),
            Ok(_) => call,
            Err(error) => {
                tracing::error!(%error, "a request cannot be given breakpoints; it goes on as it came");
                call
            }
        }
    }
}

fn with_body(mut call: ModelCall, body: bytes::Bytes, decision: Decision) -> ModelCall {
    // Never an error: what was put in is of the protocol.
    let Ok(view) = RequestView::parse(call.endpoint, &body, JsonLimits::default()) else {
        return call;
    };
    call.view = Arc::new(view);
    call.call.body = body;
    call.call.receipt.decide(decision);
    call
}

/// Whether a prefix is long enough to be kept, and likely to come again: an agent's, or a conversation that goes on. A
/// prefix that is written and never read costs a quarter more.
fn comes_again(call: &ModelCall) -> bool {
    let model = &call.view.model.value;
    let least = LEAST.iter().find(|(name, _)| model.starts_with(name));
    let least = least.map_or(USUAL_LEAST, |(_, least)| *least);
    let goes_on = !call.view.tools.is_empty()
        || call
            .view
            .blocks
            .iter()
            .any(|block| block.role == Role::Assistant);
    goes_on && call.call.body.len() / BYTES_PER_TOKEN >= least
}

/// Names the conversation to a provider that keeps prefixes on many machines, unless the client does.
fn put_key(call: &ModelCall, edits: &mut EditList) -> Result<bool, EditError> {
    if call.view.prompt_cache_key.is_some() {
        return Ok(false);
    }
    let tenant = call.call.caller.tenant.id.as_str();
    let attribution = &call.attribution;
    let mut hasher = blake3::Hasher::new_derive_key("skinflint 2026-11 prompt cache key");
    for part in [
        Some(tenant),
        Some(attribution.task.as_str()),
        attribution
            .agent
            .as_ref()
            .map(crate::attribution::Label::as_str),
    ] {
        let part = part.unwrap_or_default();
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut key = hasher.finalize().to_hex().to_string();
    key.truncate(KEY_CHARACTERS);
    let body = &call.call.body;
    edits.insert_member(
        body,
        &call.view.body,
        "prompt_cache_key",
        &format!("\"{key}\""),
    )?;
    Ok(true)
}

impl<S> Service<Routed> for CacheHints<S>
where
    S: Service<Routed, Response = Response<Body>, Error = CallError>,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, routed: Routed) -> Self::Future {
        let hinted = match routed {
            Routed::Upstream(call, target) => {
                let call = self.hint(call, &target);
                Routed::Upstream(call, target)
            }
            other => other,
        };
        self.inner.call(hinted)
    }
}
