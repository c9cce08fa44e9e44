//! Exponentials of many logits at once.

/// Values added in single precision before they go into the double-precision sum.
const BLOCK: usize = 1024;

/// Sums kept side by side: the loop over them becomes vector instructions.
const LANES: usize = 16;

/// Below this, `exp` is taken for 0: its value would be subnormal.
const LEAST: f32 = -87.0;

/// ln 2 in two parts: the first has so few digits that its product with a small integer is exact
/// (Cody and Waite, 1980, "Software Manual for the Elementary Functions").
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// 1.5 · 2²³: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// e to the power of `x`, which is at most 0, with a relative error below 2·10⁻⁷; 0 where `x` is
/// below -87 or not a number. Only additions, multiplications and shifts, so that loops over it
/// are vectorized.
///
/// `x = n · ln 2 + r` with `|r| ≤ ½ ln 2`; the Taylor polynomial of degree 7 gives `e^r`, and `n`
/// goes into the exponent's bits.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    let inside = if x >= LEAST { x } else { LEAST };
    let shifted = inside * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (inside - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut power = 1.0 / 5040.0;
    for coefficient in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        power = power * r + coefficient;
    }
    // The integer's low bits become an exponent; what was above them is shifted out.
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    if x >= LEAST { power * scale } else { 0.0 }
}

/// The natural logarithm of the sum of `e^(logit - highest)`: what is taken off `logit - highest`
/// for a log-probability. Logits that are not numbers count as impossible.
pub(super) fn log_sum_exp(logits: &[f32], highest: f32) -> f64 {
    let mut sum = 0.0_f64;
    for block in logits.chunks(BLOCK) {
        let mut lanes = [0.0_f32; LANES];
        let (chunks, rest) = block.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, &logit) in lanes.iter_mut().zip(chunk) {
                *lane += exp(logit - highest);
            }
        }
        sum += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
        sum += rest
            .iter()
            .map(|&logit| f64::from(exp(logit - highest)))
            .sum::<f64>();
    }
    sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_that_of_the_library() {
        for step in 0..200_000 {
            let x = -87.0 * (step as f32 / 200_000.0);
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2e-7, "exp({x}) is off by {error}");
        }
        assert_eq!(exp(0.0).to_bits(), 1.0_f32.to_bits());
        assert_eq!(exp(-88.0).to_bits(), 0.0_f32.to_bits());
        assert_eq!(exp(f32::NEG_INFINITY).to_bits(), 0.0_f32.to_bits());
        assert_eq!(exp(f32::NAN).to_bits(), 0.0_f32.to_bits());
    }

    #[test]
    fn the_sum_is_that_of_double_precision() {
        let logits: Vec<f32> = (0..5003)
            .map(|i| ((i * 7919) % 1000) as f32 / 50.0)
            .collect();
        let exact = logits
            .iter()
            .map(|&logit| f64::from(logit - 20.0).exp())
            .sum::<f64>()
            .ln();
        assert!((log_sum_exp(&logits, 20.0) - exact).abs() < 1e-7);
    }
}
