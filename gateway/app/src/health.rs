//! `/health` beside the calls, where load generators and scripts of other servers look for it.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use futures_util::future::Either;
use http::{Request, Response, StatusCode};
use tower::Service;

use crate::{
    body::{Body, full},
    local::LocalModels,
};

/// Answers `/health` itself, if there is something to tell of, and leaves the rest to the service in it.
#[derive(Debug, Clone)]
pub(crate) struct Health<S> {
    inner: S,
    local: Option<LocalModels>,
}

impl<S> Health<S> {
    /// Tells whether the main local model can answer.
    pub(crate) fn new(inner: S, local: Option<LocalModels>) -> Self {
        Self { inner, local }
    }
}

impl<S, B> Service<Request<B>> for Health<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &self.local {
            Some(local) if request.uri().path() == "/health" => {
                let (status, text) = if local.is_ready() {
                    (StatusCode::OK, "ok\n")
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, "no model\n")
                };
                let mut response = Response::new(full(text));
                *response.status_mut() = status;
                Either::Right(ready(Ok(response)))
            }
            _ => Either::Left(self.inner.call(request)),
        }
    }
}
