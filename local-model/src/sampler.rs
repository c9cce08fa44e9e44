//! Choosing the next token from logits.

use std::cmp::Ordering;
use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::request::Sampling;
use crate::tokenizer::TokenId;

/// Temperature where the call names none: always the likeliest token. The APIs' own default of 1.0
/// makes a model of a few hundred million weights ramble.
pub const DEFAULT_TEMPERATURE: f32 = 0.0;

/// Nucleus where the call names none; what Gemma's authors recommend.
pub const DEFAULT_TOP_P: f32 = 0.95;

/// Candidates where the call names no number; what Gemma's authors recommend.
pub const DEFAULT_TOP_K: u32 = 64;

/// Repetition penalty where the call names none (Keskar et al., 2019, "CTRL"). Small models fall
/// into loops without one; much more of it makes them avoid words that they need.
pub const DEFAULT_REPETITION_PENALTY: f32 = 1.1;

/// How many of the newest tokens of the answer the penalty looks at. Tokens of the prompt are not
/// penalised: an answer may well repeat the question's words.
const PENALTY_WINDOW: usize = 64;

/// Chooses tokens for one answer.
#[derive(Debug)]
pub(crate) struct Sampler {
    temperature: f32,
    top_p: f32,
    top_k: usize,
    penalty: f32,
    recent: VecDeque<TokenId>,
    random: StdRng,
}

impl Sampler {
    /// Values out of range are brought into it: protocols check what they promise.
    pub(crate) fn new(sampling: &Sampling) -> Self {
        let finite = |value: Option<f32>, default: f32| {
            value.filter(|value| value.is_finite()).unwrap_or(default)
        };
        let seed = sampling.seed.unwrap_or_else(rand::random);
        Self {
            temperature: finite(sampling.temperature, DEFAULT_TEMPERATURE).max(0.0),
            top_p: finite(sampling.top_p, DEFAULT_TOP_P).clamp(0.0, 1.0),
            top_k: sampling
                .top_k
                .unwrap_or(DEFAULT_TOP_K)
                .try_into()
                .unwrap_or(usize::MAX),
            penalty: finite(sampling.repetition_penalty, DEFAULT_REPETITION_PENALTY)
                .max(f32::EPSILON),
            recent: VecDeque::with_capacity(PENALTY_WINDOW),
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// Chooses a token. `logits` has one value per token of the vocabulary and is changed.
    pub(crate) fn sample(&mut self, logits: &mut [f32]) -> TokenId {
        self.penalise(logits);
        let token = if self.temperature == 0.0 {
            likeliest(logits)
        } else {
            self.draw(logits)
        };
        if self.recent.len() == PENALTY_WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(token);
        token
    }

    fn penalise(&self, logits: &mut [f32]) {
        for (index, &token) in self.recent.iter().enumerate() {
            let seen_before = self.recent.iter().take(index).any(|&other| other == token);
            if let (false, Some(logit)) = (seen_before, logits.get_mut(token as usize)) {
                *logit = if *logit > 0.0 {
                    *logit / self.penalty
                } else {
                    *logit * self.penalty
                };
            }
        }
    }

    fn draw(&mut self, logits: &[f32]) -> TokenId {
        let mut candidates: Vec<(TokenId, f32)> = (0..).zip(logits.iter().copied()).collect();
        let likelier =
            |a: &(TokenId, f32), b: &(TokenId, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if self.top_k > 0 && self.top_k < candidates.len() {
            candidates.select_nth_unstable_by(self.top_k - 1, likelier);
            candidates.truncate(self.top_k);
        }
        candidates.sort_unstable_by(likelier);
        let Some(&(first, highest)) = candidates.first() else {
            return 0;
        };
        for (_, weight) in &mut candidates {
            *weight = ((*weight - highest) / self.temperature).exp();
        }
        let total: f32 = candidates.iter().map(|(_, weight)| weight).sum();
        let mut nucleus = 0.0;
        let mut count = 0;
        for (_, weight) in &candidates {
            nucleus += weight;
            count += 1;
            if nucleus >= self.top_p * total {
                break;
            }
        }
        let mut point = self.random.random::<f32>() * nucleus;
        for &(token, weight) in &candidates[..count] {
            point -= weight;
            if point < 0.0 {
                return token;
            }
        }
        first
    }
}

/// The index of the highest logit, the first among equals.
fn likeliest(logits: &[f32]) -> TokenId {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, &logit) in (0..).zip(logits) {
        if logit.total_cmp(&best.1) == Ordering::Greater {
            best = (token, logit);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(sampling: Sampling) -> Sampler {
        Sampler::new(&Sampling {
            repetition_penalty: sampling.repetition_penalty.or(Some(1.0)),
            ..sampling
        })
    }

    #[test]
    fn temperature_zero_takes_the_likeliest() {
        let mut sampler = sampler(Sampling::default());
        for _ in 0..3 {
            assert_eq!(sampler.sample(&mut [0.1, 3.0, 3.0, -1.0]), 1);
        }
    }

    #[test]
    fn the_penalty_breaks_a_loop() {
        let mut sampler = sampler(Sampling {
            repetition_penalty: Some(2.0),
            ..Sampling::default()
        });
        assert_eq!(sampler.sample(&mut [1.0, 1.5, -9.0]), 1);
        assert_eq!(sampler.sample(&mut [1.0, 1.5, -9.0]), 0);
        assert_eq!(sampler.sample(&mut [-1.0, -1.5, -3.0]), 0);
    }

    #[test]
    fn top_k_and_top_p_leave_out_the_unlikely() {
        let logits = [2.0_f32, 1.9, 1.8, -1.0, -2.0];
        let mut by_count = sampler(Sampling {
            temperature: Some(1.0),
            top_k: Some(2),
            top_p: Some(1.0),
            seed: Some(7),
            ..Sampling::default()
        });
        let mut by_mass = sampler(Sampling {
            temperature: Some(1.0),
            top_k: Some(0),
            top_p: Some(0.6),
            seed: Some(7),
            ..Sampling::default()
        });
        let mut seen = [0; 5];
        for _ in 0..200 {
            seen[by_count.sample(&mut logits.clone()) as usize] += 1;
            seen[by_mass.sample(&mut logits.clone()) as usize] += 1;
        }
        assert!(seen[0] > 100 && seen[1] > 100, "{seen:?}");
        assert_eq!(seen[2..], [0, 0, 0]);
    }

    #[test]
    fn frequencies_follow_the_probabilities() {
        let mut sampler = sampler(Sampling {
            temperature: Some(2.0),
            top_k: Some(0),
            top_p: Some(1.0),
            seed: Some(1),
            ..Sampling::default()
        });
        // At temperature 2 the odds are e : 1.
        let draws = 20_000;
        let firsts = (0..draws)
            .filter(|_| sampler.sample(&mut [2.0, 0.0]) == 0)
            .count();
        let share = firsts as f32 / draws as f32;
        assert!((share - 0.7311).abs() < 0.02, "{share}");
    }

    #[test]
    fn a_seed_repeats_the_draws() {
        let draw = |seed| {
            let mut sampler = sampler(Sampling {
                temperature: Some(1.0),
                seed: Some(seed),
                ..Sampling::default()
            });
            (0..20)
                .map(|_| sampler.sample(&mut [1.0, 1.1, 0.9, 1.0]))
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn survives_logits_that_are_not_numbers() {
        let mut sampler = sampler(Sampling {
            temperature: Some(1.0),
            ..Sampling::default()
        });
        assert!(sampler.sample(&mut [f32::NAN, f32::NAN]) < 2);
    }
}
