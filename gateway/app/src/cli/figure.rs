//! Numbers and times as people read them.

use crate::clock;

/// A part of a whole in percent, with one decimal; none of nothing.
pub(super) fn share(part: u64, whole: u64) -> String {
    let tenths = (u128::from(part) * 2000 + u128::from(whole))
        .checked_div(u128::from(whole) * 2)
        .unwrap_or_default();
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// A time of UTC, to the second.
pub(super) fn time(unix_ms: i64) -> String {
    clock::rfc3339_of(unix_ms)
        .replace('T', " ")
        .replace('Z', "")
}

/// A text that may be missing.
pub(super) fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_to_a_tenth_of_a_percent() {
        assert_eq!(share(1, 3), "33.3%");
        assert_eq!(share(2, 3), "66.7%");
        assert_eq!(share(5, 5), "100.0%");
        assert_eq!(share(0, 0), "0.0%");
        assert_eq!(share(u64::MAX, u64::MAX), "100.0%");
    }

    #[test]
    fn times_are_told_without_ornaments() {
        assert_eq!(time(1_795_255_200_000), "2026-11-21 10:00:00");
    }
}
