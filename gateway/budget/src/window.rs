//! When money counts: calendar windows in UTC, the life of a task, and rolling spans.

use std::{fmt, time::Duration};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

/// How long what is spent counts against a limit. Calendar windows begin and end in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The clock hour.
    Hour,
    /// The calendar day.
    Day,
    /// The ISO week: Monday to Sunday.
    Week,
    /// The calendar month.
    Month,
    /// A task's whole life.
    Task,
    /// The span before now, in milliseconds at the finest, told apart in [`Window::BUCKETS`] steps.
    Rolling(Duration),
}

/// One run of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Orders the periods of a window: where a calendar period begins, in unix milliseconds; the number of a rolling
    /// window's newest bucket; 0 for a task.
    pub id: i64,
    /// From when on spending counts, in unix milliseconds; 0 for a task.
    pub start_ms: i64,
    /// When everything spent is forgotten at once, in unix milliseconds: never for tasks and rolling windows.
    pub ends_ms: Option<i64>,
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// The first Monday of unix time, 5 January 1970.
const FIRST_MONDAY_MS: i64 = 4 * DAY_MS;

// === impl Window ===

impl Window {
    /// Steps in which a rolling window forgets. Its oldest bucket counts whole, so that a window covers its span and
    /// up to a sixtieth more, never less.
    pub const BUCKETS: i64 = 60;

    /// The period to which a moment belongs; `now_ms` in unix milliseconds.
    pub fn period(self, now_ms: i64) -> Period {
        let every = |length: i64, first: i64| {
            let into = now_ms.saturating_sub(first).rem_euclid(length);
            calendar(
                now_ms.saturating_sub(into),
                now_ms.saturating_sub(into).saturating_add(length),
            )
        };
        match self {
            Self::Hour => every(HOUR_MS, 0),
            Self::Day => every(DAY_MS, 0),
            Self::Week => every(WEEK_MS, FIRST_MONDAY_MS),
            Self::Month => month(now_ms),
            Self::Task => Period {
                id: 0,
                start_ms: 0,
                ends_ms: None,
            },
            Self::Rolling(_) => {
                let bucket = self.bucket_ms();
                let id = now_ms.div_euclid(bucket);
                Period {
                    id,
                    start_ms: id.saturating_sub(Self::BUCKETS).saturating_mul(bucket),
                    ends_ms: None,
                }
            }
        }
    }

    /// The length of one bucket of a rolling window, in milliseconds, rounded up; 1 for other windows.
    pub(crate) fn bucket_ms(self) -> i64 {
        let Self::Rolling(span) = self else { return 1 };
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let whole = span / Self::BUCKETS;
        let rest = i64::from(span % Self::BUCKETS != 0);
        whole.saturating_add(rest).max(1)
    }

    /// The moment at which a bucket of a rolling window no longer counts, in unix milliseconds.
    pub(crate) fn forgets_ms(self, bucket: i64) -> i64 {
        bucket
            .saturating_add(Self::BUCKETS)
            .saturating_add(1)
            .saturating_mul(self.bucket_ms())
    }
}

impl fmt::Display for Window {
    /// The window as a policy writes it, such as `month` or `rolling:24h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = match self {
            Self::Hour => return f.pad("hour"),
            Self::Day => return f.pad("day"),
            Self::Week => return f.pad("week"),
            Self::Month => return f.pad("month"),
            Self::Task => return f.pad("task"),
            Self::Rolling(span) => span.as_millis(),
        };
        let (unit, name) = [(3_600_000, "h"), (60_000, "m"), (1000, "s")]
            .into_iter()
            .find(|(unit, _)| span >= *unit && span % unit == 0)
            .unwrap_or((1, "ms"));
        f.pad(&format!("rolling:{}{name}", span / unit))
    }
}

fn calendar(start_ms: i64, ends_ms: i64) -> Period {
    Period {
        id: start_ms,
        start_ms,
        ends_ms: Some(ends_ms),
    }
}

/// The calendar month of a moment; of the first or last one that the calendar knows, where it lies outside of it.
fn month(now_ms: i64) -> Period {
    let earliest = Timestamp::MIN.as_millisecond();
    let latest = Timestamp::MAX.as_millisecond();
    let now_ms = now_ms.clamp(earliest, latest);
    let Ok(now) = Timestamp::from_millisecond(now_ms) else {
        return calendar(earliest, latest);
    };
    let first = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let start = midnight_ms(first).unwrap_or(earliest);
    let next = first.checked_add(1.month()).ok().and_then(midnight_ms);
    calendar(start, next.unwrap_or(latest))
}

fn midnight_ms(date: Date) -> Option<i64> {
    let midnight = date.to_zoned(TimeZone::UTC).ok()?;
    Some(midnight.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests;
