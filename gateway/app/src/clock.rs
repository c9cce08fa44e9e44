//! The time of day, which answers made here and log lines carry.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 9999-12-31T23:59:59Z, the last moment that RFC 3339 can write.
const LAST_MS: u64 = 253_402_300_799_000;

/// Seconds since 1970-01-01 UTC.
pub(crate) fn unix_seconds() -> u64 {
    now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn unix_millis() -> i64 {
    now().duration_since(UNIX_EPOCH).map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// A moment in unix milliseconds, in UTC to the second, by RFC 3339.
pub(crate) fn rfc3339_of(unix_ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0).min(LAST_MS));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
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
