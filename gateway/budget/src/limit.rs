//! What a call asks of the limits that it falls under, and what they answer.

use std::{fmt, sync::Arc};

use skinflint_money::NanoUsd;

use crate::Window;

/// Names one reservation: the id of the attempt that it pays for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReservationId(pub u128);

/// One budget, as it applies to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What the policy calls it.
    pub name: Arc<str>,
    /// Whose money it is, such as `tenant` or `task:42`.
    pub scope: Arc<str>,
    /// When spending counts.
    pub window: Window,
    /// The most that may be spent in one period.
    pub cap: NanoUsd,
    /// Refuses what does not fit; a soft limit only counts.
    pub hard: bool,
}

/// What a call needs before it may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The whole answer, as it cannot be metered while it comes.
    Whole {
        /// The likely cost: what is held.
        likely: NanoUsd,
        /// The most that the call can cost: what it is exposed to.
        worst: NanoUsd,
        /// The least that is of any use; the caller then clamps the answer to what it got.
        floor: NanoUsd,
    },
    /// The first step of a stream that asks again before it spends more.
    Leased {
        /// The step wished for.
        first: NanoUsd,
        /// The least that is of any use.
        floor: NanoUsd,
    },
}

/// Room for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The likely cost, set aside.
    pub held: NanoUsd,
    /// The most that the call may cost before it must ask again; less than it asked for where room is short.
    pub exposed: NanoUsd,
    /// What the tightest hard limit has left after this; nothing is said where there is none.
    pub room: Option<NanoUsd>,
    /// Counted on this node alone, as the store could not be reached.
    pub store_down: bool,
}

/// Why a call may not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "limit {limit} on {scope} per {window} has {spent} of {cap} USD spent and {exposed} USD promised to open calls: \
     no room for {wanted} USD"
)]
pub struct Refusal {
    /// The limit with the least room.
    pub limit: Arc<str>,
    /// Whose money it is.
    pub scope: Arc<str>,
    /// When spending counts.
    pub window: Window,
    /// The most that may be spent in one period.
    pub cap: NanoUsd,
    /// What is spent.
    pub spent: NanoUsd,
    /// The likely cost of open calls.
    pub held: NanoUsd,
    /// The most that open calls may cost.
    pub exposed: NanoUsd,
    /// What was asked for.
    pub wanted: NanoUsd,
    /// The least that would have done.
    pub least: NanoUsd,
    /// When the limit next has more room without any call ending, in unix milliseconds, if it ever does.
    pub resets_at_ms: Option<i64>,
}

/// Spending of one account by one call, for alerts at thresholds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// The limit's name.
    pub limit: Arc<str>,
    /// Whose money it is.
    pub scope: Arc<str>,
    /// When spending counts.
    pub window: Window,
    /// The period, by [`crate::Period::id`].
    pub period: i64,
    /// Spent in the period before this call.
    pub spent_before: NanoUsd,
    /// Spent in the period with this call.
    pub spent_after: NanoUsd,
    /// The limit's cap when the call was admitted.
    pub cap: NanoUsd,
}

/// What a settlement changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// One for each limit of the call; none if it had been settled before.
    pub crossings: Vec<Crossing>,
}

/// How one account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStatus {
    /// Whose money it is.
    pub scope: Arc<str>,
    /// When spending counts.
    pub window: Window,
    /// The period, by [`crate::Period::id`].
    pub period: i64,
    /// What is spent in it.
    pub spent: NanoUsd,
    /// The likely cost of open calls.
    pub held: NanoUsd,
    /// The most that open calls may cost.
    pub exposed: NanoUsd,
    /// Open calls.
    pub open: u64,
}

/// An ask by its amounts: what is granted in full, what is held then, and the least that will do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amounts {
    pub(crate) wanted: NanoUsd,
    pub(crate) held: NanoUsd,
    pub(crate) least: NanoUsd,
}

// === impl ReservationId ===

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// === impl Limit ===

impl Limit {
    /// Whether both limits count the same money over the same time.
    pub(crate) fn shares_account(&self, other: &Self) -> bool {
        self.window == other.window && self.scope == other.scope
    }
}

/// One limit for each account: two limits may watch the same one.
pub(crate) fn accounts(limits: &[Limit]) -> impl Iterator<Item = &Limit> {
    limits.iter().enumerate().filter_map(|(index, limit)| {
        let earlier = limits.iter().take(index);
        let seen = earlier.into_iter().any(|other| other.shares_account(limit));
        (!seen).then_some(limit)
    })
}

// === impl Ask ===

impl Ask {
    /// What is likely is at most the worst, and what must be granted at most what is asked for.
    pub(crate) fn amounts(self) -> Amounts {
        match self {
            Self::Whole {
                likely,
                worst,
                floor,
            } => Amounts {
                wanted: worst,
                held: likely.min(worst),
                least: floor.min(worst),
            },
            Self::Leased { first, floor } => Amounts {
                wanted: first,
                held: first,
                least: floor.min(first),
            },
        }
    }
}

// === impl Amounts ===

impl Amounts {
    /// What is held and exposed with so much room; `room` is `None` where a limit is overspent.
    pub(crate) fn within(self, room: Option<NanoUsd>) -> Option<(NanoUsd, NanoUsd)> {
        let room = room?;
        if room >= self.wanted {
            Some((self.held, self.wanted))
        } else if room >= self.least && room > NanoUsd::ZERO {
            Some((room, room))
        } else {
            None
        }
    }
}
