//! Answers of the API: JSON, errors too.

use axum::{
    extract::rejection::{BytesRejection, PathRejection},
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use skinflint_ledger::LedgerError;

use crate::{inquiry::InquiryError, moment::NotAMoment, reconcile::ReconcileError};

/// An error as clients see it: `{"error":{"message":…,"code":…}}`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

/// Answers with a value.
pub(super) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(header::CONTENT_TYPE, JSON)], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer of the API cannot be written as JSON");
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the answer cannot be written",
            )
            .into_response()
        }
    }
}

/// Reads the JSON body of a request.
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request("bad_body", format!("the body: {error}")))
}

const JSON: &str = "application/json";

// === impl ApiError ===

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn other_method(method: &Method) -> Self {
        let message = format!("`{method}` is not offered here");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
    }

    pub(super) fn no_ledger() -> Self {
        let message = "no ledger is kept: `ledger.store` is `off`";
        Self::new(StatusCode::NOT_FOUND, "no_ledger", message)
    }

    /// Something that is asked for does not answer; what it said is for the log.
    pub(super) fn unavailable(what: &str, error: &dyn std::error::Error) -> Self {
        tracing::error!(error = causes(error), "the API cannot answer");
        let message = format!("{what} does not answer");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// Nobody may use the API while no token is configured.
    pub(crate) fn no_token() -> Self {
        let message = "the API is closed: name an environment variable with a token in `listen.admin_token_env`";
        Self::new(StatusCode::FORBIDDEN, "no_admin_token", message)
    }

    /// The token is missing or is another one.
    pub(crate) fn wrong_token() -> Self {
        let message = "expected `Authorization: Bearer` with the token of the admin side";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self {
            status,
            code,
            message,
        } = self;
        let told = serde_json::json!({ "error": { "message": message, "code": code } });
        let mut response = (status, json(&told)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = http::HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<InquiryError> for ApiError {
    fn from(error: InquiryError) -> Self {
        let message = error.to_string();
        match error {
            InquiryError::NoTask { .. } | InquiryError::NoRequest(_) => Self::not_found(message),
            InquiryError::Ambiguous { .. } => {
                Self::new(StatusCode::CONFLICT, "ambiguous_task", message)
            }
            InquiryError::NotARequest(_) => Self::bad_request("bad_request_id", message),
            InquiryError::Moment { .. } | InquiryError::Backwards => {
                Self::bad_request("bad_parameter", message)
            }
            InquiryError::Ledger(error) => error.into(),
        }
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        Self::unavailable("the ledger", &error)
    }
}

impl From<ReconcileError> for ApiError {
    fn from(error: ReconcileError) -> Self {
        let message = causes(&error);
        match error {
            ReconcileError::Export(_) => Self::bad_request("bad_export", message),
            ReconcileError::UnknownUpstream { .. } | ReconcileError::NoUpstream { .. } => {
                Self::bad_request("bad_parameter", message)
            }
            ReconcileError::Ledger(error) => error.into(),
        }
    }
}

impl From<NotAMoment> for ApiError {
    fn from(error: NotAMoment) -> Self {
        Self::bad_request("bad_parameter", error.to_string())
    }
}

impl From<PathRejection> for ApiError {
    fn from(error: PathRejection) -> Self {
        Self::bad_request("bad_path", error.body_text())
    }
}

impl From<BytesRejection> for ApiError {
    fn from(error: BytesRejection) -> Self {
        Self::new(error.status(), "bad_body", error.body_text())
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
