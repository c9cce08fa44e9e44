//! Times as people write them: so long ago, or a date.

use std::time::UNIX_EPOCH;

/// Text that is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time: expected a length such as `24h` or `7d`, which is counted back from now, or a date such as `2026-11-01` (UTC)"
)]
pub(crate) struct NotAMoment(String);

/// Reads a time, in unix milliseconds: a length before `now_ms`, the beginning of a date in UTC, or a time by RFC 3339.
pub(crate) fn parse(text: &str, now_ms: i64) -> Result<i64, NotAMoment> {
    let wrong = || NotAMoment(text.to_owned());
    if let Ok(length) = humantime::parse_duration(text) {
        let length = i64::try_from(length.as_millis()).map_err(|_| wrong())?;
        return Ok(now_ms.saturating_sub(length).max(0));
    }
    humantime::parse_rfc3339(text)
        .or_else(|_| humantime::parse_rfc3339(&format!("{text}T00:00:00Z")))
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21 10:00 UTC.
    const NOW: i64 = 1_795_255_200_000;

    #[test]
    fn times_are_read_as_lengths_and_as_dates() {
        for (text, before_now) in [
            ("24h", 86_400_000),
            ("7d", 7 * 86_400_000),
            ("1h 30m", 5_400_000),
            ("0s", 0),
            ("2026-11-21", 36_000_000),
            ("2026-11-21T09:00:00Z", 3_600_000),
            ("1970-01-01", NOW),
            ("1000years", NOW),
        ] {
            assert_eq!(parse(text, NOW), Ok(NOW - before_now), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "24",
            "-7d",
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "2026-11",
            "1969-12-31",
        ] {
            assert!(parse(text, NOW).is_err(), "{text}");
        }
    }
}
