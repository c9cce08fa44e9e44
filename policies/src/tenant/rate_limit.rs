//! How fast a tenant or a key may call.

use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use serde::Deserialize;

use crate::{file::Invalid, units::Span};

/// A steady rate, and how much of it may come at once. At least one of the two rates is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Tokens a minute, of input and output.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// What the rate gives in this time may be used at once.
    pub burst: Duration,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    requests_per_minute: Option<NonZeroU32>,
    tokens_per_minute: Option<NonZeroU64>,
    burst: Option<Span>,
}

/// A whole minute's worth: a rate in tokens a minute is often chosen so that one long prompt fits.
const DEFAULT_BURST: Duration = Duration::from_mins(1);
const MIN_BURST: Duration = Duration::from_secs(1);
const MAX_BURST: Duration = Duration::from_hours(1);
/// Ten billion tokens a minute, beyond all use; a token then still takes a few nanoseconds.
const MAX_TOKENS: u64 = 10_000_000_000;

// === impl RateLimit ===

impl RateLimit {
    pub(super) fn validate(raw: &Raw) -> Result<Self, Invalid> {
        if raw.requests_per_minute.is_none() && raw.tokens_per_minute.is_none() {
            return Err(Invalid::new(
                "",
                "expected `requests_per_minute`, `tokens_per_minute`, or both",
            ));
        }
        if raw
            .tokens_per_minute
            .is_some_and(|tokens| tokens.get() > MAX_TOKENS)
        {
            return Err(Invalid::new(
                "tokens_per_minute",
                format!("expected at most {MAX_TOKENS}"),
            ));
        }
        let burst = raw.burst.map_or(DEFAULT_BURST, |Span(burst)| burst);
        if !(MIN_BURST..=MAX_BURST).contains(&burst) {
            return Err(Invalid::new("burst", "expected from \"1s\" to \"1h\""));
        }
        Ok(Self {
            requests_per_minute: raw.requests_per_minute,
            tokens_per_minute: raw.tokens_per_minute,
            burst,
        })
    }
}
