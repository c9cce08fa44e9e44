//! `/api/*`: the ledger and the budgets as JSON, for dashboards, test runs and the command line.
//!
//! Who may ask is decided before anything here, in `admin.rs`.

mod answer;
mod budgets;
mod query;
mod reconcile;
mod reports;
mod requests;
mod tasks;
mod trials;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    routing::{get, post},
};
use skinflint_ledger::{Ledger, Reader};

pub(crate) use self::{
    answer::ApiError,
    budgets::{BudgetRow, LiveBudgets},
};
use crate::{reconcile::Providers, trials::Trials};

/// What the API answers from.
#[derive(Debug)]
pub(crate) struct Api {
    /// Where money is written down; none if the configuration says so.
    pub ledger: Option<Ledger>,
    /// How budgets stand now.
    pub budgets: Arc<dyn LiveBudgets>,
    /// What was found about compression.
    pub trials: Trials,
    /// Who bills the calls of which upstream.
    pub providers: Providers,
}

/// A year of a provider's export, by day, model and key.
const MAX_BODY: usize = 64 << 20;

// === impl Api ===

impl Api {
    /// The paths below `/api`.
    pub(crate) fn router<S>(self) -> Router<S> {
        Router::new()
            .route("/tasks", get(tasks::list))
            .route("/tasks/{id}", get(tasks::show))
            .route("/tasks/{id}/close", post(tasks::close))
            .route("/tasks/{id}/outcome", post(tasks::set_outcome))
            .route("/requests/{id}", get(requests::show))
            .route("/report", get(reports::show))
            .route("/budgets", get(budgets::list))
            .route("/trials", get(trials::list))
            .route("/reconcile", post(reconcile::compare))
            .fallback(nothing)
            .method_not_allowed_fallback(other_method)
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(Arc::new(self))
    }

    fn ledger(&self) -> Result<&Ledger, ApiError> {
        self.ledger.as_ref().ok_or_else(ApiError::no_ledger)
    }

    /// The ledger with all that was settled until now: who asks about a call has just made it. In an outage, what is on disk is answered from.
    async fn settled(&self) -> Result<&Reader, ApiError> {
        let ledger = self.ledger()?;
        if let Err(error) = ledger.flush().await {
            tracing::warn!(%error, "answering without what could not be written yet");
        }
        Ok(ledger.reader())
    }
}

async fn nothing(request: Request) -> ApiError {
    ApiError::not_found(format!("nothing is at `/api{}`", request.uri().path()))
}

async fn other_method(request: Request) -> ApiError {
    ApiError::other_method(request.method())
}

#[cfg(test)]
mod tests;
