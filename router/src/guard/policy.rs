//! How much error is tolerated, and how sure of it one must be.

use serde::{Deserialize, Serialize};

/// Millionths in the whole.
pub(super) const WHOLE_PPM: u32 = 1_000_000;

/// What a technique has to show before it is served. Shares are in millionths (ppm): 20,000 is 2%.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Policy {
    max_error_ppm: u32,
    delta_ppm: u32,
    min_judgements: u32,
}

/// Why something is no [`Policy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The limit is out of range.
    #[error("max_error is {0} millionths; it must be from 100 (0.01%) to 250000 (25%)")]
    MaxError(u32),
    /// The chance of a false certificate is out of range.
    #[error("delta is {0} millionths; it must be from 1 to 500000 (50%)")]
    Delta(u32),
    /// Nothing would have to be judged.
    #[error("min_judgements is 0; at least one judgement is needed")]
    MinJudgements,
}

/// What a policy looks like before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    max_error_ppm: u32,
    #[serde(default = "default_delta")]
    delta_ppm: u32,
    min_judgements: u32,
}

fn default_delta() -> u32 {
    Policy::DEFAULT_DELTA_PPM
}

// === impl Policy ===

impl Policy {
    /// The usual chance of a false certificate: 5%.
    pub const DEFAULT_DELTA_PPM: u32 = 50_000;

    /// A policy that serves a technique only once its error rate is shown to be at most `max_error_ppm` (100 to 250,000 millionths), wrongly so with a
    /// chance of at most `delta_ppm` (1 to 500,000 millionths), after at least `min_judgements` (1 or more).
    ///
    /// # Errors
    ///
    /// Names the value that is out of range.
    pub fn new(
        max_error_ppm: u32,
        delta_ppm: u32,
        min_judgements: u32,
    ) -> Result<Self, PolicyError> {
        if !(100..=WHOLE_PPM / 4).contains(&max_error_ppm) {
            return Err(PolicyError::MaxError(max_error_ppm));
        }
        if !(1..=WHOLE_PPM / 2).contains(&delta_ppm) {
            return Err(PolicyError::Delta(delta_ppm));
        }
        if min_judgements == 0 {
            return Err(PolicyError::MinJudgements);
        }
        Ok(Self {
            max_error_ppm,
            delta_ppm,
            min_judgements,
        })
    }

    /// The highest error rate that may be served, in millionths.
    pub fn max_error_ppm(&self) -> u32 {
        self.max_error_ppm
    }

    /// The highest chance that a technique at or above the limit is ever certified on the same evidence, in millionths.
    pub fn delta_ppm(&self) -> u32 {
        self.delta_ppm
    }

    /// The number of judgements before which nothing is certified.
    pub fn min_judgements(&self) -> u32 {
        self.min_judgements
    }
}

impl TryFrom<Unchecked> for Policy {
    type Error = PolicyError;

    fn try_from(unchecked: Unchecked) -> Result<Self, PolicyError> {
        Self::new(
            unchecked.max_error_ppm,
            unchecked.delta_ppm,
            unchecked.min_judgements,
        )
    }
}
