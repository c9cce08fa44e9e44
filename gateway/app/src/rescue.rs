//! The only place where an error becomes a status, a body and headers.
//!
//! A client is told what it can act on. What lies behind a failure of ours or of a provider's goes into the receipt, not into the body.

mod compress;
mod local;
mod money;

use std::time::Duration;

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use skinflint_protocol::{Dialect, ErrorBody, ErrorKind, ViewError};
use skinflint_upstream::{BodyError, SendError};

use crate::{
    body::{Body, full},
    error::{AccessError, CallError, ReadError, RouteError, UpstreamFault},
    receipt::RequestId,
};

/// What a client is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// The status, where the response headers have not gone out yet.
    pub status: StatusCode,
    /// The error, to be written in the client's dialect.
    pub body: ErrorBody,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// Nothing will have changed before that: SDKs are told not to try again by themselves.
    pub is_final: bool,
}

/// The id of a call, on every answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-skinflint-request-id");
/// Read by the SDKs of OpenAI and Anthropic.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Overload passes within moments.
const OVERLOAD_RETRY_SECONDS: u64 = 1;

/// The response that stands for an error.
pub(crate) fn respond(error: &CallError, dialect: Dialect, id: RequestId) -> Response<Body> {
    let Told {
        status,
        mut body,
        retry_after,
        is_final,
    } = tell(error);
    body.request_id = Some(id.to_string());
    let mut response = Response::new(full(body.to_body(dialect)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if is_final {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let CallError::UnknownEndpoint {
        allowed: Some(method),
    } = error
    {
        headers.insert(header::ALLOW, HeaderValue::from_static(method));
    }
    // A client that has been refused its body may still be sending it.
    if matches!(error, CallError::Read(_)) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What a client is told about an error.
pub(crate) fn tell(error: &CallError) -> Told {
    match error {
        CallError::Overloaded => Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Overloaded,
            "The gateway is at its limit of calls in flight; try again in a moment.",
        )
        .retry_after(OVERLOAD_RETRY_SECONDS),
        CallError::Access(access) => tell_access(access),
        CallError::Read(read) => tell_read(read),
        CallError::View(view) => tell_view(view),
        CallError::UnknownEndpoint { allowed: Some(_) } => Told::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorKind::InvalidRequest,
            "This path does not take this method.",
        ),
        // Codex tries a WebSocket first, and falls back to HTTP without delay on this status alone.
        CallError::NoWebSocket => Told::new(
            StatusCode::UPGRADE_REQUIRED,
            ErrorKind::InvalidRequest,
            "The gateway offers no WebSocket; send the request with POST.",
        ),
        CallError::UnknownEndpoint { allowed: None } => Told::new(
            StatusCode::NOT_FOUND,
            ErrorKind::NotFound,
            "The gateway has no such endpoint, and none of its upstreams is configured to pass this path through.",
        )
        .code("unknown_endpoint"),
        CallError::Route(route) => tell_route(route),
        CallError::Money(money) => money::tell(money),
        CallError::RateLimit(limited) => Told::new(
            StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::RateLimit,
            sentence(limited),
        )
        .code("rate_limit_exceeded")
        .retry_after(whole_seconds(limited.retry_after)),
        CallError::Upstream { name, fault } => tell_upstream(name, fault),
        CallError::Local(local) => local::tell(local),
        CallError::Aside(fault) => Told::new(
            StatusCode::BAD_GATEWAY,
            ErrorKind::Upstream,
            sentence(fault),
        ),
        CallError::Compress(fault) => compress::tell(fault),
        CallError::Edit(_) => internal(),
    }
}

/// A failure of ours, of which the client is told nothing but that it happened.
pub(crate) fn internal() -> Told {
    Told::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Api,
        "The gateway failed on this request; its log has the request id.",
    )
}

fn tell_view(error: &ViewError) -> Told {
    let message = match error {
        ViewError::Json(json) => format!("Invalid JSON: {} at byte {}.", json.kind, json.offset),
        // The text begins with the place in the request, as the request spells it.
        other => format!("{other}."),
    };
    Told::new(StatusCode::BAD_REQUEST, ErrorKind::InvalidRequest, message).param(error.path())
}

fn tell_access(error: &AccessError) -> Told {
    match error {
        AccessError::Foreign { header, .. } => Told::new(
            StatusCode::FORBIDDEN,
            ErrorKind::Permission,
            format!("Without keys the gateway serves only this machine, and the request's `{header}` header names another."),
        ),
        AccessError::Missing => Told::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::Authentication,
            "A gateway key is needed, as `Authorization: Bearer`, `x-api-key` or `x-skinflint-key`.",
        )
        .code("missing_key"),
        AccessError::Unknown => Told::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::Authentication,
            "The gateway key is unknown or revoked.",
        )
        .code("invalid_api_key"),
    }
}

