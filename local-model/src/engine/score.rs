//! How likely a text is, token by token: [`ScoreRequest`].

use skinflint_kernels::Forgotten;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::queue::Held;
use crate::error::EngineFault;
use crate::model::kv::KvCache;
use crate::tokenizer::TokenId;

/// One call to [`Engine::score`](crate::Engine::score).
#[derive(Debug, Default)]
pub struct ScoreRequest {
    /// What is scored, as [`Engine::tokenize`](crate::Engine::tokenize) gives it.
    pub tokens: Vec<u32>,
    /// What they follow: it is not read again.
    pub after: Option<Prefix>,
    /// Whether all that was read is kept, to go on with.
    pub keep: bool,
    /// As in [`GenerateRequest`](crate::GenerateRequest).
    pub tenant: Option<String>,
    /// As in [`GenerateRequest`](crate::GenerateRequest).
    pub deadline: Option<Instant>,
}

/// How likely a text is.
#[derive(Debug)]
pub struct Scores {
    /// The natural log-probability of each token by those before it. The first token of a text has
    /// none, so without [`ScoreRequest::after`] there is one less than there are tokens.
    pub logprobs: Vec<f32>,
    /// The text up to here, where it was to be kept.
    pub prefix: Option<Prefix>,
}

/// A text that an engine has read, with its keys and values: it can be cut back and gone on with.
/// Its memory counts as the engine's until it is dropped.
#[derive(Debug)]
pub struct Prefix {
    tokens: Vec<TokenId>,
    /// All but the last token: what follows is asked of that one.
    // Declared before what holds its room, so that the memory is free when the room is.
    cache: KvCache,
    held: Held,
}

impl Prefix {
    pub(super) fn new(tokens: Vec<TokenId>, cache: KvCache, held: Held) -> Self {
        Self {
            tokens,
            cache,
            held,
        }
    }

    pub(super) fn into_parts(self) -> (Vec<TokenId>, KvCache, Held) {
        (self.tokens, self.cache, self.held)
    }

    /// The tokens, those before a call's [`ScoreRequest::after`] included.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Keeps the first `length` tokens, at least one, and forgets the others.
    pub fn cut(&mut self, length: usize) -> Result<(), Forgotten> {
        if length == 0 || length > self.tokens.len() {
            return Err(Forgotten { position: length });
        }
        self.cache.cut(length - 1)?;
        self.tokens.truncate(length);
        Ok(())
    }
}

/// The log-probabilities of one text, while they are found.
#[derive(Debug)]
pub(super) struct Scoring {
    /// One for each token but the first; those up to `known` are filled in.
    logprobs: Vec<f32>,
    known: usize,
    pub(super) keep: bool,
    result: oneshot::Sender<Result<Scores, EngineFault>>,
}

impl Scoring {
    /// For a text of so many tokens.
    pub(super) fn new(
        tokens: usize,
        keep: bool,
        result: oneshot::Sender<Result<Scores, EngineFault>>,
    ) -> Self {
        Self {
            logprobs: vec![0.0; tokens.saturating_sub(1)],
            known: 0,
            keep,
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
    pub(super) fn end(self, prefix: Option<Prefix>) {
        let logprobs = self.logprobs;
        // Fails only where the caller has gone away.
        let _ = self.result.send(Ok(Scores { logprobs, prefix }));
    }

    /// Says why there is none.
    pub(super) fn fail(self, fault: EngineFault) {
        let _ = self.result.send(Err(fault));
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
