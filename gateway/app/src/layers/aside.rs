//! Calls of the gateway's own tool are answered here, and the provider goes on; the client sees one answer.

mod answer;

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::Response;
use tower::{Layer, Service};

use self::answer::Follow;
use crate::{body::Body, call::Routed, error::CallError};

/// Puts [`Aside`] around a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsideLayer;

/// Answers what conversations ask of the gateway itself.
#[derive(Debug, Clone)]
pub(crate) struct Aside<S> {
    inner: S,
}

impl<S> Layer<S> for AsideLayer {
    type Service = Aside<S>;

    fn layer(&self, inner: S) -> Aside<S> {
        Aside { inner }
    }
}

impl<S> Service<Routed> for Aside<S>
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
        match Follow::of(&routed) {
            None => Box::pin(inner.call(routed)),
            Some(follow) => {
                let next = self.inner.clone();
                let answer = inner.call(routed);
                Box::pin(async move { follow.relay(answer.await?, next).await })
            }
        }
    }
}