fn tell_read(error: &ReadError) -> Told {
    let status = match error {
        ReadError::TooLarge { .. } | ReadError::Inflated { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        ReadError::Encoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ReadError::Idle(_) | ReadError::Slow(_) => StatusCode::REQUEST_TIMEOUT,
        ReadError::Decompression(_) | ReadError::Broken(_) => StatusCode::BAD_REQUEST,
    };
    let kind = match error {
        ReadError::TooLarge { .. } | ReadError::Inflated { .. } => ErrorKind::RequestTooLarge,
        ReadError::Idle(_) | ReadError::Slow(_) => ErrorKind::Timeout,
        _ => ErrorKind::InvalidRequest,
    };
    let message = match error {
        // The decoder's own words are about its insides.
        ReadError::Decompression(_) => "The compressed body is damaged or cut off.".to_owned(),
        ReadError::Broken(_) => "The body was broken off.".to_owned(),
        other => sentence(other),
    };
    Told::new(status, kind, message)
}

fn tell_route(error: &RouteError) -> Told {
    match error {
        RouteError::UnknownModel { model } => Told::new(
            StatusCode::NOT_FOUND,
            ErrorKind::NotFound,
            format!(
                "The model `{model}` is not in the gateway's table; `GET /v1/models` lists what is."
            ),
        )
        .param(Some("model"))
        .code("model_not_found"),
        RouteError::NotAllowed { model, .. } => Told::new(
            StatusCode::FORBIDDEN,
            ErrorKind::Permission,
            format!("The model `{model}` is not among those that this key's tenant may ask."),
        )
        .param(Some("model"))
        .code("model_not_allowed"),
        RouteError::OtherProtocol { model, instead, .. } => Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            format!(
                "The model `{model}` is served over `{}`, not over this endpoint.",
                instead.path()
            ),
        )
        .param(Some("model"))
        .code("wrong_endpoint"),
        RouteError::NoCredential { upstream } => Told::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::Authentication,
            format!(
                "Neither the gateway nor this request has a key for the upstream `{upstream}`."
            ),
        )
        .code("missing_upstream_key"),
    }
}

fn tell_upstream(name: &str, fault: &UpstreamFault) -> Told {
    let (status, kind, what) = match fault {
        UpstreamFault::Send(SendError::Connect(_)) => (
            StatusCode::BAD_GATEWAY,
            ErrorKind::Upstream,
            "cannot be reached",
        ),
        UpstreamFault::Send(SendError::Refused(_)) => (
            StatusCode::BAD_GATEWAY,
            ErrorKind::Upstream,
            "refused the request",
        ),
        UpstreamFault::Send(SendError::FirstByte(_)) => (
            StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Timeout,
            "did not answer in time",
        ),
        UpstreamFault::Body(BodyError::Idle(_)) => (
            StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Timeout,
            "fell silent within its answer",
        ),
        UpstreamFault::Send(SendError::Broken(_))
        | UpstreamFault::Body(BodyError::Broken(_))
        | UpstreamFault::CutOff => (
            StatusCode::BAD_GATEWAY,
            ErrorKind::Upstream,
            "broke off its answer",
        ),
        UpstreamFault::Redirect(_) => (
            StatusCode::BAD_GATEWAY,
            ErrorKind::Upstream,
            "answered with a redirect, which the gateway does not follow",
        ),
        UpstreamFault::Garbage(_) | UpstreamFault::MediaType(_) => (
            StatusCode::BAD_GATEWAY,
            ErrorKind::Upstream,
            "sent something that is not an answer of this API",
        ),
        UpstreamFault::TooLarge { .. } => (
            StatusCode::BAD_GATEWAY,
            ErrorKind::Upstream,
            "sent an answer that is too large",
        ),
        UpstreamFault::Stopping => return stopping(),
    };
    Told::new(status, kind, format!("The upstream `{name}` {what}.")).code(fault.label())
}

fn stopping() -> Told {
    Told::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Overloaded,
        "The gateway is stopping; try again.",
    )
    .code("stopping")
    .retry_after(OVERLOAD_RETRY_SECONDS)
}

/// Rounded up, as a client that comes back too soon is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// An error's text as a sentence for a person.
fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if first != '`' => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        _ => format!("{text}."),
    }
}

// === impl Told ===

impl Told {
    fn new(status: StatusCode, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            status,
            body: ErrorBody::new(kind, message),
            retry_after: None,
            is_final: false,
        }
    }

    /// SDKs that try again by themselves are told not to.
    fn final_word(mut self) -> Self {
        self.is_final = true;
        self
    }

    fn param(mut self, param: Option<&str>) -> Self {
        self.body.param = param.map(str::to_owned);
        self
    }

    fn code(mut self, code: &'static str) -> Self {
        self.body.code = Some(code.to_owned());
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}
