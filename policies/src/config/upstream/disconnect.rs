//! What becomes of a provider's answer when its client is gone.

use std::{num::NonZeroUsize, time::Duration};

use serde::Deserialize;
use skinflint_money::NanoUsd;

use crate::{file::Invalid, units::Span};

/// What becomes of a provider's answer when its client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisconnect {
    /// The connection is closed; what had been answered by then is counted.
    Cancel,
    /// It is read to its end, for the provider's own count of what it used.
    Drain(DrainCaps),
}

/// How far an answer without a client is read; where one of these ends, the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainCaps {
    /// The longest time.
    pub time: Duration,
    /// The most that the rest of the answer may cost.
    pub cost: NanoUsd,
    /// Answers that are read so at a time; one more is cancelled.
    pub at_once: NonZeroUsize,
}

/// `"cancel"`, or `{ drain = { … } }`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Raw {
    #[default]
    Cancel,
    Drain(RawCaps),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCaps {
    r#for: Option<Span>,
    usd: Option<NanoUsd>,
    at_once: Option<NonZeroUsize>,
}

/// Most answers end sooner; those that do not are rarely worth waiting for.
const DEFAULT_TIME: Duration = Duration::from_secs(30);
/// About 30,000 tokens of output at a large model's price.
const DEFAULT_COST: NanoUsd = NanoUsd::new(500_000_000);
/// Each holds a connection and nothing else.
const DEFAULT_AT_ONCE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

// === impl OnDisconnect ===

impl OnDisconnect {
    pub(super) fn validate(raw: Raw) -> Result<Self, Invalid> {
        let Raw::Drain(raw) = raw else {
            return Ok(Self::Cancel);
        };
        let time = raw.r#for.map_or(DEFAULT_TIME, |Span(time)| time);
        if time.is_zero() {
            return Err(Invalid::new("drain.for", "expected more than 0s"));
        }
        let cost = raw.usd.unwrap_or(DEFAULT_COST);
        if cost == NanoUsd::ZERO {
            return Err(Invalid::new("drain.usd", "expected more than 0"));
        }
        Ok(Self::Drain(DrainCaps {
            time,
            cost,
            at_once: raw.at_once.unwrap_or(DEFAULT_AT_ONCE),
        }))
    }
}
