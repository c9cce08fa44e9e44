//! The time of day, which answers made here and log lines carry.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01 UTC.
pub(crate) fn unix_seconds() -> u64 {
    now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The time in UTC to the microsecond, by RFC 3339.
pub(crate) fn timestamp() -> String {
    humantime::format_rfc3339_micros(now()).to_string()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the time of day is read"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
