//! Choosing the next token from logits.
//!
//! In this order, as in llama.cpp's and Hugging Face's samplers: penalties, the form that the
//! answer must have, temperature, top-k, top-p, min-p, and the draw.

mod rank;
mod softmax;

use std::collections::VecDeque;

use hashbrown::HashMap;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::error::StructureFault;
use crate::request::Sampling;
use crate::structure::Structure;
use crate::tokenizer::TokenId;
use rank::Candidate;

/// Temperature where the call names none: always the likeliest token. The APIs' own default of 1.0
/// makes a model of a few hundred million weights ramble.
pub const DEFAULT_TEMPERATURE: f32 = 0.0;

/// Nucleus where the call names none; what Gemma's authors recommend.
pub const DEFAULT_TOP_P: f32 = 0.95;

/// Candidates where the call names no number; what Gemma's authors recommend.
pub const DEFAULT_TOP_K: u32 = 64;

/// Repetition penalty where the call names none (Keskar et al., 2019, "CTRL"). Small models fall
/// into loops without one; much more of it makes them avoid words that they need. It does not apply
/// where the answer must have a form: JSON says the same quotes and commas again and again.
pub const DEFAULT_REPETITION_PENALTY: f32 = 1.1;

/// The most of the likeliest tokens that are told with each token, as in `OpenAI`'s API.
pub const MOST_TOP_LOGPROBS: u8 = 20;

/// How many of the newest tokens of the answer the penalty looks at. Tokens of the prompt are not
/// penalised: an answer may well repeat the question's words.
const PENALTY_WINDOW: usize = 64;

/// A token that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampled {
    /// The token.
    pub(crate) token: TokenId,
    /// What it stood against, where the call wants to know.
    pub(crate) choice: Option<Choice>,
    /// Whether the form of the answer allows nothing but its end now.
    pub(crate) is_complete: bool,
}

/// Log-probabilities in a token's place, by the model itself: before penalties and the form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    /// The natural log-probability of the token; negative infinity where its logit is no number.
    pub(crate) logprob: f32,
    /// The likeliest tokens and their log-probabilities, likeliest first.
    pub(crate) top: Vec<(TokenId, f32)>,
}

/// Chooses tokens for one answer.
#[derive(Debug)]
pub(crate) struct Sampler {
    temperature: f32,
    top_p: f32,
    top_k: usize,
    min_p: f32,
    penalties: Penalties,
    logprobs: Option<u8>,
    structure: Option<Structure>,
    random: StdRng,
    /// Kept between tokens for their memory alone.
    candidates: Vec<Candidate>,
    scratch: Vec<Candidate>,
}

