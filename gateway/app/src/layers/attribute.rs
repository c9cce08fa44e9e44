//! What the call belongs to, read from headers and body.

use std::task::{Context, Poll};

use http::Response;
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

impl<S> Layer<S> for AttributeLayer {
    type Service = Attribute<S>;

    fn layer(&self, inner: S) -> Attribute<S> {
        Attribute { inner }
    }
}

impl<S> Service<Asked> for Attribute<S>
where
    S: Service<Asked, Response = Response<Body>, Error = CallError>,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, asked: Asked) -> Self::Future {
        let call = &asked.call;
        let request = match &asked.ask {
            Ask::Model(_, view) => Some((&**view, &call.body[..])),
            Ask::Models | Ask::Other => None,
        };
        let attribution = Attribution::of(&call.caller.tenant.id, &call.parts.headers, request);
        call.receipt
            .enter(|entries| entries.attribution = Some(attribution));
        self.inner.call(asked)
    }
}
