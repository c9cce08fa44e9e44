//! What the script is asked; see `script/`.

use std::sync::Arc;

use serde::Serialize;
use skinflint_money::NanoUsd;

use crate::{Limit, OpenCall, ReservationId, Seed, Seeding, Window, limit::Amounts};

/// The largest integer below which the script's numbers, doubles, are exact.
const EXACT: u64 = (1 << 53) - 1;

/// One question to the script.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Question {
    verb: Verb,
    /// The server's own clock counts where this is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<i64>,
    edges: Edges,
    node: Arc<str>,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<Arc<str>>,
    held: u64,
    wanted: u64,
    least: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<CallText>,
    seeds: Vec<SeedText>,
    calls: Vec<CallText>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Reserve,
    Extend,
    Shrink,
    Settle,
    Cancel,
    Bury,
    Charge,
    Adopt,
    Seed,
    Status,
    Beat,
    Strays,
}

/// Where calendar windows begin, end, and where the ones after them end, in unix milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Edges {
    hour: [i64; 3],
    day: [i64; 3],
    week: [i64; 3],
    month: [i64; 3],
}

#[derive(Debug, Clone, Serialize)]
struct CallText {
    id: String,
    held: u64,
    exposed: u64,
    limits: Vec<LimitText>,
}

#[derive(Debug, Clone, Serialize)]
struct LimitText {
    name: Arc<str>,
    account: String,
    hard: bool,
    cap: u64,
}

#[derive(Debug, Clone, Serialize)]
struct SeedText {
    account: String,
    /// Period and amount.
    spent: Vec<(i64, u64)>,
}

// === impl Question ===

impl Question {
    fn new(verb: Verb) -> Self {
        Self {
            verb,
            now: None,
            edges: Edges::default(),
            node: Arc::from(""),
            id: String::new(),
            epoch: None,
            held: 0,
            wanted: 0,
            least: 0,
            call: None,
            seeds: Vec::new(),
            calls: Vec::new(),
        }
    }

    fn about(verb: Verb, id: ReservationId) -> Self {
        Self {
            id: id.to_string(),
            ..Self::new(verb)
        }
    }

    pub(super) fn reserve(id: ReservationId, limits: &[Limit], amounts: Amounts) -> Self {
        Self {
            held: exact(amounts.held),
            wanted: exact(amounts.wanted),
            least: exact(amounts.least),
            call: Some(CallText::new(id, limits, NanoUsd::ZERO, NanoUsd::ZERO)),
            ..Self::about(Verb::Reserve, id)
        }
    }

    /// `call` is what this node knows of it, for a store that lost it.
    pub(super) fn extend(id: ReservationId, amounts: Amounts, call: Option<&OpenCall>) -> Self {
        Self {
            wanted: exact(amounts.wanted),
            least: exact(amounts.least),
            call: call.map(CallText::of),
            ..Self::about(Verb::Extend, id)
        }
    }

    pub(super) fn shrink(id: ReservationId, exposed: NanoUsd) -> Self {
        Self {
            wanted: exact(exposed),
            ..Self::about(Verb::Shrink, id)
        }
    }

    /// `call` comes with one that was admitted while the store was away, in the life `epoch` of it.
    pub(super) fn settle(
        id: ReservationId,
        actual: NanoUsd,
        call: Option<&OpenCall>,
        epoch: Option<Arc<str>>,
    ) -> Self {
        Self {
            wanted: exact(actual),
            call: call.map(CallText::of),
            epoch,
            ..Self::about(Verb::Settle, id)
        }
    }

    pub(super) fn cancel(id: ReservationId) -> Self {
        Self::about(Verb::Cancel, id)
    }

    /// `actual` is what the ledger says that the call of another process cost.
    pub(super) fn bury(id: ReservationId, actual: NanoUsd) -> Self {
        Self {
            wanted: exact(actual),
            ..Self::about(Verb::Bury, id)
        }
    }

    pub(super) fn charge(id: ReservationId, limits: &[Limit], actual: NanoUsd) -> Self {
        Self {
            wanted: exact(actual),
            call: Some(CallText::new(id, limits, NanoUsd::ZERO, NanoUsd::ZERO)),
            ..Self::about(Verb::Charge, id)
        }
    }

    pub(super) fn adopt(call: &OpenCall) -> Self {
        Self {
            call: Some(CallText::of(call)),
            ..Self::about(Verb::Adopt, call.id)
        }
    }

    /// `epoch` names the store's new life, if this seeding begins one.
    pub(super) fn seed(seeding: &Seeding, epoch: Arc<str>) -> Self {
        Self {
            epoch: Some(epoch),
            seeds: seeding.accounts.iter().map(SeedText::of).collect(),
            calls: seeding.open.iter().map(CallText::of).collect(),
            ..Self::new(Verb::Seed)
        }
    }

    pub(super) fn status() -> Self {
        Self::new(Verb::Status)
    }

    pub(super) fn beat() -> Self {
        Self::new(Verb::Beat)
    }

    pub(super) fn strays() -> Self {
        Self::new(Verb::Strays)
    }

    /// With the calendar at what the server's clock should say, and who asks.
    pub(super) fn addressed(self, server_ms: i64, node: &Arc<str>) -> Self {
        Self {
            edges: Edges::at(server_ms),
            node: Arc::clone(node),
            ..self
        }
    }

    /// By another clock than the server's.
    #[cfg(test)]
    pub(super) fn at(self, now_ms: i64, node: &Arc<str>) -> Self {
        Self {
            now: Some(now_ms),
            ..self.addressed(now_ms, node)
        }
    }
}

// === impl Edges ===

impl Edges {
    fn at(now_ms: i64) -> Self {
        let edges = |window: Window| {
            let period = window.period(now_ms);
            let end = period.ends_ms.unwrap_or(period.start_ms);
            let next = window.period(end).ends_ms.unwrap_or(end);
            [period.start_ms, end, next]
        };
        Self {
            hour: edges(Window::Hour),
            day: edges(Window::Day),
            week: edges(Window::Week),
            month: edges(Window::Month),
        }
    }
}

// === impl CallText ===

impl CallText {
    fn new(id: ReservationId, limits: &[Limit], held: NanoUsd, exposed: NanoUsd) -> Self {
        let limits = limits.iter().map(|limit| LimitText {
            name: Arc::clone(&limit.name),
            account: account_name(&limit.scope, limit.window),
            hard: limit.hard,
            cap: exact(limit.cap),
        });
        Self {
            id: id.to_string(),
            held: exact(held),
            exposed: exact(exposed),
            limits: limits.collect(),
        }
    }

    fn of(call: &OpenCall) -> Self {
        Self::new(call.id, &call.limits, call.held, call.exposed)
    }
}

// === impl SeedText ===

impl SeedText {
    fn of(seed: &Seed) -> Self {
        let spent = seed.spent.iter();
        let spent = spent.map(|(at_ms, amount)| (seed.window.period(*at_ms).id, exact(*amount)));
        Self {
            account: account_name(&seed.scope, seed.window),
            spent: spent.collect(),
        }
    }
}

/// The highest amount that the script counts exactly.
pub(super) fn exact(amount: NanoUsd) -> u64 {
    amount.get().min(EXACT)
}

/// An account by the end of its key: `WINDOW:SCOPE`.
pub(super) fn account_name(scope: &str, window: Window) -> String {
    match window {
        Window::Rolling(span) => format!("rolling-{}:{scope}", span.as_millis()),
        other => format!("{other}:{scope}"),
    }
}
