//! The angles of rotary position embedding (Su et al., 2021).

/// Positions between two whose angles are computed anew; those between are turned on from there.
const STEP: usize = 64;

/// The rotation frequencies of one kind of layer.
#[derive(Debug, Clone)]
pub(crate) struct Rope {
    /// Radians per position, one per pair of dimensions.
    frequencies: Vec<f64>,
    /// Cosine and sine of the angles of positions 0 to 63, (positions, pairs).
    steps: Vec<(f64, f64)>,
}

/// Cosines and sines of a run of positions, each (positions, `head_dim` / 2).
#[derive(Debug, Default)]
pub(crate) struct Angles {
    pub(crate) cos: Vec<f32>,
    pub(crate) sin: Vec<f32>,
}

/// How frequencies are stretched to see further than a model was trained to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scaling {
    /// Not at all.
    None,
    /// All by one factor (Chen et al., 2023).
    Linear(f64),
    /// Each by its own factor.
    Factors(Vec<f64>),
    /// Long wavelengths by a factor, short ones not, those between by something between
    /// (Llama 3.1's).
    Llama3(Llama3),
}

/// Llama 3.1's numbers, by their names in `config.json`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Llama3 {
    pub(crate) factor: f64,
    pub(crate) low_freq_factor: f64,
    pub(crate) high_freq_factor: f64,
    pub(crate) original_context: f64,
}

impl Llama3 {
    fn stretch(self, frequency: f64) -> f64 {
        let wavelength = 2.0 * std::f64::consts::PI / frequency;
        let turns = self.original_context / wavelength;
        if turns > self.high_freq_factor {
            frequency
        } else if turns < self.low_freq_factor {
            frequency / self.factor
        } else {
            let range = self.high_freq_factor - self.low_freq_factor;
            let share = (turns - self.low_freq_factor) / range;
            (1.0 - share) * frequency / self.factor + share * frequency
        }
    }
}

impl Rope {
    /// `base` is the wavelength base.
    pub(crate) fn new(head_dim: usize, base: f64, scaling: &Scaling) -> Self {
        let frequencies: Vec<f64> = (0..head_dim / 2)
            .map(|pair| {
                #[expect(clippy::cast_precision_loss, reason = "head dimensions are small")]
                let exponent = (2 * pair) as f64 / head_dim as f64;
                let frequency = base.powf(-exponent);
                match scaling {
                    Scaling::None => frequency,
                    Scaling::Linear(factor) => frequency / factor,
                    Scaling::Factors(factors) => {
                        frequency / factors.get(pair).copied().unwrap_or(1.0)
                    }
                    Scaling::Llama3(numbers) => numbers.stretch(frequency),
                }
            })
            .collect();
        let steps = (0..STEP)
            .flat_map(|position| angles(&frequencies, position).collect::<Vec<_>>())
            .collect();
        Self { frequencies, steps }
    }

    /// Appends the angles of `count` positions from `first` on. Tables of a whole context would
    /// outweigh the model, so they are made per call; a position's are the same in every call.
    pub(crate) fn append(&self, first: usize, count: usize, to: &mut Angles) {
        let pairs = self.frequencies.len();
        let mut base: Vec<(f64, f64)> = Vec::with_capacity(pairs);
        for position in first..first + count {
            let step = position % STEP;
            if step == 0 || position == first {
                base.clear();
                base.extend(angles(&self.frequencies, position - step));
            }
            let steps = &self.steps[step * pairs..][..pairs];
            for ((base_cos, base_sin), (cos, sin)) in base.iter().zip(steps) {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "computed in f64, used in f32"
                )]
                {
                    to.cos.push((base_cos * cos - base_sin * sin) as f32);
                    to.sin.push((base_sin * cos + base_cos * sin) as f32);
                }
            }
        }
    }
}

fn angles(frequencies: &[f64], position: usize) -> impl Iterator<Item = (f64, f64)> {
    frequencies.iter().map(move |frequency| {
        #[expect(clippy::cast_precision_loss, reason = "positions are far below 2^52")]
        let angle = position as f64 * frequency;
        (angle.cos(), angle.sin())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_grow_by_the_frequency() {
        let rope = Rope::new(8, 10_000.0, &Scaling::Linear(2.0));
        let mut angles = Angles::default();
        rope.append(60, 200, &mut angles);
        for (index, (cos, sin)) in angles.cos.iter().zip(&angles.sin).enumerate() {
            let (position, pair) = (60 + index / 4, index % 4);
            let angle = position as f64 * 10_000_f64.powf(-2.0 * pair as f64 / 8.0) / 2.0;
            assert!(
                (f64::from(*cos) - angle.cos()).abs() < 1e-7,
                "{position} {pair}"
            );
            assert!(
                (f64::from(*sin) - angle.sin()).abs() < 1e-7,
                "{position} {pair}"
            );
        }
    }

    #[test]
    fn a_position_has_the_same_angles_in_every_call() {
        let rope = Rope::new(16, 1_000_000.0, &Scaling::None);
        let mut at_once = Angles::default();
        rope.append(0, 300, &mut at_once);
        for first in [1, 63, 64, 130, 299] {
            let mut alone = Angles::default();
            rope.append(first, 1, &mut alone);
            assert_eq!(alone.cos, at_once.cos[first * 8..][..8]);
            assert_eq!(alone.sin, at_once.sin[first * 8..][..8]);
        }
    }

    #[test]
    fn llama_stretches_long_wavelengths_only() {
        let numbers = Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 8192.0,
        };
        let frequency_of = |wavelength: f64| 2.0 * std::f64::consts::PI / wavelength;
        let stretched =
            |wavelength: f64| numbers.stretch(frequency_of(wavelength)) / frequency_of(wavelength);
        assert!((stretched(1000.0) - 1.0).abs() < 1e-12);
        assert!((stretched(10_000.0) - 0.125).abs() < 1e-12);
        assert!((stretched(4096.0) - (2.0 / 3.0 / 8.0 + 1.0 / 3.0)).abs() < 1e-12);
    }
}
