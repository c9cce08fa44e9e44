//! The innermost services: what answers a call once it is known where it goes.

mod compress;
mod local;
mod models;
mod upstream;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::Response;
use tower::Service;

pub(crate) use self::{
    local::{Embedder, LocalRung},
    models::ModelList,
    upstream::{Origin, UpstreamRung},
};
use crate::{body::Body, call::Funded, error::CallError, prose::Prose};

/// All rungs; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Rungs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    local: LocalRung,
    upstream: UpstreamRung,
    models: ModelList,
    prose: Prose,
}

// === impl Rungs ===

impl Rungs {
    /// Puts the rungs together.
    pub(crate) fn new(
        local: LocalRung,
        upstream: UpstreamRung,
        models: ModelList,
        prose: Prose,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                local,
                upstream,
                models,
                prose,
            }),
        }
    }
}

impl Service<Funded> for Rungs {
    type Response = Response<Body>;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Response<Body>, CallError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, funded: Funded) -> Self::Future {
        let rungs = self.inner.clone();
        Box::pin(async move {
            match funded {
                Funded::Local(call, name, spending) => {
                    rungs.local.answer(call, &name, spending).await
                }
                Funded::Upstream(call, target, spending) => {
                    rungs.upstream.answer(call, target, spending).await
                }
                Funded::PassThrough(call, index) => rungs.upstream.pass(call, index).await,
                Funded::Models(call) => Ok(rungs.models.answer(&call)),
                Funded::Compress(call) => compress::answer(&rungs.prose, &call).await,
            }
        })
    }
}
