//! `/api/budgets`

use std::{fmt, sync::Arc};

use axum::{extract::State, response::Response};
use futures_util::future::BoxFuture;
use http::Uri;
use serde::Serialize;
use skinflint_budget::BudgetError;
use skinflint_money::NanoUsd;

use super::{Api, ApiError, answer::json, query::Query};

/// How one account of a budget stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BudgetRow {
    /// Whose budget it is.
    pub tenant: String,
    /// The budget's name.
    pub budget: String,
    /// The account, such as `tenant` or `task:42`.
    pub scope: String,
    /// When spending counts, such as `month`.
    pub window: String,
    /// The most that may be spent in a window.
    pub limit_usd: NanoUsd,
    /// What is spent in this one.
    pub spent_usd: NanoUsd,
    /// The likely cost of the calls under way.
    pub held_usd: NanoUsd,
    /// The most that they can cost before they have to ask again.
    pub exposed_usd: NanoUsd,
    /// When everything spent is forgotten, by RFC 3339; never for tasks and rolling windows.
    pub resets_at: Option<String>,
}

/// Who knows how budgets stand now.
pub(crate) trait LiveBudgets: fmt::Debug + Send + Sync {
    /// The accounts that calls have been counted in, of one tenant or of all.
    fn rows<'a>(
        &'a self,
        tenant: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<BudgetRow>, BudgetError>>;
}

#[derive(Serialize)]
struct Budgets {
    budgets: Vec<BudgetRow>,
}

pub(super) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, ApiError> {
    let query = Query::read(&uri, &["tenant"])?;
    let budgets = api
        .budgets
        .rows(query.text("tenant"))
        .await
        .map_err(|error| ApiError::unavailable("the budgets' store", &error))?;
    Ok(json(&Budgets { budgets }))
}
