//! What the call belongs to, read from headers and body; told back to the client in `x-skinflint-task`.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Response};
use tower::{Layer, Service};

use crate::{
    attribution::Attribution,
    body::Body,
    call::{Ask, Asked},
    error::CallError,
};

/// Puts [`Attribute`] around a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttributeLayer;

/// Names task, session and agent.
#[derive(Debug, Clone)]
pub(crate) struct Attribute<S> {
    inner: S,
}

const TASK: HeaderName = HeaderName::from_static("x-skinflint-task");

impl<S> Layer<S> for AttributeLayer {
    type Service = Attribute<S>;

    fn layer(&self, inner: S) -> Attribute<S> {
        Attribute { inner }
    }
}

impl<S> Service<Asked> for Attribute<S>
where
    S: Service<Asked, Response = Response<Body>, Error = CallError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Response<Body>, CallError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, asked: Asked) -> Self::Future {
        let request = match &asked.ask {
            Ask::Model(_, view) => Some((&**view, &asked.body[..])),
            Ask::Models | Ask::Other => None,
        };
        let tenant = &asked.caller.tenant.id;
        let attribution = Attribution::of(tenant, &asked.parts.headers, request);
        let task = HeaderValue::from_str(attribution.task.as_str()).ok();
        asked
            .receipt
            .enter(|entries| entries.attribution = Some(attribution));
        let answer = self.inner.call(asked);
        Box::pin(async move {
            let mut response = answer.await?;
            // A name outside ASCII cannot be a header; the log line and the books have it.
            if let Some(task) = task {
                response.headers_mut().insert(TASK, task);
            }
            Ok(response)
        })
    }
}
