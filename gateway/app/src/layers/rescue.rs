//! Turns an error of the layers below into a response, and enters it into the receipt.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::Response;
use tower::{Layer, Service};

use crate::{body::Body, call::Recorded, error::CallError, rescue};

/// Puts [`Rescue`] around a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RescueLayer;

/// The boundary between services that fail and services that answer.
#[derive(Debug, Clone)]
pub(crate) struct Rescue<S> {
    inner: S,
}

impl<S> Layer<S> for RescueLayer {
    type Service = Rescue<S>;

    fn layer(&self, inner: S) -> Rescue<S> {
        Rescue { inner }
    }
}

impl<S, B> Service<Recorded<B>> for Rescue<S>
where
    S: Service<Recorded<B>, Response = Response<Body>, Error = CallError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The stack below is always ready: what is full says so per call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, recorded: Recorded<B>) -> Self::Future {
        let receipt = recorded.receipt.clone();
        let dialect = receipt.surface().dialect(recorded.request.headers());
        let answer = self.inner.call(recorded);
        Box::pin(async move {
            Ok(answer.await.unwrap_or_else(|error| {
                receipt.failed(error.label(), &error);
                rescue::respond(&error, dialect, receipt.id())
            }))
        })
    }
}
