//! Where a call goes, by the static table: a model's name decides, or for other paths the configuration's list.

use std::{
    cmp::Reverse,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{self, Either, Ready};
use http::{Response, header};
use skinflint_ledger::Spared;
use skinflint_policies::{ClientCredentials, Local, ModelTable, Upstream, UpstreamProtocol};
use skinflint_protocol::{Dialect, Endpoint};
use tower::{Layer, Service};

use crate::{
    body::Body,
    call::{Ask, Attributed, Call, Caller, ModelCall, Routed, UpstreamTarget},
    error::{CallError, RouteError},
    receipt::{Decision, RouteTaken},
    surface::COMPRESS,
};

/// Puts [`Route`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct RouteLayer {
    map: Arc<RouteMap>,
}

/// Chooses the rung that answers.
#[derive(Debug, Clone)]
pub(crate) struct Route<S> {
    inner: S,
    map: Arc<RouteMap>,
}

/// What the choice is made from.
#[derive(Debug)]
pub(crate) struct RouteMap {
    /// Which model goes where.
    pub models: ModelTable,
    /// The providers, in the order that the table's indexes count.
    pub upstreams: Vec<Upstream>,
    /// The name of the main local model; empty if there is none.
    local: Arc<str>,
}

// === impl RouteLayer ===

impl RouteLayer {
    /// Routes by this map.
    pub(crate) fn new(map: Arc<RouteMap>) -> Self {
        Self { map }
    }
}

impl<S> Layer<S> for RouteLayer {
    type Service = Route<S>;

    fn layer(&self, inner: S) -> Route<S> {
        Route {
            inner,
            map: self.map.clone(),
        }
    }
}

// === impl Route ===

impl<S> Service<Attributed> for Route<S>
where
    S: Service<Routed, Response = Response<Body>, Error = CallError>,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = Either<S::Future, Ready<Result<Response<Body>, CallError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, attributed: Attributed) -> Self::Future {
        let receipt = attributed.call.receipt.clone();
        match self.map.decide(attributed) {
            Ok((routed, taken)) => {
                receipt.decide(Decision::Routed {
                    to: taken.to_string(),
                });
                receipt.enter(|entries| entries.route = Some(taken));
                Either::Left(self.inner.call(routed))
            }
            Err(error) => Either::Right(future::ready(Err(error))),
        }
    }
}

// === impl RouteMap ===

impl RouteMap {
    /// A map of a table, its providers, and the local model if there is one.
    pub(crate) fn new(models: ModelTable, upstreams: Vec<Upstream>, local: &Local) -> Self {
        Self {
            models,
            upstreams,
            local: match local {
                Local::On(settings) => settings.main.name.as_str().into(),
                Local::Off => "".into(),
            },
        }
    }

    /// The local model that stands in for others: the main one. Empty if there is none.
    pub(crate) fn stand_in(&self) -> Arc<str> {
        self.local.clone()
    }

    fn decide(&self, attributed: Attributed) -> Result<(Routed, RouteTaken), CallError> {
        let Attributed {
            call,
            ask,
            attribution,
        } = attributed;
        match ask {
            Ask::Model(endpoint, view) => self.decide_model(ModelCall {
                reservation: call.receipt.id().uuid(),
                call,
                endpoint,
                view,
                attribution,
                offer: None,
                spared: Spared::default(),
            }),
            Ask::Models => Ok((Routed::Models(call), RouteTaken::Gateway)),
            Ask::Compress => Ok((Routed::Compress(call), RouteTaken::Local)),
            Ask::Other => self.decide_other(call),
        }
    }

    fn decide_model(&self, model_call: ModelCall) -> Result<(Routed, RouteTaken), CallError> {
        let model = &model_call.view.model.value;
        let tenant = &model_call.call.caller.tenant;
        if !tenant.allows(model) {
            return Err(CallError::from(RouteError::NotAllowed {
                tenant: tenant.id.clone(),
                model: model.clone(),
            }));
        }
        let target = self
            .models
            .find(model)
            .ok_or_else(|| RouteError::UnknownModel {
                model: model.clone(),
            })?;
        let target = match UpstreamTarget::of(target) {
            Ok(target) => target,
            Err(local) => return Ok((Routed::Local(model_call, local), RouteTaken::Local)),
        };
        let upstream = &self.upstreams[target.index];
        if speaks(upstream.protocol) != model_call.endpoint.dialect() {
            return Err(CallError::from(RouteError::OtherProtocol {
                model: model.clone(),
                upstream: upstream.name.clone(),
                endpoint: model_call.endpoint,
                instead: main_endpoint(upstream.protocol),
            }));
        }
        check_credential(upstream, &model_call.call.caller)?;
        let taken = RouteTaken::Upstream(upstream.name.clone());
        Ok((Routed::Upstream(model_call, target), taken))
    }

    fn decide_other(&self, call: Call) -> Result<(Routed, RouteTaken), CallError> {
        let path = call.parts.uri.path();
        let dialect = call.receipt.surface().dialect(&call.parts.headers);
        // Where several would take it, the one that speaks the client's dialect.
        let found = self
            .upstreams
            .iter()
            .enumerate()
            .filter(|(_, upstream)| upstream.passes(path))
            .max_by_key(|(index, upstream)| {
                (speaks(upstream.protocol) == dialect, Reverse(*index))
            });
        let Some((index, upstream)) = found else {
            return Err(if call.parts.headers.contains_key(header::UPGRADE) {
                CallError::NoWebSocket
            } else {
                let viewed = Endpoint::from_path(path).map(|_| "POST");
                let viewed = viewed.or((path == COMPRESS).then_some("POST"));
                let allowed = viewed.or((path == "/v1/models").then_some("GET"));
                CallError::UnknownEndpoint { allowed }
            });
        };
        check_credential(upstream, &call.caller)?;
        let taken = RouteTaken::Upstream(upstream.name.clone());
        Ok((Routed::PassThrough(call, index), taken))
    }
}

/// A provider that checks keys must be sent one: the client is told here rather than by a puzzling answer from there.
fn check_credential(upstream: &Upstream, caller: &Caller) -> Result<(), RouteError> {
    let policy = caller.tenant.client_credentials;
    let passes_on = caller.brings_credential && policy != ClientCredentials::Never;
    let needs_none = !caller.brings_credential && policy == ClientCredentials::WhenUnset;
    if upstream.api_key.is_some() || passes_on || needs_none {
        return Ok(());
    }
    Err(RouteError::NoCredential {
        upstream: upstream.name.clone(),
    })
}

fn speaks(protocol: UpstreamProtocol) -> Dialect {
    match protocol {
        UpstreamProtocol::OpenAi => Dialect::OpenAi,
        UpstreamProtocol::Anthropic => Dialect::Anthropic,
    }
}

fn main_endpoint(protocol: UpstreamProtocol) -> Endpoint {
    match protocol {
        UpstreamProtocol::OpenAi => Endpoint::ChatCompletions,
        UpstreamProtocol::Anthropic => Endpoint::Messages,
    }
}
