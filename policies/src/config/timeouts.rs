//! How long anything may take.

use std::time::Duration;

use serde::Deserialize;

use crate::{file::Invalid, units::Span};

/// Deadlines of the client side, the provider side, and of shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From accepting a connection, or finishing an answer, to the end of the next request's headers.
    pub header: Duration,
    /// From a request's headers to the end of its body.
    pub body: Duration,
    /// Silence while a request body is being sent.
    pub body_idle: Duration,
    /// Connecting to a provider, TLS included.
    pub connect: Duration,
    /// From sending a request to the provider's response headers.
    pub first_byte: Duration,
    /// Silence within a provider's response body.
    pub idle: Duration,
    /// Silence in an event stream after which the gateway sends a ping of its own.
    pub keep_alive: Duration,
    /// What running calls get to finish in after the signal to stop.
    pub drain: Duration,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    header: Option<Span>,
    body: Option<Span>,
    body_idle: Option<Span>,
    connect: Option<Span>,
    first_byte: Option<Span>,
    idle: Option<Span>,
    keep_alive: Option<Span>,
    drain: Option<Span>,
}

/// A client that needs longer for a few hundred bytes is broken or hostile.
const DEFAULT_HEADER: Duration = Duration::from_secs(10);
/// The largest body over a line of one megabit a second.
const DEFAULT_BODY: Duration = Duration::from_mins(5);
/// Bodies of megabytes come over slow lines, but not with long pauses.
const DEFAULT_BODY_IDLE: Duration = Duration::from_secs(30);
/// Several round trips around the world.
const DEFAULT_CONNECT: Duration = Duration::from_secs(5);
/// Unstreamed answers send no header before the last token is there; the SDKs wait ten minutes.
const DEFAULT_FIRST_BYTE: Duration = Duration::from_mins(10);
/// Coding agents give a silent stream up after 300 seconds.
const DEFAULT_IDLE: Duration = Duration::from_mins(5);
/// Well under the idle timeouts of common load balancers (60 s).
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Long enough for most answers, short enough for an orchestrator's patience.
const DEFAULT_DRAIN: Duration = Duration::from_mins(2);

// === impl Timeouts ===

impl Timeouts {
    pub(super) fn validate(raw: &Raw) -> Result<Self, Invalid> {
        let or = |given: Option<Span>, default| given.map_or(default, |Span(duration)| duration);
        let timeouts = Self {
            header: or(raw.header, DEFAULT_HEADER),
            body: or(raw.body, DEFAULT_BODY),
            body_idle: or(raw.body_idle, DEFAULT_BODY_IDLE),
            connect: or(raw.connect, DEFAULT_CONNECT),
            first_byte: or(raw.first_byte, DEFAULT_FIRST_BYTE),
            idle: or(raw.idle, DEFAULT_IDLE),
            keep_alive: or(raw.keep_alive, DEFAULT_KEEP_ALIVE),
            drain: or(raw.drain, DEFAULT_DRAIN),
        };
        let more_than_nothing = [
            ("header", timeouts.header),
            ("body", timeouts.body),
            ("body_idle", timeouts.body_idle),
            ("connect", timeouts.connect),
            ("first_byte", timeouts.first_byte),
            ("idle", timeouts.idle),
            ("keep_alive", timeouts.keep_alive),
        ];
        for (field, value) in more_than_nothing {
            if value.is_zero() {
                return Err(Invalid::new(field, "expected more than 0s"));
            }
        }
        Ok(timeouts)
    }
}
