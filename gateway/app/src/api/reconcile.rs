//! `/api/reconcile`

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    response::Response,
};
use http::Uri;

use super::{Api, ApiError, answer::json, query::Query};
use crate::reconcile::reconcile;

pub(super) async fn compare(
    State(api): State<Arc<Api>>,
    uri: Uri,
    csv: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let query = Query::read(&uri, &["upstream"])?;
    let csv = csv?;
    let reader = api.settled().await?;
    let upstream = query.text("upstream");
    Ok(json(
        &reconcile(reader, &csv, upstream, &api.providers).await?,
    ))
}
