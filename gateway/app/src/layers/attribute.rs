//! What the call belongs to, read from headers and body.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderName, Response};
use skinflint_ledger::Outcome;
use tower::{Layer, Service};

use crate::{
    attribution::Attribution,
    body::Body,
    call::{Ask, Asked, Attributed},
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

/// Says that the task is over after this call, and how it went: `success`, `failure` or `unknown`.
const TASK_OUTCOME: HeaderName = HeaderName::from_static("x-skinflint-task-outcome");

impl<S> Layer<S> for AttributeLayer {
    type Service = Attribute<S>;

    fn layer(&self, inner: S) -> Attribute<S> {
        Attribute { inner }
    }
}

impl<S> Service<Asked> for Attribute<S>
where
    S: Service<Attributed, Response = Response<Body>, Error = CallError>,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, asked: Asked) -> Self::Future {
        let Asked { call, ask } = asked;
        let request = match &ask {
            Ask::Model(_, view) => Some((&**view, &call.body[..])),
            Ask::Models | Ask::Compress | Ask::Other => None,
        };
        let tenant = &call.caller.tenant;
        let attribution = Arc::new(Attribution::of(&tenant.id, &call.parts.headers, request));
        let holdout = attribution.is_held_out(&tenant.id, tenant.holdout);
        let outcome = call
            .parts
            .headers
            .get(&TASK_OUTCOME)
            .and_then(|value| Outcome::named(value.to_str().ok()?));
        call.receipt.enter(|entries| {
            entries.task_outcome = outcome;
            entries.attribution = Some(attribution.clone());
            entries.holdout = holdout;
        });
        self.inner.call(Attributed {
            call,
            ask,
            attribution,
        })
    }
}
