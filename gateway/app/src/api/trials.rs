//! `/api/trials`

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::Uri;
use serde::Serialize;

use super::{Api, ApiError, answer::json, query::Query};
use crate::trials::TrialRow;

#[derive(Serialize)]
struct Rows {
    trials: Vec<TrialRow>,
}

pub(super) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, ApiError> {
    let query = Query::read(&uri, &["tenant"])?;
    let trials = api.trials.rows(query.text("tenant"));
    Ok(json(&Rows { trials }))
}
