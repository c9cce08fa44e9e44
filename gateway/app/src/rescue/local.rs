//! What a client is told when the local model gives no answer.

use http::StatusCode;
use skinflint_local_model::{EncodeFault, EngineFault, GenerateError};
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
        LocalError::NoRoom { .. } => Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Overloaded,
            sentence(error),
        )
        .code("local_model_unavailable")
        .retry_after(UNAVAILABLE_RETRY_SECONDS),
        LocalError::Encode(fault) => tell_encode(fault),
        LocalError::Refused(refused) => tell_refused(refused),
        LocalError::Fault(EngineFault::Stopped) | LocalError::Stopping => stopping(),
        LocalError::Fault(_) => internal(),
        LocalError::TooLate(_) => Told::new(
            StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Timeout,
            "The local model did not answer in time; a stream may take longer.",
        )
        .code("local_model_timeout"),
    }
}

fn tell_encode(fault: &EncodeFault) -> Told {
    match fault {
        EncodeFault::QueueFull { retry_after } => Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Overloaded,
            "Too many texts are waiting for the local model.",
        )
        .retry_after(whole_seconds(*retry_after).max(1)),
        EncodeFault::Engine(EngineFault::Stopped) => stopping(),
        // A text that has no tokens is a fault of the tokenizer too: it sets marks of its own around every text.
        _ => internal(),
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
        GenerateError::QueueFull { retry_after } => Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Overloaded,
            "Too many calls are waiting for the local model.",
        )
        .retry_after(whole_seconds(*retry_after).max(1)),
        GenerateError::Stopped => stopping(),
        // What else the engine refuses is the call's own fault, such as an empty prompt or a schema that nothing fits; its words
        // say where.
        _ => Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            sentence(error),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_failure_has_its_status() {
        let overflow = GenerateError::ContextOverflow {
            prompt_tokens: 40_000,
            requested: 1,
            limit: 32_768,
        };
        let full = GenerateError::QueueFull {
            retry_after: Duration::from_millis(2_500),
        };
        let lines: Vec<_> = [
            overflow.into(),
            GenerateError::EmptyPrompt.into(),
            full.into(),
            GenerateError::Stopped.into(),
            EngineFault::Stopped.into(),
            EncodeFault::QueueFull {
                retry_after: Duration::from_secs(2),
            }
            .into(),
            EncodeFault::Engine(EngineFault::Stopped).into(),
            EncodeFault::Engine(EngineFault::Compute("a shape".to_owned())).into(),
            LocalError::NoRoom {
                model: "big".to_owned(),
                need: 3 << 30,
                limit: 2 << 30,
            },
            EngineFault::Compute("a shape".to_owned()).into(),
            LocalError::TooLate(Duration::from_secs(1)),
        ]
        .iter()
        .map(|error| {
            let told = tell(error);
            let code = told.body.code.unwrap_or_default();
            let wait = told.retry_after.unwrap_or_default();
            format!("{} [{code}] {} {wait}", told.status, told.body.message)
        })
        .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        400 Bad Request [context_length_exceeded] The prompt has 40000 tokens and 1 are asked for, but the context holds 32768. 0
        400 Bad Request [] The prompt is empty. 0
        503 Service Unavailable [] Too many calls are waiting for the local model. 3
        503 Service Unavailable [stopping] The gateway is stopping; try again. 1
        503 Service Unavailable [stopping] The gateway is stopping; try again. 1
        503 Service Unavailable [] Too many texts are waiting for the local model. 2
        503 Service Unavailable [stopping] The gateway is stopping; try again. 1
        500 Internal Server Error [] The gateway failed on this request; its log has the request id. 0
        503 Service Unavailable [local_model_unavailable] The local model `big` needs 3 GiB, and `local.memory` leaves no room for it in 2 GiB. 10
        500 Internal Server Error [] The gateway failed on this request; its log has the request id. 0
        504 Gateway Timeout [local_model_timeout] The local model did not answer in time; a stream may take longer. 0
        ");
    }
}
