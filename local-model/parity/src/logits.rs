//! What is read off a row of logits.

/// Lanes that the compiler makes vectors of.
const LANES: usize = 16;

/// The place of the highest one, the first of equals; 0 where there is none.
pub fn argmax(logits: &[f32]) -> u32 {
    let highest = highest(logits);
    let place = logits.iter().position(|&logit| logit >= highest);
    place
        .and_then(|place| u32::try_from(place).ok())
        .unwrap_or(0)
}

/// The natural log-probability of a token; that of no token is minus infinity.
pub fn logprob(logits: &[f32], token: u32) -> f32 {
    let highest = highest(logits);
    let logit = logits.get(token as usize).copied();
    logit.unwrap_or(f32::NEG_INFINITY) - highest - log_sum_exp(logits, highest)
}

/// The natural log-probabilities of all tokens: the log of the softmax.
pub fn logprobs(logits: &[f32]) -> Vec<f32> {
    let highest = highest(logits);
    let log_sum = log_sum_exp(logits, highest);
    logits
        .iter()
        .map(|logit| logit - highest - log_sum)
        .collect()
}

/// The logarithm of the sum of the exponentials, all less `highest`, added up in f64.
fn log_sum_exp(logits: &[f32], highest: f32) -> f32 {
    let sum: f64 = logits
        .iter()
        .map(|&logit| f64::from((logit - highest).exp()))
        .sum();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "logits have the digits of f32"
    )]
    let log_sum = sum.ln() as f32;
    log_sum
}

fn highest(logits: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = logits.chunks_exact(LANES);
    let rest = chunks.remainder();
    let raise = |lane: &mut f32, value: f32| *lane = if value > *lane { value } else { *lane };
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            raise(lane, value);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        raise(lane, value);
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_the_highest() {
        let mut logits = vec![0.0; 100];
        logits[37] = 2.0;
        logits[99] = 2.0;
        assert_eq!(argmax(&logits), 37);
        logits[99] = 2.5;
        assert_eq!(argmax(&logits), 99);
        assert_eq!(argmax(&[]), 0);
    }

    #[test]
    fn log_probabilities_are_those_of_the_softmax() {
        // Large ones lose no digits.
        assert!((logprob(&[3.0e4, 3.0e4], 1) + 2.0_f32.ln()).abs() < 1e-6);
        let logits = [0.0, 1.0, 2.0];
        let total: f32 = logits.iter().map(|logit: &f32| logit.exp()).sum();
        for (token, logprob_of) in (0..).zip(logprobs(&logits)) {
            assert!((logprob_of - (logits[token as usize].exp() / total).ln()).abs() < 1e-6);
            assert!((logprob_of - logprob(&logits, token)).abs() < 1e-6);
        }
        assert!(logprob(&logits, 3).is_infinite());
    }
}
