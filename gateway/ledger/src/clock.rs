//! Hours and days of UTC, in which calls are added up.

use jiff::ToSpan;
use jiff::civil::Date;

const HOUR_MS: i64 = 3_600_000;
/// Milliseconds in a day of UTC.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// The hour of a time in unix milliseconds, counted from 1970.
pub(crate) const fn hour(at_ms: i64) -> i64 {
    at_ms.div_euclid(HOUR_MS)
}

/// The day of a time in unix milliseconds, counted from 1970.
pub(crate) const fn day(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// A day counted from 1970, in the calendar, whose ends it does not leave.
pub(crate) fn date(day: i64) -> Date {
    let first = Date::constant(1970, 1, 1);
    let days = i32::try_from(day)
        .unwrap_or(i32::MAX)
        .clamp(-719_000, 2_932_000);
    first.saturating_add(days.days())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_hours_and_days() {
        assert_eq!((hour(3_599_999), hour(3_600_000), hour(-1)), (0, 1, -1));
        assert_eq!((day(DAY_MS - 1), day(DAY_MS), day(-1)), (0, 1, -1));
        assert_eq!(date(0).to_string(), "1970-01-01");
        assert_eq!(date(20_778).to_string(), "2026-11-21");
        assert_eq!(date(i64::MAX).year(), 9997);
    }
}
