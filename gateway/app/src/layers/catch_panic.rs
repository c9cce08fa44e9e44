//! A panic below becomes one error response; the other calls do not notice.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use http::{Request, Response};
use tower::{Layer, Service};

use crate::{
    body::{Body, full},
    rescue,
    surface::Surface,
};

/// Puts [`CatchPanic`] around a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CatchPanicLayer;

/// Answers with an internal error when the service below panics before its response headers.
#[derive(Debug, Clone)]
pub(crate) struct CatchPanic<S> {
    inner: S,
}

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> CatchPanic<S> {
        CatchPanic { inner }
    }
}

impl<S, B> Service<Request<B>> for CatchPanic<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let surface = Surface::of(request.method(), request.uri().path());
        let dialect = surface.dialect(request.headers());
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            if let Ok(answer) = answer.await {
                return answer;
            }
            tracing::error!(endpoint = surface.label(), "a call panicked");
            let told = rescue::internal();
            let mut response = Response::new(full(told.body.to_body(dialect)));
            *response.status_mut() = told.status;
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_error_in_the_clients_shape() {
        let service = CatchPanicLayer.layer(tower::service_fn(|request: Request<()>| async move {
            assert_ne!(request.uri().path(), "/v1/messages", "boom");
            Ok(Response::new(full("fine")))
        }));
        let ask = |path: &str| {
            let request = Request::post(path).body(()).unwrap();
            service.clone().oneshot(request)
        };
        assert_eq!(ask("/v1/messages").await.unwrap().status(), 500);
        assert_eq!(ask("/v1/responses").await.unwrap().status(), 200);
    }
}
