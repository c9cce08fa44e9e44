//! How money stands now, for people who ask.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use skinflint_budget::{AccountStatus, BudgetError};
use skinflint_policies::{BudgetScope, Tenant, Upstream};

use super::{Accounting, scopes::window};
use crate::{
    api::{Api, BudgetRow, LiveBudgets},
    clock,
    reconcile::Providers,
    trials::Trials,
};

impl LiveBudgets for Accounting {
    fn rows<'a>(
        &'a self,
        tenant: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<BudgetRow>, BudgetError>> {
        self.standing(tenant).boxed()
    }
}

impl Accounting {
    /// What the API answers from.
    pub(crate) fn api(&self, upstreams: &[Upstream], trials: Trials) -> Api {
        Api {
            trials,
            ledger: self.books().map(|books| books.ledger.clone()),
            budgets: Arc::new(self.clone()),
            providers: Providers::of(upstreams),
        }
    }

    async fn standing(&self, tenant: Option<&str>) -> Result<Vec<BudgetRow>, BudgetError> {
        let Some(books) = self.books() else {
            return Ok(Vec::new());
        };
        let policies = self.0.policies.current();
        let now = clock::unix_millis();
        let mut rows = Vec::new();
        let asked = |of: &&Arc<Tenant>| tenant.is_none_or(|name| name == of.id.as_str());
        for tenant in policies.tenants.all().filter(asked) {
            if tenant.budgets.is_empty() {
                continue;
            }
            for account in books.budgets.status(tenant.id.as_str(), now).await? {
                rows.extend(limited(tenant, &account, now));
            }
        }
        Ok(rows)
    }
}

/// An account as each budget sees it that limits it; of a budget that is gone, nothing is said.
fn limited(
    tenant: &Tenant,
    account: &AccountStatus,
    now_ms: i64,
) -> impl Iterator<Item = BudgetRow> {
    tenant
        .budgets
        .iter()
        .filter(|budget| window(budget.window) == account.window)
        .filter(|budget| covers(&budget.scope, &account.scope))
        .map(move |budget| BudgetRow {
            tenant: tenant.id.to_string(),
            budget: budget.name.to_string(),
            scope: account.scope.to_string(),
            window: account.window.to_string(),
            limit_usd: budget.limit,
            spent_usd: account.spent,
            held_usd: account.held,
            exposed_usd: account.exposed,
            resets_at: account.window.period(now_ms).ends_ms.map(clock::rfc3339_of),
        })
}

/// Whether an account is one of a scope's.
fn covers(scope: &BudgetScope, account: &str) -> bool {
    let any = |kind: &str| {
        account
            .strip_prefix(kind)
            .is_some_and(|name| !name.is_empty())
    };
    match scope {
        BudgetScope::EachKey => any("key:"),
        BudgetScope::EachTask => any("task:"),
        BudgetScope::EachAgent => any("agent:"),
        // An account of all models that begin alike is no model's.
        BudgetScope::EachModel => any("model:") && !account.ends_with('*'),
        BudgetScope::Tenant
        | BudgetScope::Key(_)
        | BudgetScope::Models(_)
        | BudgetScope::Tag(_)
        | BudgetScope::Class(_) => scope.to_string() == account,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use skinflint_policies::ModelPattern;

    use super::*;

    #[test]
    fn an_account_belongs_to_the_scopes_that_count_it() {
        let begins = |text| BudgetScope::Models(ModelPattern::parse(text).unwrap());
        let tag = || BudgetScope::Tag(Arc::from("ci"));
        for (scope, account, expected) in [
            (BudgetScope::Tenant, "tenant", true),
            (BudgetScope::Tenant, "tenant:x", false),
            (BudgetScope::EachTask, "task:a/b", true),
            (BudgetScope::EachTask, "agent:a/b", false),
            (BudgetScope::EachAgent, "agent:a/b", true),
            (BudgetScope::EachModel, "model:gpt-5", true),
            (BudgetScope::EachModel, "model:gpt-*", false),
            (begins("gpt-*"), "model:gpt-*", true),
            (begins("gpt-*"), "model:gpt-5", false),
            (tag(), "tag:ci", true),
            (tag(), "tag:cd", false),
        ] {
            assert_eq!(covers(&scope, account), expected, "{scope} {account}");
        }
    }
}
