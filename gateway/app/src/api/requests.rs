//! `/api/requests`

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use http::Uri;

use super::{Api, ApiError, answer::json, query::Query};
use crate::inquiry;

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    Query::read(&uri, &[])?;
    let Path(id) = id?;
    Ok(json(&inquiry::request(api.settled().await?, &id).await?))
}
