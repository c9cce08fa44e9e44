//! What goes into a guard, and what comes out.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// What an audit found about one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The version of the technique that gave the answer.
    pub fingerprint: String,
    /// Whether the answer was wrong.
    pub wrong: bool,
    /// How many calls it stands for: the inverse of the rate at which calls of this class were audited at the time. All calls of a class share
    /// that rate, so the weight does not enter the bound; it is summed up for receipts.
    pub weight: NonZeroU32,
}

/// Judgements since the evidence was last started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// How many there were.
    pub judged: u64,
    /// How many of them found the answer wrong.
    pub wrong: u64,
    /// How many calls they stand for.
    pub calls: u64,
}

/// Whether a technique's answers reach the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// They are judged, not served.
    Shadow,
    /// They are served, and some are judged.
    Serving,
}

/// Why a technique is where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// In the shadow: fewer judgements than the policy asks for.
    TooFew,
    /// In the shadow: the bound is still above the limit.
    AboveLimit,
    /// In the shadow since this judgement: it is the first of another version.
    VersionChanged,
    /// In the shadow since this judgement: it is the first under another policy.
    PolicyChanged,
    /// In the shadow since this judgement: the error rate has risen, and the evidence starts from nothing.
    Drifted,
    /// Served since this judgement: the bound has reached the limit.
    Certified,
    /// Served: no sign that the error rate has risen.
    Holds,
}

/// Where a technique stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether it is served.
    pub mode: Mode,
    /// Why.
    pub reason: Reason,
    /// What was judged since the evidence was last started. After a revocation, nothing.
    pub counts: Counts,
    /// The error rate is at most this, in millionths up to 1,000,000, at the policy's level. While serving never above the limit: it was there when the
    /// technique was certified, for as long as the error rate stays what it was. Whether it does is what the drift test looks at.
    pub upper_bound_ppm: u32,
    /// How often the technique was sent back into the shadow for its error rate.
    pub revocations: u32,
}

// === impl Counts ===

impl Counts {
    pub(super) fn add(&mut self, judgement: &Judgement) {
        self.judged = self.judged.saturating_add(1);
        self.wrong = self.wrong.saturating_add(u64::from(judgement.wrong));
        self.calls = self.calls.saturating_add(u64::from(judgement.weight.get()));
    }
}

// === impl Reason ===

impl Reason {
    /// The word for receipts: lower case, with hyphens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooFew => "too-few",
            Self::AboveLimit => "above-limit",
            Self::VersionChanged => "version-changed",
            Self::PolicyChanged => "policy-changed",
            Self::Drifted => "drifted",
            Self::Certified => "certified",
            Self::Holds => "holds",
        }
    }
}
