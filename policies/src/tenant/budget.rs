//! What may be spent.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use skinflint_money::NanoUsd;

use crate::{
    file::Invalid,
    key::KeyId,
    name,
    share::Share,
    tenant::{scope::BudgetScope, window::Window},
    units::Span,
};

/// A limit on what a tenant's calls may cost. A call that several budgets count needs room in all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// What it is called in errors, alerts and reports; no other budget of the tenant is called so.
    pub name: Arc<str>,
    /// Which calls it counts.
    pub scope: BudgetScope,
    /// When it begins anew.
    pub window: Window,
    /// What the calls of one account and window may cost; more than nothing.
    pub limit: NanoUsd,
    /// What becomes of a call that does not fit.
    pub on_exceed: OnExceed,
    /// The parts of the limit at which an alert is raised, rising.
    pub alert_at: Vec<Share>,
}

/// What becomes of a call for which a budget has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExceed {
    /// It is refused.
    Reject,
    /// The local model answers it.
    Downgrade,
    /// It waits for room, and is refused when there is none by then.
    Queue {
        /// The longest wait.
        up_to: Duration,
    },
    /// It goes through; the excess shows in the log and in alerts.
    Warn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    name: Option<String>,
    scope: String,
    window: String,
    limit_usd: NanoUsd,
    #[serde(default)]
    on_exceed: RawOnExceed,
    queue_for: Option<Span>,
    alert_at: Option<Vec<Share>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawOnExceed {
    #[default]
    Reject,
    Downgrade,
    Queue,
    Warn,
}

/// Each call looks at all budgets of its tenant.
const MAX_BUDGETS: usize = 64;
/// A hundred million dollars: more is a slip of the keyboard.
const MAX_LIMIT: NanoUsd = NanoUsd::new(100_000_000 * 1_000_000_000);
/// Clients wait for a first byte for minutes, but few people do.
const DEFAULT_QUEUE_FOR: Duration = Duration::from_secs(30);
/// As long as the SDKs wait for an answer.
const MAX_QUEUE_FOR: Duration = Duration::from_mins(10);
/// Half, four fifths, all.
const DEFAULT_ALERTS: [Share; 3] = [
    Share::millionths(500_000),
    Share::millionths(800_000),
    Share::WHOLE,
];
/// Ten times the limit, which a budget that only warns may reach.
const MAX_ALERT: Share = Share::millionths(10_000_000);

// === impl Budget ===

impl Budget {
    /// Whether it holds calls back, unlike one that only warns.
    pub fn is_hard(&self) -> bool {
        self.on_exceed != OnExceed::Warn
    }

    fn validate(raw: Raw, keys: &[KeyId]) -> Result<Self, Invalid> {
        let wrong = |field: &str, message: &str| Invalid::new(field, message);
        let scope = BudgetScope::parse(&raw.scope).map_err(|expected| wrong("scope", &expected))?;
        if let BudgetScope::Key(id) = &scope
            && !keys.contains(id)
        {
            return Err(wrong("scope", &format!("the tenant has no key `{id}`")));
        }
        let window = Window::parse(&raw.window).map_err(|expected| wrong("window", expected))?;
        let has_tasks = matches!(scope, BudgetScope::EachTask | BudgetScope::EachAgent);
        if window == Window::Task && !has_tasks {
            return Err(wrong(
                "window",
                "only a budget of scope `task` or `agent` lasts as long as a task",
            ));
        }
        if raw.limit_usd == NanoUsd::ZERO || raw.limit_usd > MAX_LIMIT {
            return Err(wrong(
                "limit_usd",
                &format!("expected more than 0 and at most {MAX_LIMIT} dollars"),
            ));
        }
        let name = match raw.name {
            Some(name) if !name::is_one(&name) => return Err(wrong("name", name::EXPECTED)),
            Some(name) => name.into(),
            // No name that is given has a slash.
            None => format!("{scope}/{window}").into(),
        };
        Ok(Self {
            name,
            scope,
            window,
            limit: raw.limit_usd,
            on_exceed: on_exceed(raw.on_exceed, raw.queue_for)?,
            alert_at: alerts(raw.alert_at)?,
        })
    }
}

/// Checks each budget by itself and against those before it.
pub(super) fn validate(raw: Vec<Raw>, keys: &[KeyId]) -> Result<Vec<Budget>, Invalid> {
    if raw.len() > MAX_BUDGETS {
        return Err(Invalid::new(
            format!("budget[{MAX_BUDGETS}]"),
            format!("expected at most {MAX_BUDGETS} budgets"),
        ));
    }
    let mut budgets: Vec<Budget> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let budget = Budget::validate(raw, keys)
            .and_then(|budget| apart(budget, &budgets))
            .map_err(|invalid| invalid.under(format_args!("budget[{index}]")))?;
        budgets.push(budget);
    }
    Ok(budgets)
}

/// The budget, unless one of the others counts the same calls over the same time, or has its name.
fn apart(budget: Budget, others: &[Budget]) -> Result<Budget, Invalid> {
    for other in others {
        if (&budget.scope, budget.window) == (&other.scope, other.window) {
            let message = format!(
                "`{}` already limits `{}` for the window `{}`",
                other.name, other.scope, other.window
            );
            return Err(Invalid::new("window", message));
        }
        if budget.name == other.name {
            let message = format!("another budget is called `{}`", other.name);
            return Err(Invalid::new("name", message));
        }
    }
    Ok(budget)
}

fn on_exceed(raw: RawOnExceed, queue_for: Option<Span>) -> Result<OnExceed, Invalid> {
    if queue_for.is_some() && raw != RawOnExceed::Queue {
        return Err(Invalid::new(
            "queue_for",
            "only `on_exceed = \"queue\"` waits",
        ));
    }
    Ok(match raw {
        RawOnExceed::Reject => OnExceed::Reject,
        RawOnExceed::Downgrade => OnExceed::Downgrade,
        RawOnExceed::Warn => OnExceed::Warn,
        RawOnExceed::Queue => {
            let up_to = queue_for.map_or(DEFAULT_QUEUE_FOR, |Span(up_to)| up_to);
            if up_to.is_zero() || up_to > MAX_QUEUE_FOR {
                return Err(Invalid::new(
                    "queue_for",
                    "expected more than 0s and at most \"10m\"",
                ));
            }
            OnExceed::Queue { up_to }
        }
    })
}

fn alerts(raw: Option<Vec<Share>>) -> Result<Vec<Share>, Invalid> {
    let Some(alerts) = raw else {
        return Ok(DEFAULT_ALERTS.to_vec());
    };
    let mut before = Share::NONE;
    for (index, &alert) in alerts.iter().enumerate() {
        if alert == Share::NONE || alert > MAX_ALERT {
            return Err(Invalid::new(
                format!("alert_at[{index}]"),
                format!("expected more than 0 and at most {MAX_ALERT}; 1 is the limit itself"),
            ));
        }
        if alert <= before {
            return Err(Invalid::new(
                format!("alert_at[{index}]"),
                format!("expected more than the {before} before it"),
            ));
        }
        before = alert;
    }
    Ok(alerts)
}
