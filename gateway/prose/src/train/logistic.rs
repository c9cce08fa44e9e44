//! Logistic regression: [`Head`].

use crate::result::real;

/// Passes over all samples.
const STEPS: usize = 300;
/// How far a step goes.
const RATE: f64 = 0.05;
/// How much large weights cost.
const DECAY: f64 = 1e-3;
/// Adam's memories and its guard against division by nothing (Kingma and Ba, 2015).
const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

/// A token to learn from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample<'s> {
    pub(super) features: &'s [f32],
    pub(super) keep: bool,
    pub(super) weight: f64,
}

/// A linear function of a token's vector, whose logistic is the probability that it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) weights: Vec<f64>,
    pub(super) bias: f64,
}

/// What each feature is moved and stretched by, so that all count the same at the start.
struct Scale {
    mean: Vec<f64>,
    spread: Vec<f64>,
}

impl Head {
    /// The weights that make the labels likeliest, kept small. Both classes count the same, however many samples each
    /// has. Deterministic.
    pub(super) fn train(samples: &[Sample<'_>], width: usize) -> Self {
        let scale = Scale::of(samples, width);
        let rows: Vec<Vec<f64>> = samples.iter().map(|s| scale.apply(s.features)).collect();
        let total = |keep: bool| {
            let own = samples.iter().filter(|sample| sample.keep == keep);
            own.map(|sample| sample.weight).sum::<f64>().max(EPSILON)
        };
        let share = [0.5 / total(false), 0.5 / total(true)];
        // The last is the bias.
        let mut weights = vec![0.0; width + 1];
        let mut first = vec![0.0; width + 1];
        let mut second = vec![0.0; width + 1];
        let mut powers = [1.0, 1.0];
        for _ in 0..STEPS {
            let mut gradient = vec![0.0; width + 1];
            for (row, sample) in rows.iter().zip(samples) {
                let target = if sample.keep { 1.0 } else { 0.0 };
                let error = logistic(dot(&weights, row)) - target;
                let error = error * sample.weight * share[usize::from(sample.keep)];
                for (sum, value) in gradient.iter_mut().zip(row) {
                    *sum += error * value;
                }
                gradient[width] += error;
            }
            for (power, beta) in powers.iter_mut().zip(BETA) {
                *power *= beta;
            }
            for (index, weight) in weights.iter_mut().enumerate() {
                let decay = if index < width { DECAY * *weight } else { 0.0 };
                let slope = gradient[index] + decay;
                first[index] = BETA[0] * first[index] + (1.0 - BETA[0]) * slope;
                second[index] = BETA[1] * second[index] + (1.0 - BETA[1]) * slope * slope;
                let mean = first[index] / (1.0 - powers[0]);
                let square = second[index] / (1.0 - powers[1]);
                *weight -= RATE * mean / (square.sqrt() + EPSILON);
            }
        }
        scale.unapply(&weights)
    }

    /// Above 0 where the token is rather kept.
    pub(super) fn logit(&self, features: &[f32]) -> f64 {
        let pairs = self.weights.iter().zip(features);
        self.bias
            + pairs
                .map(|(weight, &value)| weight * f64::from(value))
                .sum::<f64>()
    }
}

impl Scale {
    fn of(samples: &[Sample<'_>], width: usize) -> Self {
        let count = real(samples.len()).max(1.0);
        let mean_of = |value: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; width];
            for sample in samples {
                for ((index, sum), &feature) in sums.iter_mut().enumerate().zip(sample.features) {
                    *sum += value(index, f64::from(feature)) / count;
                }
            }
            sums
        };
        let mean = mean_of(&|_, value| value);
        let variance = mean_of(&|index, value| (value - mean[index]).powi(2));
        let spread = variance
            .into_iter()
            .map(|v| v.sqrt().max(EPSILON))
            .collect();
        Self { mean, spread }
    }

    fn apply(&self, features: &[f32]) -> Vec<f64> {
        let scales = self.mean.iter().zip(&self.spread);
        let pairs = features.iter().zip(scales);
        pairs
            .map(|(&value, (mean, spread))| (f64::from(value) - mean) / spread)
            .collect()
    }

    /// The same function of features as they come.
    fn unapply(&self, weights: &[f64]) -> Head {
        let own = weights.iter().zip(&self.spread);
        let own: Vec<f64> = own.map(|(weight, spread)| weight / spread).collect();
        let moved: f64 = own.iter().zip(&self.mean).map(|(w, mean)| w * mean).sum();
        Head {
            bias: weights.last().copied().unwrap_or(0.0) - moved,
            weights: own,
        }
    }
}

/// Of the features with their weights, and the bias behind these.
fn dot(weights: &[f64], row: &[f64]) -> f64 {
    let bias = weights.get(row.len()).copied().unwrap_or(0.0);
    bias + weights.iter().zip(row).map(|(a, b)| a * b).sum::<f64>()
}

fn logistic(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_between_two_classes_is_found() {
        let features: Vec<[f32; 2]> = (0..40_u8)
            .map(|at| [f32::from(at % 7), 100.0 + f32::from(at % 5)])
            .collect();
        // Above the line x - 2 y + 201 = 0.
        let keep = |f: &[f32; 2]| f[0] - 2.0 * f[1] + 201.0 > 0.0;
        let samples: Vec<Sample<'_>> = features
            .iter()
            .map(|f| Sample {
                features: f,
                keep: keep(f),
                weight: 1.0,
            })
            .collect();
        let head = Head::train(&samples, 2);
        assert_eq!(head, Head::train(&samples, 2));
        let right = samples
            .iter()
            .filter(|s| (head.logit(s.features) > 0.0) == s.keep);
        assert!(right.count() >= 38);
        assert!(head.weights[0] > 0.0 && head.weights[1] < 0.0);
    }
}