impl Sampler {
    /// Values out of range are brought into it: protocols check what they promise. With `logprobs`,
    /// [`Choice`]s are given, with that many of the likeliest tokens.
    pub(crate) fn new(
        sampling: &Sampling,
        logprobs: Option<u8>,
        structure: Option<Structure>,
    ) -> Self {
        let seed = sampling.seed.unwrap_or_else(rand::random);
        Self {
            temperature: finite(sampling.temperature, DEFAULT_TEMPERATURE).max(0.0),
            top_p: finite(sampling.top_p, DEFAULT_TOP_P).clamp(0.0, 1.0),
            top_k: match sampling.top_k.unwrap_or(DEFAULT_TOP_K) {
                0 => usize::MAX,
                count => count.try_into().unwrap_or(usize::MAX),
            },
            min_p: finite(sampling.min_p, 0.0).clamp(0.0, 1.0),
            penalties: Penalties::new(sampling, structure.is_some()),
            logprobs: logprobs.map(|count| count.min(MOST_TOP_LOGPROBS)),
            structure,
            random: StdRng::seed_from_u64(seed),
            candidates: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Chooses a token. `logits` has one value per token of the vocabulary and is changed. The
    /// answer cannot go on after a fault.
    pub(crate) fn sample(&mut self, logits: &mut [f32]) -> Result<Sampled, StructureFault> {
        let model = self
            .logprobs
            .map(|count| Distribution::new(logits, count, &mut self.candidates));
        let changed = self.penalties.apply(logits);
        if let Some(structure) = &mut self.structure {
            structure.mask(logits)?;
        }
        let drawn = if self.temperature == 0.0 {
            None
        } else {
            self.draw(logits)
        };
        // Without a single number among the logits any token is as good as another.
        let token = drawn
            .or_else(|| rank::likeliest(logits))
            .or_else(|| self.structure.as_ref().and_then(Structure::first_allowed))
            .unwrap_or(0);
        let is_complete = match &mut self.structure {
            Some(structure) => structure.commit(token)?,
            None => false,
        };
        self.penalties.note(token);
        let choice = model.map(|model| {
            let original = changed.iter().find(|&&(changed, _)| changed == token);
            let logit = original.map(|&(_, logit)| logit);
            model.choice(logit.or_else(|| logits.get(token as usize).copied()))
        });
        Ok(Sampled {
            token,
            choice,
            is_complete,
        })
    }

    /// Draws by probability; `None` where no candidate has one.
    fn draw(&mut self, logits: &[f32]) -> Option<TokenId> {
        rank::top(logits, self.top_k, &mut self.candidates);
        let logits = self.candidates.iter().map(|candidate| candidate.value);
        let highest = logits.fold(f32::NEG_INFINITY, f32::max);
        for candidate in &mut self.candidates {
            candidate.value = softmax::exp((candidate.value - highest) / self.temperature);
        }
        if self.top_p < 1.0 && !self.candidates.is_empty() {
            let end = rank::nucleus_end(&self.candidates, self.top_p, &mut self.scratch);
            self.candidates
                .retain(|candidate| candidate.order(&end).is_le());
        }
        // The likeliest has the weight 1.
        let least = self.min_p;
        self.candidates.retain(|candidate| candidate.value >= least);
        let total = rank::total(&self.candidates);
        let mut point = self.random.random::<f64>() * total;
        let drawn = self.candidates.iter().find(|candidate| {
            point -= f64::from(candidate.value);
            point < 0.0
        });
        drawn.map(|candidate| candidate.token)
    }
}

fn finite(value: Option<f32>, default: f32) -> f32 {
    value.filter(|value| value.is_finite()).unwrap_or(default)
}

/// Makes tokens that the answer has already less likely.
#[derive(Debug)]
struct Penalties {
    repetition: f32,
    presence: f32,
    frequency: f32,
    /// The newest tokens, for the repetition penalty.
    recent: VecDeque<TokenId>,
    /// How often the whole answer has each token, for the other two.
    counts: HashMap<TokenId, f32>,
}

impl Penalties {
    fn new(sampling: &Sampling, is_structured: bool) -> Self {
        let repetition = if is_structured {
            1.0
        } else {
            DEFAULT_REPETITION_PENALTY
        };
        Self {
            repetition: finite(sampling.repetition_penalty, repetition).max(f32::EPSILON),
            presence: finite(sampling.presence_penalty, 0.0),
            frequency: finite(sampling.frequency_penalty, 0.0),
            recent: VecDeque::with_capacity(PENALTY_WINDOW),
            counts: HashMap::new(),
        }
    }

    /// Lowers logits. Returns the tokens concerned, with their logits from before.
    fn apply(&self, logits: &mut [f32]) -> Vec<(TokenId, f32)> {
        let mut changed = Vec::new();
        #[expect(clippy::float_cmp, reason = "exactly 1 is what switches it off")]
        if self.repetition != 1.0 {
            for (index, &token) in self.recent.iter().enumerate() {
                let seen_before = self.recent.iter().take(index).any(|&other| other == token);
                if let (false, Some(logit)) = (seen_before, logits.get_mut(token as usize)) {
                    changed.push((token, *logit));
                    *logit = if *logit > 0.0 {
                        *logit / self.repetition
                    } else {
                        *logit * self.repetition
                    };
                }
            }
        }
        if self.has_counts() {
            for (&token, &count) in &self.counts {
                if let Some(logit) = logits.get_mut(token as usize) {
                    // A token may be here a second time; the first is the one that is found.
                    changed.push((token, *logit));
                    *logit -= self.presence + self.frequency * count;
                }
            }
        }
        changed
    }

    fn note(&mut self, token: TokenId) {
        if self.recent.len() == PENALTY_WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(token);
        if self.has_counts() {
            *self.counts.entry(token).or_default() += 1.0;
        }
    }

    fn has_counts(&self) -> bool {
        self.presence != 0.0 || self.frequency != 0.0
    }
}

/// The model's own probabilities, as far as they are told.
struct Distribution {
    highest: f32,
    log_sum: f64,
    top: Vec<(TokenId, f32)>,
}

impl Distribution {
    fn new(logits: &[f32], count: u8, scratch: &mut Vec<Candidate>) -> Self {
        let highest = rank::highest(logits);
        let mut distribution = Self {
            highest,
            log_sum: softmax::log_sum_exp(logits, highest),
            top: Vec::new(),
        };
        rank::top(logits, count.into(), scratch);
        scratch.sort_unstable_by(Candidate::order);
        distribution.top = scratch
            .iter()
            .map(|candidate| (candidate.token, distribution.logprob(candidate.value)))
            .collect();
        distribution
    }

    fn choice(self, logit: Option<f32>) -> Choice {
        Choice {
            logprob: self.logprob(logit.unwrap_or(f32::NEG_INFINITY)),
            top: self.top,
        }
    }

    fn logprob(&self, logit: f32) -> f32 {
        let logprob = f64::from(logit - self.highest) - self.log_sum;
        if logprob.is_nan() {
            return f32::NEG_INFINITY;
        }
        #[expect(clippy::cast_possible_truncation, reason = "its digits are few")]
        let logprob = logprob as f32;
        logprob
    }
}

#[cfg(test)]
mod tests;
