//! The request path, outermost layer first. Nothing outside this file adds a layer.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use skinflint_policies::{Limits, Timeouts};
use tower::{ServiceBuilder, util::BoxCloneService};

use crate::{
    accounting::Accounting,
    body::{Body, BoxError},
    call::Asked,
    compression::Compression,
    error::CallError,
    layers::{
        admission::AdmissionLayer,
        aside::AsideLayer,
        attribute::AttributeLayer,
        authenticate::AuthenticateLayer,
        budget::BudgetLayer,
        cache_hints::CacheHintsLayer,
        catch_panic::CatchPanicLayer,
        compress::CompressLayer,
        rate_limit::RateLimitLayer,
        read::ReadLayer,
        rescue::RescueLayer,
        route::{RouteLayer, RouteMap},
        telemetry::TelemetryLayer,
    },
    logs::CallLog,
    metrics::Metrics,
    policy::LivePolicies,
    rungs::Rungs,
};

/// The whole stack, as a connection calls it.
pub(crate) type CallService<B = Incoming> = BoxCloneService<Request<B>, Response<Body>, Infallible>;

/// What is known by the time a call's worth is decided; a seam that keeps types and compile times short.
type SpendService = BoxCloneService<Asked, Response<Body>, CallError>;

/// What the layers are made from.
#[derive(Debug)]
pub(crate) struct Parts {
    /// What a request may take up.
    pub limits: Limits,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Who may call, and what they may spend.
    pub policies: LivePolicies,
    /// Where money is reserved and written down.
    pub accounting: Accounting,
    /// Which model goes where.
    pub map: Arc<RouteMap>,
    /// What makes requests smaller.
    pub compression: Compression,
    /// Where calls are counted.
    pub metrics: Metrics,
    /// Where their lines go.
    pub log: CallLog,
    /// What answers.
    pub rungs: Rungs,
}

/// Assembles the request path.
pub(crate) fn stack<B>(parts: Parts) -> CallService<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let spend: SpendService = BoxCloneService::new(
        ServiceBuilder::new()
            // Before anything is done for a call, but after it is read: its tokens count too.
            .layer(RateLimitLayer::new(parts.accounting.clone()))
            // Before anything that costs: what is spent or saved below is spent or saved for a task.
            .layer(AttributeLayer)
            // Before budgets: it is the one who answers whose price counts.
            .layer(RouteLayer::new(parts.map.clone()))
            // Before budgets: what is reserved and paid is the request as it is sent.
            .layer(CompressLayer::new(parts.compression))
            // Around budgets: each time that the provider goes on is reserved and paid by itself.
            .layer(AsideLayer)
            // After all that changes what is sent, and before budgets: what is written to a provider's cache costs more.
            .layer(CacheHintsLayer::new(parts.map.clone()))
            // Innermost: nothing below it can be reached without a reservation.
            .layer(BudgetLayer::new(parts.accounting.clone(), parts.map))
            .service(parts.rungs),
    );
    BoxCloneService::new(
        ServiceBuilder::new()
            // Outermost, so that a panic in any layer is still one answer and the connection goes on.
            .layer(CatchPanicLayer)
            // Before anything is remembered of a call: a flood must cost no more than a counter.
            .layer(AdmissionLayer::new(
                parts.limits.in_flight,
                parts.metrics.clone(),
            ))
            // Around everything that can refuse, so that refusals have an id, a line and a count too.
            .layer(TelemetryLayer::new(
                parts.metrics,
                parts.log,
                parts.accounting,
            ))
            // The only place where an error becomes a status; below it, services fail with their errors.
            .layer(RescueLayer)
            // Before the body is read: who is not known may not make us hold megabytes.
            .layer(AuthenticateLayer::new(parts.policies))
            // The last layer that waits for the client; all below see the whole request.
            .layer(ReadLayer::new(&parts.limits, &parts.timeouts))
            .service(spend),
    )
}

#[cfg(test)]
mod tests;
