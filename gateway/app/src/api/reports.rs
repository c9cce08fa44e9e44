//! `/api/report`

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::Uri;
use serde::Serialize;
use skinflint_ledger::{By, Period, ReportRow};

use super::{Api, ApiError, answer::json, query::Query};
use crate::{
    clock,
    inquiry::{self, ReportInquiry},
};

#[derive(Serialize)]
struct Rows {
    report: Vec<ReportRow>,
}

pub(super) async fn show(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, ApiError> {
    let query = Query::read(&uri, &["period", "by", "since", "until", "tenant"])?;
    let inquiry = ReportInquiry {
        period: query.word("period")?.unwrap_or(Period::Day),
        by: query.word("by")?.unwrap_or(By::Tenant),
        since: query.text("since"),
        until: query.text("until"),
        tenant: query.text("tenant"),
    };
    let reader = api.ledger()?.reader();
    let report = inquiry::report(reader, &inquiry, clock::unix_millis()).await?;
    Ok(json(&Rows { report }))
}
