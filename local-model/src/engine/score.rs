//! How likely a text is, token by token: [`ScoreRequest`].

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::EngineFault;
use crate::tokenizer::TokenId;

/// One call to [`Engine::score`](crate::Engine::score).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScoreRequest {
    /// What is scored, as [`Engine::tokenize`](crate::Engine::tokenize) gives it.
    pub tokens: Vec<u32>,
    /// As in [`GenerateRequest`](crate::GenerateRequest).
    pub tenant: Option<String>,
    /// As in [`GenerateRequest`](crate::GenerateRequest).
    pub deadline: Option<Instant>,
}

/// What the caller gets: log-probabilities.
pub(super) type Scores = Result<Vec<f32>, EngineFault>;

/// The log-probabilities of one text, while they are found.
#[derive(Debug)]
pub(super) struct Scoring {
    /// One for each token but the first; those up to `known` are filled in.
    logprobs: Vec<f32>,
    known: usize,
    result: oneshot::Sender<Scores>,
}

impl Scoring {
    /// For a text of so many tokens.
    pub(super) fn new(tokens: usize, result: oneshot::Sender<Scores>) -> Self {
        Self {
            logprobs: vec![0.0; tokens.saturating_sub(1)],
            known: 0,
            result,
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.result.is_closed()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.known == self.logprobs.len()
    }

    /// Where the log-probabilities of the next `count` tokens belong; they are known once the step
    /// is done.
    pub(super) fn next_slots(&mut self, count: usize) -> &mut [f32] {
        let from = self.known;
        self.known = (from + count).min(self.logprobs.len());
        &mut self.logprobs[from..self.known]
    }

    /// Sends the result.
    pub(super) fn end(self, fault: Option<EngineFault>) {
        let result = fault.map_or(Ok(self.logprobs), Err);
        // Fails only where the caller has gone away.
        let _ = self.result.send(result);
    }
}

/// The natural log-probability of `token` by its logits: the log of the softmax. The exponentials
/// are added up in f64, as a quarter of a million small f32 would lose digits.
pub(super) fn logprob(logits: &[f32], token: TokenId) -> f32 {
    let Some(&logit) = logits.get(token as usize) else {
        return f32::NEG_INFINITY;
    };
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|&other| f64::from((other - highest).exp()))
        .sum();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a log-probability needs no more than seven digits"
    )]
    let log_sum = sum.ln() as f32;
    logit - highest - log_sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probabilities_are_those_of_the_softmax() {
        let logits = [1.0, 2.0, 0.5, -30.0];
        let weights: Vec<f64> = logits.iter().map(|&logit| f64::from(logit).exp()).collect();
        let total: f64 = weights.iter().sum();
        for (token, weight) in (0..).zip(&weights) {
            let expected = (weight / total).ln() as f32;
            assert!((logprob(&logits, token) - expected).abs() < 1e-5);
        }
        assert!((logprob(&[3.0e4, 3.0e4], 1) + 2.0_f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn many_small_ones_keep_their_digits() {
        let logits = vec![0.0_f32; 262_144];
        let expected = -(262_144_f32.ln());
        assert!((logprob(&logits, 77) - expected).abs() < 1e-5);
    }
}
