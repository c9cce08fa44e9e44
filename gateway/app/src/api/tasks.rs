//! `/api/tasks`

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{
        Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    response::Response,
};
use http::Uri;
use serde::{Deserialize, Serialize};
use skinflint_ledger::{Outcome, TaskFilter, TaskRow};

use super::{
    Api, ApiError,
    answer::{body, json},
    query::Query,
};
use crate::{
    clock,
    inquiry::{self, DEFAULT_TOP, MAX_TOP},
    moment,
};

#[derive(Serialize)]
struct Tasks {
    tasks: Vec<TaskRow>,
}

/// The body of a request that closes a task.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Closing {
    outcome: Option<Outcome>,
    tenant: Option<String>,
}

/// The body of a request that says how a task went.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    outcome: Outcome,
    tenant: Option<String>,
}

/// Who closed a task through here.
const BY: &str = "api";

pub(super) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, ApiError> {
    let query = Query::read(&uri, &["since", "tenant", "top"])?;
    let since = query
        .text("since")
        .map(|text| moment::parse(text, clock::unix_millis()))
        .transpose()?;
    let filter = TaskFilter {
        since_ms: since.unwrap_or_default(),
        tenant: query.text("tenant").map(str::to_owned),
        top: query.number("top", MAX_TOP)?.unwrap_or(DEFAULT_TOP),
    };
    let tasks = api.ledger()?.reader().tasks(&filter).await?;
    Ok(json(&Tasks { tasks }))
}

pub(super) async fn show(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = Query::read(&uri, &["tenant"])?;
    let Path(id) = id?;
    let reader = api.settled().await?;
    Ok(json(
        &inquiry::task(reader, query.text("tenant"), &id).await?,
    ))
}

pub(super) async fn close(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
    sent: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    Query::read(&uri, &[])?;
    let Path(id) = id?;
    let Closing { outcome, tenant } = body(&sent?)?;
    let now = clock::unix_millis();
    let ledger = api.ledger()?;
    let task = inquiry::close(ledger, tenant.as_deref(), &id, outcome, BY, now).await?;
    Ok(json(&task))
}

pub(super) async fn set_outcome(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
    sent: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    Query::read(&uri, &[])?;
    let Path(id) = id?;
    let Verdict { outcome, tenant } = body(&sent?)?;
    let task = inquiry::set_outcome(api.ledger()?, tenant.as_deref(), &id, outcome).await?;
    Ok(json(&task))
}
