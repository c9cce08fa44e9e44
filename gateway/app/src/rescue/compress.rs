//! What a client is told that asked for prose to be compressed.

use http::StatusCode;
use skinflint_protocol::ErrorKind;

use super::{Told, local, sentence};
use crate::{error::CompressError, prose::ProseFault};

pub(super) fn tell(error: &CompressError) -> Told {
    if error.is_the_clients() {
        return Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            sentence(error),
        );
    }
    match error {
        CompressError::NoClassifier(_) => Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Overloaded,
            "No classifier of tokens is there: `make train-head` trains one, `local.classifier` names another, and the \
             methods `llmlingua` and `longllmlingua` need none.",
        )
        .code("local_model_unavailable"),
        CompressError::Prose(ProseFault::Model(fault)) => local::tell(fault),
        _ => Told::new(StatusCode::BAD_GATEWAY, ErrorKind::Api, sentence(error)),
    }
}
