//! Results of tools are made smaller before they are paid for.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, Response};
use skinflint_policies::CompressMode;
use tower::{Layer, Service};

use crate::{
    body::Body,
    call::{ModelCall, Routed},
    compression::Compression,
    error::CallError,
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
    let allowed = call.call.caller.tenant.compress;
    asked(&call.call.parts.headers).map_or(allowed, |asked| asked.min(allowed))
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
        Box::pin(async move {
            let routed = match routed {
                Routed::Upstream(call, target) => {
                    let mode = mode(&call);
                    Routed::Upstream(compression.apply(mode, call).await, target)
                }
                other => other,
            };
            inner.call(routed).await
        })
    }
}
