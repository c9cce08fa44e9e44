//! Medians, quantiles and units.

use std::time::Duration;

/// A time in ms.
pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Bytes in MB of a million.
pub(super) fn megabytes(bytes: u64) -> f64 {
    // The kernel counts in KiB.
    u32::try_from(bytes >> 10).map_or(f64::INFINITY, |kib| f64::from(kib) * 1024.0 / 1e6)
}

/// An equal share of `whole` for each of so many.
pub(super) fn share(whole: f64, count: usize) -> f64 {
    whole / u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// The smallest value that at least `percent` of the sorted values do not exceed (nearest rank); NaN of none.
pub(super) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    let at = rank.saturating_sub(1);
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The middle value; the mean of the two in the middle of an even number.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        None => f64::NAN,
        Some(upper) if sorted.len() % 2 == 1 => *upper,
        Some(upper) => f64::midpoint(sorted[middle - 1], *upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 1e-9
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!(is(percentile(&hundred, 50), 50.0));
        assert!(is(percentile(&hundred, 99), 99.0));
        assert!(is(percentile(&[7.0], 99), 7.0));
        assert!(is(percentile(&[1.0, 2.0, 3.0], 99), 3.0));
        assert!(percentile(&[], 50).is_nan());
    }

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert!(is(median([3.0, 1.0, 2.0]), 2.0));
        assert!(is(median([4.0, 1.0, 3.0, 2.0]), 2.5));
        assert!(median([]).is_nan());
    }

    #[test]
    fn units() {
        assert!(is(millis(Duration::from_micros(250)), 0.25));
        assert!(is(megabytes(5_120_000), 5.12));
        assert!(is(share(10.0, 4), 2.5));
    }
}
