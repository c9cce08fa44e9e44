//! The stretch of time that a budget is for.

use std::{fmt, time::Duration};

/// When a budget begins anew. Hours, days, weeks and months are those of the calendar in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// At each full hour.
    Hour,
    /// At midnight.
    Day,
    /// At midnight before a Monday.
    Week,
    /// At midnight before the first of a month.
    Month,
    /// Never: it lasts as long as the task.
    Task,
    /// Never as a whole: what was spent longer ago than this, in whole seconds, no longer counts.
    Rolling(Duration),
}

const ROLLING: &str = "rolling:";
/// Below a minute a rate limit says it better.
const MIN_ROLLING: Duration = Duration::from_mins(1);
/// A leap year.
const MAX_ROLLING: Duration = Duration::from_hours(366 * 24);

// === impl Window ===

impl Window {
    /// Reads a window as a tenant file writes it; the error says what was expected.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        Ok(match text {
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "task" => Self::Task,
            _ => {
                let length = text.strip_prefix(ROLLING).ok_or(
                    "expected `hour`, `day`, `week`, `month`, `task`, or a length such as `rolling:24h`",
                )?;
                let length = humantime::parse_duration(length)
                    .map_err(|_| "expected a length such as `rolling:24h`")?;
                let whole = length.subsec_nanos() == 0;
                if !whole || !(MIN_ROLLING..=MAX_ROLLING).contains(&length) {
                    return Err("expected a length of 1m to 366days in whole seconds");
                }
                Self::Rolling(length)
            }
        })
    }
}

impl fmt::Display for Window {
    /// As a tenant file writes it; equal windows are written alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hour => f.write_str("hour"),
            Self::Day => f.write_str("day"),
            Self::Week => f.write_str("week"),
            Self::Month => f.write_str("month"),
            Self::Task => f.write_str("task"),
            Self::Rolling(length) => {
                let length = humantime::format_duration(*length).to_string();
                write!(f, "{ROLLING}{}", length.replace(' ', ""))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_shown_as_they_are_read() {
        for text in [
            "hour",
            "day",
            "week",
            "month",
            "task",
            "rolling:1m",
            "rolling:1day",
            "rolling:2h30m",
        ] {
            let window = Window::parse(text).unwrap();
            assert_eq!(window.to_string(), text);
            assert_eq!(Window::parse(&window.to_string()), Ok(window));
        }
        assert_eq!(
            Window::parse("rolling:24h"),
            Ok(Window::Rolling(Duration::from_hours(24)))
        );
        let longest = Window::parse("rolling:366days").unwrap();
        assert_eq!(Window::parse(&longest.to_string()), Ok(longest));
    }

    #[test]
    fn lengths_have_bounds() {
        for wrong in [
            "rolling:59s",
            "rolling:366days 1s",
            "rolling:90500ms",
            "rolling:",
            "rolling:-1h",
            "rolling:99999999999999999999days",
            "Day",
            "year",
            "",
        ] {
            assert!(Window::parse(wrong).is_err(), "{wrong}");
        }
    }
}
