//! What a client is told when its call's cost stands in its way.

use http::StatusCode;
use skinflint_budget::{BudgetError, Refusal};
use skinflint_protocol::{BudgetFacts, ErrorKind};

use super::Told;
use crate::{clock, error::MoneyError};

/// Redis and a ledger's disk are back within moments, or somebody is called.
const STORE_RETRY_SECONDS: u64 = 5;
/// Clients take a longer wait for an endless one; a budget for a month may also be raised before its end.
const LONGEST_WAIT_SECONDS: u64 = 24 * 60 * 60;
/// Of a budget that never begins anew by itself.
const NO_RESET_RETRY_SECONDS: u64 = 60 * 60;

pub(super) fn tell(error: &MoneyError) -> Told {
    match error {
        MoneyError::Full(refusal) => tell_full(refusal),
        MoneyError::Budget(error) => tell_budget(error),
        MoneyError::Unmetered { what } => Told::new(
            StatusCode::FORBIDDEN,
            ErrorKind::Permission,
            format!("A budget holds this tenant's calls, and {what} cannot be held to it."),
        )
        .code("unmetered_under_budget"),
        MoneyError::UnknownPrice { model, upstream } => Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::UnknownPrice,
            format!(
                "The gateway knows no price for the model `{model}` of the upstream `{upstream}`; \
                 its configuration can name one with `[[price]]`, or one for all such models with `[prices.unknown]`."
            ),
        )
        .param(Some("model")),
        MoneyError::UnknownTier { tier } => Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::UnknownPrice,
            format!("The gateway knows no price for the service tier `{tier}`."),
        )
        .param(Some("service_tier")),
        MoneyError::Ledger(_) => Told::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Overloaded,
            "The gateway cannot write its ledger, and spends nothing that it cannot write down.",
        )
        .code("ledger_unavailable")
        .retry_after(STORE_RETRY_SECONDS),
        MoneyError::Overflow(_) => Told::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::InvalidRequest,
            "The request asks for more tokens than any price can be told for.",
        ),
    }
}

fn tell_full(refusal: &Refusal) -> Told {
    let wait = refusal.resets_at_ms.map_or(NO_RESET_RETRY_SECONDS, |at| {
        let wait = u64::try_from(at - clock::unix_millis()).unwrap_or(0);
        wait.div_ceil(1000).clamp(1, LONGEST_WAIT_SECONDS)
    });
    let mut told = Told::new(
        StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::BudgetExceeded,
        format!(
            "The budget `{}` ({} per {}) has no room for this call: {} of {} USD are spent and {} USD are set aside for \
             calls in flight; this one needs {} USD.",
            refusal.limit,
            refusal.scope,
            refusal.window,
            refusal.spent,
            refusal.cap,
            refusal.exposed,
            refusal.least,
        ),
    )
    .retry_after(wait)
    .final_word();
    told.body.budget = Some(Box::new(BudgetFacts {
        scope: refusal.scope.to_string(),
        window: refusal.window.to_string(),
        limit_usd: refusal.cap.to_string(),
        spent_usd: refusal.spent.to_string(),
        reserved_usd: refusal.exposed.to_string(),
        estimate_usd: refusal.least.to_string(),
        resets_at: refusal.resets_at_ms.map(clock::rfc3339_of),
    }));
    told
}

fn tell_budget(error: &BudgetError) -> Told {
    match error {
        BudgetError::CapTooLarge { .. } => super::internal(),
        _ => Told::new(
            StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::BudgetStoreUnavailable,
            "The store of the gateway's budgets cannot be asked, and nothing is spent that no budget can be held to.",
        )
        .retry_after(STORE_RETRY_SECONDS)
        .final_word(),
    }
}
