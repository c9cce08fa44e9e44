//! Numbers that are far from the others.

use std::collections::HashMap;

use super::shape;

/// So many median deviations from the median are far: 4 standard deviations of a normal distribution.
const FAR: f64 = 6.0;

/// Fewer numbers tell nothing of how far is far.
const MIN_NUMBERS: usize = 8;

/// The places of numbers that stand out: by the median and the median absolute deviation (Hampel, "The Influence Curve
/// and Its Role in Robust Estimation", 1974). Of numbers that only go up or only go down it is the steps between them
/// that count, and both sides of a step stand out. The furthest `most`, or two if that is more; but where most numbers
/// are the same and more than a tenth are not, none.
pub(super) fn outliers(numbers: &[f64], most: usize) -> Vec<usize> {
    if numbers.len() < MIN_NUMBERS {
        return Vec::new();
    }
    if is_sequence(numbers) {
        let steps: Vec<f64> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let far = far(&steps, most.max(2));
        return far.into_iter().flat_map(|at| [at, at + 1]).collect();
    }
    far(numbers, most.max(2))
}

/// Numbers in texts of the same shape: each has them in the same slots.
#[derive(Debug, Default)]
pub(super) struct Slots {
    numbers: HashMap<(u64, usize), Vec<(usize, f64)>>,
}

impl Slots {
    /// Takes in the text at a place, whose shape is known.
    pub(super) fn add(&mut self, place: usize, shape: u64, text: &str) {
        shape::each_number(text, |slot, number| {
            let numbers = self.numbers.entry((shape, slot)).or_default();
            numbers.push((place, number));
        });
    }

    /// The places of texts with a number that is far from those in its slot: at most a fiftieth of them for each slot.
    /// In no order.
    pub(super) fn outliers(&self) -> Vec<usize> {
        let mut places = Vec::new();
        for slot in self.numbers.values() {
            let numbers: Vec<f64> = slot.iter().map(|(_, number)| *number).collect();
            let far = outliers(&numbers, numbers.len() / 50);
            places.extend(far.into_iter().map(|at| slot[at].0));
        }
        places
    }
}

/// The places of the smallest and the largest, unless the numbers are a sequence, whose ends are those of the list.
pub(super) fn extremes(numbers: &[f64]) -> Vec<usize> {
    if is_sequence(numbers) {
        return Vec::new();
    }
    let places = || numbers.iter().enumerate();
    let least = places().min_by(|one, other| one.1.total_cmp(other.1));
    let most = places().max_by(|one, other| one.1.total_cmp(other.1));
    least.into_iter().chain(most).map(|(at, _)| at).collect()
}

/// Whether nearly all steps go one way, and some do.
fn is_sequence(numbers: &[f64]) -> bool {
    let steps = numbers.len().saturating_sub(1);
    let count = |goes: fn(f64, f64) -> bool| {
        numbers
            .windows(2)
            .filter(|pair| goes(pair[0], pair[1]))
            .count()
    };
    let (up, down) = (count(|a, b| a < b), count(|a, b| a > b));
    up.max(down) * 2 > steps && up.min(down) * 10 <= steps
}

fn far(numbers: &[f64], most: usize) -> Vec<usize> {
    let Some(middle) = median(numbers.to_vec()) else {
        return Vec::new();
    };
    let distances: Vec<f64> = numbers
        .iter()
        .map(|number| (number - middle).abs())
        .collect();
    let spread = median(distances.clone()).unwrap_or_default();
    let mut far: Vec<usize> = (0..numbers.len())
        .filter(|&at| distances[at] > spread * FAR)
        .collect();
    if spread <= 0.0 && far.len() * 10 > numbers.len().max(20) {
        return Vec::new();
    }
    far.sort_by(|one, other| distances[*other].total_cmp(&distances[*one]));
    far.truncate(most);
    far
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    let middle = numbers.len() / 2;
    if numbers.is_empty() {
        return None;
    }
    let (_, median, _) = numbers.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_stands_out() {
        let mut numbers: Vec<f64> = (0..40).map(|at| f64::from(95 + at * 7 % 11)).collect();
        assert_eq!(outliers(&numbers, 4), [0_usize; 0]);
        numbers[19] = 99_999.0;
        numbers[3] = -5.0;
        assert_eq!(outliers(&numbers, 4), [19, 3]);
        assert_eq!(extremes(&numbers), [3, 19]);
    }

    #[test]
    fn of_a_sequence_the_gap_stands_out() {
        let numbers: Vec<f64> = (0..40).map(|at| f64::from(at + at / 20 * 100)).collect();
        assert_eq!(outliers(&numbers, 4), [19, 20]);
        assert_eq!(extremes(&numbers), [0_usize; 0]);
        assert_eq!(outliers(&[], 4), [0_usize; 0]);
    }

    #[test]
    fn among_equal_numbers_another_stands_out() {
        let mut numbers = vec![200.0; 30];
        numbers[4] = 204.0;
        assert_eq!(outliers(&numbers, 4), [4]);
    }
}
