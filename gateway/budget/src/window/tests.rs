use std::time::Duration;

use jiff::Timestamp;

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn span(window: Window, now: &str) -> (String, String) {
    let period = window.period(ms(now));
    let text = |at: i64| Timestamp::from_millisecond(at).unwrap().to_string();
    assert_eq!(period.id, period.start_ms);
    (text(period.start_ms), text(period.ends_ms.unwrap()))
}

#[test]
fn calendar_windows_begin_and_end_in_utc() {
    for (window, now, start, end) in [
        (
            Window::Hour,
            "2026-03-29T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T02:00:00Z",
        ),
        (
            Window::Day,
            "2026-03-29T23:59:59.999Z",
            "2026-03-29T00:00:00Z",
            "2026-03-30T00:00:00Z",
        ),
        (
            Window::Day,
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:00:00Z",
            "2026-10-26T00:00:00Z",
        ),
        (
            Window::Week,
            "2026-01-01T12:00:00Z",
            "2025-12-29T00:00:00Z",
            "2026-01-05T00:00:00Z",
        ),
        (
            Window::Week,
            "2027-01-03T23:59:59Z",
            "2026-12-28T00:00:00Z",
            "2027-01-04T00:00:00Z",
        ),
        (
            Window::Month,
            "2026-01-31T23:59:59Z",
            "2026-01-01T00:00:00Z",
            "2026-02-01T00:00:00Z",
        ),
        (
            Window::Month,
            "2026-02-28T12:00:00Z",
            "2026-02-01T00:00:00Z",
            "2026-03-01T00:00:00Z",
        ),
        (
            Window::Month,
            "2028-02-29T12:00:00Z",
            "2028-02-01T00:00:00Z",
            "2028-03-01T00:00:00Z",
        ),
        (
            Window::Month,
            "2026-12-31T12:00:00Z",
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        ),
        (
            Window::Month,
            "1969-12-31T12:00:00Z",
            "1969-12-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
        ),
        (
            Window::Week,
            "1970-01-01T00:00:00Z",
            "1969-12-29T00:00:00Z",
            "1970-01-05T00:00:00Z",
        ),
    ] {
        assert_eq!(
            span(window, now),
            (start.to_owned(), end.to_owned()),
            "{window} at {now}"
        );
    }
}

#[test]
fn days_of_daylight_saving_have_24_hours() {
    for day in ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01"] {
        let start = ms(&format!("{day}T00:00:00Z"));
        let mut hours: Vec<i64> = (0..24 * 60)
            .map(|minute| Window::Hour.period(start + minute * 60_000).id)
            .collect();
        hours.dedup();
        assert_eq!(hours.len(), 24, "{day}");
        assert!((0..24 * 60).all(|minute| Window::Day.period(start + minute * 60_000).id == start));
    }
}

#[test]
fn periods_follow_each_other_without_a_gap() {
    let mut now = ms("2023-12-30T22:00:00Z");
    for window in [Window::Hour, Window::Day, Window::Week, Window::Month] {
        for _ in 0..60 {
            let period = window.period(now);
            let end = period.ends_ms.unwrap();
            assert!(period.start_ms <= now && now < end);
            assert_eq!(window.period(end - 1), period);
            assert_eq!(window.period(end).start_ms, end);
            now = end;
        }
    }
}

#[test]
fn a_rolling_window_covers_its_span_and_at_most_a_bucket_more() {
    let window = Window::Rolling(DAY);
    let now = ms("2026-06-01T12:34:56Z");
    let period = window.period(now);
    let covered = now - period.start_ms;
    assert_eq!(window.bucket_ms(), DAY_MS / 60);
    assert!(
        (DAY_MS..DAY_MS + DAY_MS / 60).contains(&covered),
        "{covered}"
    );
    assert_eq!(
        window.forgets_ms(period.id - Window::BUCKETS),
        (period.id + 1) * window.bucket_ms()
    );
}

#[test]
fn absurd_spans_and_moments_have_a_period() {
    assert_eq!(Window::Rolling(Duration::ZERO).bucket_ms(), 1);
    assert_eq!(Window::Rolling(Duration::from_millis(61)).bucket_ms(), 2);
    for window in [
        Window::Hour,
        Window::Week,
        Window::Month,
        Window::Task,
        Window::Rolling(Duration::MAX),
    ] {
        for now in [i64::MIN, 0, i64::MAX] {
            let period = window.period(now);
            assert!(period.ends_ms.is_none_or(|end| end >= period.start_ms));
        }
    }
}

#[test]
fn windows_are_written_as_in_a_policy() {
    for (window, text) in [
        (Window::Hour, "hour"),
        (Window::Task, "task"),
        (Window::Rolling(DAY), "rolling:24h"),
        (Window::Rolling(Duration::from_secs(90)), "rolling:90s"),
        (
            Window::Rolling(Duration::from_millis(1500)),
            "rolling:1500ms",
        ),
        (Window::Rolling(Duration::ZERO), "rolling:0ms"),
    ] {
        assert_eq!(window.to_string(), text);
    }
}
