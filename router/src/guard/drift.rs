//! Whether the error rate of something that is served has risen.

use serde::{Deserialize, Serialize};

use super::{Policy, policy::WHOLE_PPM};

/// A CUSUM test (Page, "Continuous inspection schemes", Biometrika 1954) of "at most half the limit" against "twice the limit", read as an e-detector
/// (Shin, Ramdas and Rinaldo, "E-detectors", New England Journal of Statistics in Data Science 2024).
///
/// The running bound of [`super::upper_bound`] cannot do this: after a long good time it would take as long a bad one to move it. This sum forgets the
/// good time, for it never falls below zero.
///
/// To revoke wrongly costs money, to serve wrongly costs quality, so the null is half the limit, not the limit: a technique at the limit is sent back
/// soon, one between half of it and the limit sooner or later. One at or below half of it is sent back after [`DriftTest::RUN_LENGTH`] judgements on
/// average or more, by proof; by simulation far more, see the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftTest {
    /// The sum of log-likelihood ratios since it was last zero, in billionths of a nat. Never negative.
    sum: i64,
    /// What a wrong answer adds.
    wrong: i64,
    /// What a right answer takes away.
    right: i64,
}

// === impl DriftTest ===

impl DriftTest {
    /// The mean number of judgements to a false alarm is at least this.
    pub const RUN_LENGTH: u32 = 200;
    /// Its logarithm, in billionths of a nat, rounded up.
    const ALARM: i64 = 5_298_317_367;

    /// A test that starts now.
    pub fn new(policy: &Policy) -> Self {
        let limit = f64::from(policy.max_error_ppm()) / f64::from(WHOLE_PPM);
        let (held, risen) = (limit / 2.0, limit * 2.0);
        Self {
            sum: 0,
            wrong: nanonats(libm::log(risen / held)),
            right: -nanonats(libm::log1p(-risen) - libm::log1p(-held)),
        }
    }

    /// Takes in one judgement, and says whether the error rate has risen.
    pub fn observe(&mut self, wrong: bool) -> bool {
        let ratio = if wrong { self.wrong } else { -self.right };
        self.sum = self.sum.saturating_add(ratio).max(0);
        self.sum >= Self::ALARM
    }
}

/// Rounded down, which makes no false alarm more likely.
#[expect(clippy::cast_possible_truncation, reason = "a few nats at most")]
fn nanonats(nats: f64) -> i64 {
    libm::floor(nats * 1e9) as i64
}
