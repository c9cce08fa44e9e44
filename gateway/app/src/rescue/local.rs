//! What a client is told when the local model gives no answer.

use http::StatusCode;
use skinflint_local_model::GenerateError;
use skinflint_protocol::ErrorKind;

use super::{Told, internal, sentence, stopping, whole_seconds};
use crate::error::LocalError;

/// Loading a model takes seconds; its weights may have to be fetched first.
const UNAVAILABLE_RETRY_SECONDS: u64 = 10;

pub(super) fn tell(error: &LocalError) -> Told {
    match error {
        LocalError::Unsupported(unsupported) => Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            // The text begins with the place in the request, as the request spells it.
            format!("{unsupported}."),
        )
        .param(Some(&unsupported.path))
        .code("unsupported_by_local_model"),
        LocalError::Endpoint(endpoint) => Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            format!("The local model does not serve `{}`.", endpoint.path()),
        )
        .param(Some("model"))
        .code("wrong_endpoint"),
        LocalError::Unavailable { .. } => Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Overloaded,
            "The local model is not loaded; `skinflint models pull` fetches its weights.",
        )
        .code("local_model_unavailable")
        .retry_after(UNAVAILABLE_RETRY_SECONDS),
        LocalError::Refused(refused) => tell_refused(refused),
        LocalError::Fault(_) => internal(),
        LocalError::TooLate(_) => Told::new(
            StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Timeout,
            "The local model did not answer in time; a stream may take longer.",
        )
        .code("local_model_timeout"),
        LocalError::Stopping => stopping(),
    }
}

fn tell_refused(error: &GenerateError) -> Told {
    match error {
        GenerateError::ContextOverflow { .. } => Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            sentence(error),
        )
        .code("context_length_exceeded"),
        GenerateError::EmptyPrompt => Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            sentence(error),
        ),
        GenerateError::QueueFull { retry_after } => Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Overloaded,
            "Too many calls are waiting for the local model.",
        )
        .retry_after(whole_seconds(*retry_after).max(1)),
        _ => internal(),
    }
}
