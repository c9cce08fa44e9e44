//! What is written: reservations, settlements and receipts of requests.

pub(crate) mod limits;

use serde::{Deserialize, Serialize};
use skinflint_money::{NanoUsd, NanoUsdDelta};
use skinflint_protocol::Usage;
use uuid::Uuid;

pub use limits::{MOST_FOR_ONE_CALL, NAME_BYTES, SCOPE_BYTES};

/// An attempt that is about to spend money.
///
/// Names longer than [`NAME_BYTES`] are cut, scopes at [`SCOPE_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Of this sending of the request; its own for good.
    pub attempt: Uuid,
    /// The client's call.
    pub request: Uuid,
    /// By what its room in budgets is set aside; that is the client's call where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Uuid>,
    /// Which sending of it, from 1.
    pub number: u32,
    /// Who pays.
    pub tenant: String,
    /// The id of the key that was used.
    pub key: Option<String>,
    /// The task that the call is part of.
    pub task: String,
    /// The agent within the task.
    pub agent: Option<String>,
    /// The agents above that one, the outermost first.
    #[serde(default)]
    pub ancestors: Vec<String>,
    /// The class of the call, such as `title`.
    pub class: Option<String>,
    /// What the client tagged it with.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The model that was asked for.
    pub model: String,
    /// Where it goes: the name of a provider, or `local`.
    pub upstream: String,
    /// The model that is asked for there.
    pub upstream_model: String,
    /// The likely cost.
    pub held: NanoUsd,
    /// The most that it can cost; what is settled when nothing else is known.
    pub upper: NanoUsd,
    /// The price table that these come from.
    pub price_version: String,
    /// When, in unix milliseconds.
    pub at_ms: i64,
    /// A subscription pays: what it costs is a notion.
    pub notional: bool,
    /// The task runs unoptimised.
    pub holdout: bool,
    /// What we kept out of the prompt.
    #[serde(default)]
    pub spared: Spared,
    /// Whose money, such as `tenant`, `key:k1`, `task:t`, `agent:t/a`, `model:m`, `class:c`, `tag:g`: the roll-ups
    /// that count it. `tenant` is always one of them; one named twice counts once.
    pub scopes: Vec<String>,
}

/// What a call would have had besides, without us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spared {
    /// Tokens kept out of what the prompt had anew.
    pub new: u64,
    /// Tokens kept out of what had been sent before.
    pub earlier: u64,
    /// We sent it for ends of our own: without us there had been no such call.
    pub extra: bool,
}

/// Where the cost of a settlement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The provider said what was used.
    Provider,
    /// We counted.
    Counted,
    /// Neither is known: the most that it can have cost.
    UpperBound,
    /// The gateway ended in between: the most that it can have cost.
    Crash,
    /// Nothing was billed.
    Declined,
}

/// The money of a settled attempt, all of it by the price table named with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Money {
    /// What it cost.
    pub cost: NanoUsd,
    /// What the same call would have cost as it was asked for, with the provider's prompt cache.
    pub counterfactual: NanoUsd,
    /// Saved by the provider's cache.
    pub saved_provider_cache: NanoUsdDelta,
    /// Saved by us.
    pub saved_ours: NanoUsdDelta,
    /// What we made worse; not above zero.
    pub harm: NanoUsdDelta,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which.
    pub attempt: Uuid,
    /// When, in unix milliseconds. Roll-ups count it in this hour.
    pub at_ms: i64,
    /// Where the cost comes from.
    pub source: Source,
    /// The tokens.
    pub usage: Usage,
    /// The money.
    pub money: Money,
    /// The lines of the receipt that add up to the cost, as JSON.
    pub lines: String,
    /// The tier of prices that applied, such as `standard`.
    pub tier: String,
    /// The provider's id of the answer.
    pub response: Option<String>,
    /// A later call can name the answer as its input, so that its tokens have to be known then.
    pub referable: bool,
    /// The model that answered, as the provider names it.
    pub answered_by: Option<String>,
    /// The provider's HTTP status; 0 if there was no answer.
    pub status: u16,
    /// From the reservation to the end of the answer, in milliseconds.
    pub latency_ms: u64,
    /// To the first byte of the answer, in milliseconds.
    pub ttft_ms: Option<u64>,
}

/// The receipt of a client's call, whether it went anywhere or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRow {
    /// The call.
    pub request: Uuid,
    /// When it came, in unix milliseconds.
    pub at_ms: i64,
    /// Who called; empty if that is not known.
    pub tenant: String,
    /// The id of the key.
    pub key: Option<String>,
    /// The task, if the call got as far as to have one.
    pub task: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// The agent above it.
    pub parent: Option<String>,
    /// The class of the call.
    pub class: Option<String>,
    /// What the client tagged it with.
    pub tags: Vec<String>,
    /// The endpoint's name, such as `chat_completions`.
    pub endpoint: String,
    /// The model that was asked for.
    pub model: Option<String>,
    /// The route that was taken.
    pub route: Option<String>,
    /// The HTTP status of our answer.
    pub status: u16,
    /// How it ended, in a word.
    pub outcome: String,
    /// The label of the error.
    pub error: Option<String>,
    /// Prompt tokens as they came.
    pub tokens_before: Option<u64>,
    /// Prompt tokens as they were sent.
    pub tokens_after: Option<u64>,
    /// The task runs unoptimised.
    pub holdout: bool,
    /// What each layer decided and why, as JSON.
    #[serde(serialize_with = "crate::reader::as_json")]
    pub decisions: String,
    /// The price table.
    pub price_version: Option<String>,
    /// The generation of the policy.
    pub generation: u64,
}

/// A reservation that nobody was left to settle, settled at its upper bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// What was reserved.
    pub reservation: Reservation,
    /// The gateway that had reserved it.
    pub node: String,
    /// When it was settled, in unix milliseconds.
    pub at_ms: i64,
}

// === impl Source ===

impl Source {
    const ALL: [Self; 5] = [
        Self::Provider,
        Self::Counted,
        Self::UpperBound,
        Self::Crash,
        Self::Declined,
    ];

    /// Its name in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Counted => "counted",
            Self::UpperBound => "upper_bound",
            Self::Crash => "crash",
            Self::Declined => "declined",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

// === impl Settlement ===

impl Settlement {
    /// At the upper bound: nobody knows what it cost.
    pub(crate) fn at_upper_bound(reservation: &Reservation, at_ms: i64) -> Self {
        let money = Money {
            cost: reservation.upper,
            counterfactual: reservation.upper,
            ..Money::default()
        };
        Self {
            attempt: reservation.attempt,
            at_ms,
            source: Source::Crash,
            usage: Usage::default(),
            money,
            lines: "[]".to_owned(),
            tier: String::new(),
            response: None,
            referable: false,
            answered_by: None,
            status: 0,
            latency_ms: 0,
            ttft_ms: None,
        }
    }
}
