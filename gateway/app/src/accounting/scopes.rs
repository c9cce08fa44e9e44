//! Whose money a call is: the accounts that it counts in, and the budgets that limit them.

use std::sync::Arc;

use skinflint_budget::{Limit, Window};
use skinflint_ledger::Reservation;
use skinflint_policies::{self as policies, Budget, BudgetScope, KeyId, Tenant, TenantId};

use super::agents::AgentTree;
use crate::attribution::{Attribution, Label};

/// What decides about whose money a call is.
#[derive(Debug, Clone)]
pub(crate) struct Scopes {
    /// Its tenant.
    pub tenant: TenantId,
    /// The key that it came with.
    pub key: Option<KeyId>,
    /// What it belongs to.
    pub attribution: Arc<Attribution>,
    /// The agents above the one that calls, nearest first.
    pub ancestors: Vec<Label>,
    /// The model asked for.
    pub model: Arc<str>,
}

// === impl Scopes ===

impl Scopes {
    /// The scopes of a call, with what its agent's tree is known to be.
    pub(crate) fn of(
        tenant: &TenantId,
        key: Option<KeyId>,
        attribution: &Arc<Attribution>,
        model: &str,
        tree: &AgentTree,
    ) -> Self {
        Self {
            tenant: tenant.clone(),
            key,
            ancestors: tree.ancestors(tenant, attribution),
            attribution: attribution.clone(),
            model: model.into(),
        }
    }

    /// The names of all accounts that the call counts in, whether a budget limits them or not.
    pub(crate) fn accounts(&self) -> Vec<String> {
        let of = &self.attribution;
        let mut accounts = vec![
            "tenant".to_owned(),
            format!("task:{}", of.task),
            format!("model:{}", self.model),
        ];
        accounts.extend(self.key.iter().map(|key| format!("key:{key}")));
        accounts.extend(self.agents());
        accounts.extend(of.class.iter().map(|class| format!("class:{class}")));
        accounts.extend(of.tags.iter().map(|tag| format!("tag:{tag}")));
        accounts
    }

    /// The scopes of a call as its row in the ledger has them.
    fn of_row(tenant: &TenantId, row: &Reservation) -> Option<Self> {
        let labels = |names: &[String]| names.iter().filter_map(|name| Label::new(name)).collect();
        Some(Self {
            tenant: tenant.clone(),
            key: row.key.as_deref().and_then(|key| KeyId::parse(key).ok()),
            attribution: Arc::new(Attribution {
                task: Label::new(&row.task)?,
                session: None,
                agent: row.agent.as_deref().and_then(Label::new),
                parent: None,
                class: row.class.as_deref().and_then(Label::new),
                tags: row.tags.iter().filter_map(|tag| Label::new(tag)).collect(),
            }),
            ancestors: labels(&row.ancestors),
            model: row.model.as_str().into(),
        })
    }

    /// What limits the call: every budget of the tenant that counts it, once for each account.
    pub(crate) fn limits(&self, tenant: &Tenant) -> Arc<[Limit]> {
        tenant
            .budgets
            .iter()
            .flat_map(|budget| {
                self.counted_by(&budget.scope)
                    .into_iter()
                    .map(|scope| limit(budget, scope))
            })
            .collect()
    }

    /// The accounts of this call that a budget of such a scope limits.
    fn counted_by(&self, scope: &BudgetScope) -> Vec<String> {
        let of = &self.attribution;
        let one = |counts: bool| counts.then(|| scope.to_string());
        match scope {
            BudgetScope::Tenant => one(true).into_iter().collect(),
            BudgetScope::EachKey => self.key.iter().map(|key| format!("key:{key}")).collect(),
            BudgetScope::Key(id) => one(self.key.as_ref() == Some(id)).into_iter().collect(),
            BudgetScope::EachTask => vec![format!("task:{}", of.task)],
            BudgetScope::EachAgent => self.agents().collect(),
            BudgetScope::EachModel => vec![format!("model:{}", self.model)],
            BudgetScope::Models(pattern) => one(pattern.matches(&self.model)).into_iter().collect(),
            BudgetScope::Tag(name) => {
                let has = of.tags.iter().any(|tag| tag.as_str() == &**name);
                one(has).into_iter().collect()
            }
            BudgetScope::Class(name) => {
                let is = of
                    .class
                    .as_ref()
                    .is_some_and(|class| class.as_str() == &**name);
                one(is).into_iter().collect()
            }
        }
    }

    /// The accounts of the agent that calls and of those above it: each subtree counts all that happens in it.
    fn agents(&self) -> impl Iterator<Item = String> {
        let task = &self.attribution.task;
        self.attribution
            .agent
            .iter()
            .chain(&self.ancestors)
            .map(move |agent| format!("agent:{task}/{agent}"))
    }
}

/// What limits a call that the ledger knows; nothing where a subscription pays.
pub(super) fn limits_of_row(tenant: &Tenant, row: &Reservation) -> Arc<[Limit]> {
    if row.notional {
        return Arc::from([]);
    }
    Scopes::of_row(&tenant.id, row).map_or_else(|| Arc::from([]), |scopes| scopes.limits(tenant))
}

fn limit(budget: &Budget, scope: String) -> Limit {
    Limit {
        name: budget.name.clone(),
        scope: scope.into(),
        window: window(budget.window),
        cap: budget.limit,
        hard: budget.is_hard(),
    }
}

pub(super) fn window(window: policies::Window) -> Window {
    match window {
        policies::Window::Hour => Window::Hour,
        policies::Window::Day => Window::Day,
        policies::Window::Week => Window::Week,
        policies::Window::Month => Window::Month,
        policies::Window::Task => Window::Task,
        policies::Window::Rolling(length) => Window::Rolling(length),
    }
}
