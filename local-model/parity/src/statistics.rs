//! Few numbers out of many.

/// The middle one, or the mean of the two in the middle; not a number where there is none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle) {
        None => f64::NAN,
        Some(&upper) if sorted.len() % 2 == 1 => upper,
        Some(&upper) => f64::midpoint(sorted[middle - 1], upper),
    }
}

/// How two lists of numbers differ, gathered pair by pair.
#[derive(Debug, Clone, Copy, Default)]
pub struct Agreement {
    count: f64,
    sum_of_differences: f64,
    largest_difference: f64,
    mean_x: f64,
    mean_y: f64,
    square_x: f64,
    square_y: f64,
    product: f64,
}

impl Agreement {
    /// Takes one pair in. Means and squares are kept up by Welford's method, which does not lose digits.
    pub fn add(&mut self, x: f64, y: f64) {
        self.count += 1.0;
        let difference = (x - y).abs();
        self.sum_of_differences += difference;
        // `f64::max` would lose a value that is no number.
        if difference > self.largest_difference || difference.is_nan() {
            self.largest_difference = difference;
        }
        let from_old_x = x - self.mean_x;
        let from_old_y = y - self.mean_y;
        self.mean_x += from_old_x / self.count;
        self.mean_y += from_old_y / self.count;
        self.square_x += from_old_x * (x - self.mean_x);
        self.square_y += from_old_y * (y - self.mean_y);
        self.product += from_old_x * (y - self.mean_y);
    }

    /// Takes many pairs in; lists of different lengths agree in nothing.
    pub fn add_all(&mut self, x: &[f32], y: &[f32]) {
        if x.len() != y.len() {
            self.add(f64::NAN, f64::NAN);
        }
        for (&x, &y) in x.iter().zip(y) {
            self.add(f64::from(x), f64::from(y));
        }
    }

    /// The mean of the absolute differences.
    pub fn mean_difference(&self) -> f64 {
        self.sum_of_differences / self.count
    }

    /// The largest absolute difference.
    pub fn largest_difference(&self) -> f64 {
        self.largest_difference
    }

    /// Pearson's correlation coefficient.
    pub fn pearson(&self) -> f64 {
        self.product / (self.square_x * self.square_y).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(x: &[f32], y: &[f32]) -> Agreement {
        let mut agreement = Agreement::default();
        agreement.add_all(x, y);
        agreement
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        assert!((median(&[4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-12);
        assert!((median(&[9.0, 1.0, 3.0]) - 3.0).abs() < 1e-12);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_line_correlates_fully_and_its_mirror_inversely() {
        let up = agreement(&[1.0, 2.0, 4.0], &[3.0, 5.0, 9.0]);
        assert!((up.pearson() - 1.0).abs() < 1e-12);
        assert!((up.mean_difference() - (2.0 + 3.0 + 5.0) / 3.0).abs() < 1e-12);
        assert!((up.largest_difference() - 5.0).abs() < 1e-12);
        let down = agreement(&[1.0, 2.0, 4.0], &[-1.0, -2.0, -4.0]);
        assert!((down.pearson() + 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_missing_or_no_number_agrees_with_nothing() {
        assert!(agreement(&[1.0, 2.0], &[1.0]).mean_difference().is_nan());
        let broken = agreement(&[1.0, f32::NAN, 2.0], &[1.0, 1.0, 2.0]);
        assert!(broken.mean_difference().is_nan());
        assert!(broken.largest_difference().is_nan());
    }
}
