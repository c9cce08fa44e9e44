//! The admin listener: health, readiness, metrics, the API.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::registry::Registry;
use secrecy::{ExposeSecret, SecretString};
use skinflint_policies::AdminAccess;
use subtle::ConstantTimeEq;

use crate::{
    api::{Api, ApiError},
    drain::Drain,
    local::LocalModels,
    metrics, this_machine,
};

/// What the admin pages read.
#[derive(Debug)]
pub(crate) struct Admin {
    registry: Registry,
    access: AdminAccess,
    drain: Drain,
    local: LocalModels,
}

/// The media type of OpenMetrics, which Prometheus negotiates.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

// === impl Admin ===

impl Admin {
    /// Gathers what the pages read.
    pub(crate) fn new(
        registry: Registry,
        access: AdminAccess,
        drain: Drain,
        local: LocalModels,
    ) -> Self {
        Self {
            registry,
            access,
            drain,
            local,
        }
    }

    /// The pages as a service.
    pub(crate) fn router(self, api: Api) -> Router {
        let admin = Arc::new(self);
        let guarded = Router::new()
            .route("/metrics", get(page_of_metrics))
            .route_layer(middleware::from_fn_with_state(admin.clone(), authorize));
        let api = api
            .router()
            .layer(middleware::from_fn_with_state(admin.clone(), authorize_api));
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(readiness))
            .merge(guarded)
            .nest("/api", api)
            .with_state(admin)
    }
}

/// Orchestrators ask without a token, so only these two pages go without.
async fn readiness(State(admin): State<Arc<Admin>>) -> Response {
    if admin.drain.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if admin.local.is_starting() {
        return (StatusCode::SERVICE_UNAVAILABLE, "loading the local model\n").into_response();
    }
    "ready\n".into_response()
}

async fn page_of_metrics(State(admin): State<Arc<Admin>>) -> Response {
    match metrics::render(&admin.registry) {
        Ok(page) => ([(header::CONTENT_TYPE, OPEN_METRICS)], page).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be printed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn authorize(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let AdminAccess::Token(token) = &admin.access else {
        return match this_machine::refuse_others(request.uri(), request.headers()) {
            Ok(()) => next.run(request).await,
            Err(error) => (StatusCode::FORBIDDEN, format!("{error}\n")).into_response(),
        };
    };
    if shows(token, request.headers()) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, "a token is needed\n").into_response()
}

/// The API tells and changes what money was spent on, so it is closed to everybody where there is no token, on loopback too.
async fn authorize_api(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    match &admin.access {
        AdminAccess::Loopback => ApiError::no_token().into_response(),
        AdminAccess::Token(token) if shows(token, request.headers()) => next.run(request).await,
        AdminAccess::Token(_) => ApiError::wrong_token().into_response(),
    }
}

/// Whether a request shows the token. Takes as long whatever it shows.
fn shows(token: &SecretString, headers: &HeaderMap) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .is_some_and(|presented| presented.ct_eq(token.expose_secret().as_bytes()).into())
}

#[cfg(test)]
mod tests;
