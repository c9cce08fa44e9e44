//! What the script answers; see `script/`.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, de};
use skinflint_money::NanoUsd;

use super::question::account_name;
use crate::{
    AccountStatus, BudgetError, Crossing, Grant, Limit, Missing, Refusal, ReservationId, Settled,
    Window,
    limit::{self, Amounts},
};

/// What the script says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) now: Int,
    pub(super) epoch: Option<Arc<str>>,
    /// The edges did not cover the server's time.
    pub(super) clock: bool,
    unknown: bool,
    empty: bool,
    missing: Vec<String>,
    granted: Option<GrantedText>,
    refused: Option<RefusedText>,
    pub(super) accounts: Vec<Standing>,
    settled: Vec<Crossed>,
    strays: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct GrantedText {
    held: Int,
    exposed: Int,
    room: Option<Int>,
}

#[derive(Debug, Deserialize)]
struct RefusedText {
    place: Int,
    resets: Option<Int>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Standing {
    account: String,
    period: Int,
    spent: Int,
    held: Int,
    exposed: Int,
    open: Int,
}

#[derive(Debug, Deserialize)]
struct Crossed {
    limit: Arc<str>,
    account: String,
    period: Int,
    before: Int,
    after: Int,
    cap: Int,
}

/// An integer that travels as text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Int(pub(super) i64);

// === impl Answer ===

impl Answer {
    /// The grant, or why there is none.
    pub(super) fn granted(
        &self,
        id: ReservationId,
        limits: &[Limit],
        amounts: Amounts,
    ) -> Result<Grant, BudgetError> {
        if let Some(granted) = &self.granted {
            return Ok(Grant {
                held: granted.held.amount(),
                exposed: granted.exposed.amount(),
                room: granted.room.map(Int::amount),
                store_down: false,
            });
        }
        if self.lacks_seeds() {
            let missing = self.missing(limits);
            return Err(if self.empty {
                BudgetError::StoreEmpty(missing)
            } else {
                BudgetError::Unseeded(missing)
            });
        }
        if self.unknown {
            return Err(BudgetError::NotOpen(id));
        }
        let refusal = self.refused.as_ref().and_then(|refused| {
            let limit = limits.get(usize::try_from(refused.place.0).ok()?)?;
            let status = self.accounts.first()?.status()?;
            Some(Refusal {
                limit: Arc::clone(&limit.name),
                scope: Arc::clone(&limit.scope),
                window: limit.window,
                cap: limit.cap,
                spent: status.spent,
                held: status.held,
                exposed: status.exposed,
                wanted: amounts.wanted,
                least: amounts.least,
                resets_at_ms: refused.resets.map(|at| at.0),
            })
        });
        Err(refusal.map_or(BudgetError::StoreDown, BudgetError::from))
    }

    /// What a settlement changed.
    pub(super) fn settled(&self) -> Settled {
        let crossings = self.settled.iter().filter_map(|crossed| {
            let (scope, window) = account_of(&crossed.account)?;
            Some(Crossing {
                limit: Arc::clone(&crossed.limit),
                scope,
                window,
                period: crossed.period.0,
                spent_before: crossed.before.amount(),
                spent_after: crossed.after.amount(),
                cap: crossed.cap.amount(),
            })
        });
        Settled {
            crossings: crossings.collect(),
        }
    }

    /// Open calls of processes that have ended.
    pub(super) fn strays(&self) -> Vec<ReservationId> {
        let ids = self.strays.iter();
        ids.filter_map(|id| u128::from_str_radix(id, 16).ok().map(ReservationId))
            .collect()
    }

    /// What to read from the ledger for these limits.
    fn missing(&self, limits: &[Limit]) -> Vec<Missing> {
        limit::accounts(limits)
            .filter(|limit| {
                let name = account_name(&limit.scope, limit.window);
                self.missing.contains(&name)
            })
            .map(|limit| Missing {
                scope: Arc::clone(&limit.scope),
                window: limit.window,
                since_ms: limit.window.period(self.now.0).start_ms,
            })
            .collect()
    }

    fn lacks_seeds(&self) -> bool {
        self.empty || !self.missing.is_empty()
    }
}

// === impl Standing ===

impl Standing {
    pub(super) fn status(&self) -> Option<AccountStatus> {
        let (scope, window) = account_of(&self.account)?;
        Some(AccountStatus {
            scope,
            window,
            period: self.period.0,
            spent: self.spent.amount(),
            held: self.held.amount(),
            exposed: self.exposed.amount(),
            open: self.open.amount().get(),
        })
    }
}

// === impl Int ===

impl Int {
    /// As money; none for what is below.
    pub(super) fn amount(self) -> NanoUsd {
        NanoUsd::new(u64::try_from(self.0).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

fn account_of(name: &str) -> Option<(Arc<str>, Window)> {
    let (window, scope) = name.split_once(':')?;
    let window = match window {
        "hour" => Window::Hour,
        "day" => Window::Day,
        "week" => Window::Week,
        "month" => Window::Month,
        "task" => Window::Task,
        rolling => {
            let span = rolling.strip_prefix("rolling-")?.parse().ok()?;
            Window::Rolling(Duration::from_millis(span))
        }
    };
    Some((Arc::from(scope), window))
}
