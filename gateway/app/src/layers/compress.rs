//! Results of tools are made smaller before they are paid for.

use std::{
    num::NonZeroU32,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, Response};
use http_body_util::BodyExt as _;
use skinflint_policies::{Compress as Policy, CompressMode, Share};
use skinflint_protocol::Said;
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt as _};

use crate::{
    attribution::Label,
    body::Body,
    call::{ModelCall, Routed, UpstreamTarget},
    compression::{Audit, Compression},
    error::{AsideFault, CallError},
    trials::{Judge, Trial, Trials, listen},
};

/// Puts [`Compress`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct CompressLayer {
    compression: Compression,
}

/// Compresses what goes to a provider.
#[derive(Debug, Clone)]
pub(crate) struct Compress<S> {
    inner: S,
    compression: Compression,
}

/// Claude Code says so of the first call with a context that it has compacted.
const COMPACTED: HeaderName = HeaderName::from_static("x-claude-code-context-compacted");
/// Less than what the tenant's policy allows, for one call.
const COMPRESS: HeaderName = HeaderName::from_static("x-skinflint-compress");

// === impl CompressLayer ===

impl CompressLayer {
    /// Compresses with this.
    pub(crate) fn new(compression: Compression) -> Self {
        Self { compression }
    }
}

impl<S> Layer<S> for CompressLayer {
    type Service = Compress<S>;

    fn layer(&self, inner: S) -> Compress<S> {
        Compress {
            inner,
            compression: self.compression.clone(),
        }
    }
}

/// What may be done to a call: what its tenant's policy says, or less where the call says so. Tasks that are held out
/// to compare with are left alone.
fn mode(call: &ModelCall) -> CompressMode {
    if call.call.receipt.read(|entries| entries.holdout) {
        return CompressMode::Off;
    }
    let allowed = call.call.caller.tenant.compress.mode;
    asked(&call.call.parts.headers).map_or(allowed, |asked| asked.min(allowed))
}

/// What evidence the tenant's policy asks for. Which calls are asked both ways does not depend on what they say.
fn trial(call: &ModelCall) -> Option<Trial> {
    let Policy {
        max_error,
        audit,
        guard,
        ..
    } = &call.call.caller.tenant.compress;
    if !*guard {
        return None;
    }
    let class = call
        .attribution
        .class
        .as_ref()
        .map_or("main", Label::as_str);
    // The last bits of an id are random.
    let [.., a, b, c, d] = call.call.receipt.id().uuid().into_bytes();
    let stands_for = Share::WHOLE.get().checked_div(audit.get());
    Some(Trial {
        policy: Trial::policy(*max_error).ok()?,
        weight: stands_for
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MIN),
        tenant: call.call.caller.tenant.id.to_string(),
        class: format!("{}/{class}", call.view.model.value),
        is_audited: audit.covers(u32::from_be_bytes([a, b, c, d])),
    })
}

/// An unknown word is taken as none: a header must not fail a call.
fn asked(headers: &HeaderMap) -> Option<CompressMode> {
    CompressMode::named(headers.get(&COMPRESS)?.to_str().ok()?)
}

// === impl Compress ===

impl<S> Service<Routed> for Compress<S>
where
    S: Service<Routed, Response = Response<Body>, Error = CallError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Response<Body>, CallError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, routed: Routed) -> Self::Future {
        // The service that was found ready is the one that is called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let compression = self.compression.clone();
        let again = self.inner.clone();
        Box::pin(async move {
            let (call, target) = match routed {
                Routed::Upstream(call, target) => (call, target),
                other => return inner.call(other).await,
            };
            let (mode, trial) = (mode(&call), trial(&call));
            let compacted = call.call.parts.headers.contains_key(COMPACTED);
            let (call, audit) = compression.apply(mode, trial, compacted, call).await;
            let Some(audit) = audit else {
                return inner.call(Routed::Upstream(call, target)).await;
            };
            let endpoint = call.endpoint;
            let answer = inner.call(Routed::Upstream(call, target.clone())).await?;
            let heard = listen(endpoint, answer).await;
            let (answer, said) = heard.map_err(AsideFault::Body)?;
            // What a provider declines says nothing about answers.
            if answer.status().is_success() {
                let trials = compression.trials().clone();
                let compared = compare(trials.clone(), audit, target, again, said);
                trials.spawn(compared);
            }
            Ok(answer)
        })
    }
}

/// Asks the call the other way, and says what the two answers come to. What fails tells nothing.
async fn compare<S>(
    trials: Trials,
    audit: Audit,
    target: UpstreamTarget,
    mut inner: S,
    said: oneshot::Receiver<Said>,
) where
    S: Service<Routed, Response = Response<Body>, Error = CallError> + Send,
    S::Future: Send,
{
    let Audit {
        technique,
        trial,
        call,
    } = audit;
    let endpoint = call.endpoint;
    let asked = async {
        let answer = inner.ready().await.ok()?;
        let answer = answer.call(Routed::Upstream(call, target)).await.ok()?;
        let (answer, other) = listen(endpoint, answer).await.ok()?;
        answer.into_body().collect().await.ok()?;
        other.await.ok()
    };
    let (Some(other), Ok(said)) = tokio::join!(asked, said) else {
        return;
    };
    let (is_same, by) = Judge::compare(&said, &other);
    trials.found(technique, &trial, !is_same, by);
}
