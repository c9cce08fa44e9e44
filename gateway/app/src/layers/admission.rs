//! So many calls at a time; one more is turned away at once.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{Layer, Service};

use crate::{
    body::{Body, Holding},
    error::CallError,
    metrics::Metrics,
    receipt::Receipt,
    rescue,
    surface::Surface,
};

/// Puts [`Admission`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct AdmissionLayer {
    permits: Arc<Semaphore>,
    metrics: Metrics,
}

/// Holds a permit for each call until the last byte of its answer.
#[derive(Debug, Clone)]
pub(crate) struct Admission<S> {
    inner: S,
    layer: AdmissionLayer,
}

/// A call's place; given back when it is dropped.
#[derive(Debug)]
struct Place {
    _permit: OwnedSemaphorePermit,
    metrics: Metrics,
}

// === impl AdmissionLayer ===

impl AdmissionLayer {
    /// Admits `in_flight` calls at a time.
    pub(crate) fn new(in_flight: usize, metrics: Metrics) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(in_flight.min(Semaphore::MAX_PERMITS))),
            metrics,
        }
    }

    fn enter(&self) -> Option<Place> {
        let permit = self.permits.clone().try_acquire_owned().ok()?;
        self.metrics.in_flight.inc();
        Some(Place {
            _permit: permit,
            metrics: self.metrics.clone(),
        })
    }
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Admission<S> {
        Admission {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

// === impl Admission ===

impl<S, B> Service<Request<B>> for Admission<S>
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
        let Some(place) = self.layer.enter() else {
            self.layer.metrics.overloaded.inc();
            let surface = Surface::of(request.method(), request.uri().path());
            let dialect = surface.dialect(request.headers());
            let id = Receipt::open(surface).id();
            let refusal = rescue::respond(&CallError::Overloaded, dialect, id);
            return Box::pin(async { Ok(refusal) });
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            Ok(response.map(|body| Holding::new(body, place).boxed_unsync()))
        })
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;
    use crate::body::full;

    #[tokio::test]
    async fn a_place_is_kept_until_the_body_ends() {
        let (metrics, _) = Metrics::new(skinflint_upstream::InFlight::default());
        let service = AdmissionLayer::new(1, metrics.clone()).layer(tower::service_fn(
            |_: Request<()>| async { Ok(Response::new(full("answer"))) },
        ));
        let ask = || {
            let request = Request::post("/v1/messages").body(()).unwrap();
            service.clone().oneshot(request)
        };
        let first = ask().await.unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(metrics.in_flight.get(), 1);
        let second = ask().await.unwrap();
        assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(second.headers()["retry-after"], "1");
        first.into_body().collect().await.unwrap();
        assert_eq!(metrics.in_flight.get(), 0);
        assert_eq!(ask().await.unwrap().status(), StatusCode::OK);
    }
}
