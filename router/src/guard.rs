//! Whether what can change answers may be served: on evidence that it is seldom wrong, and only while that lasts.
//!
//! A technique starts in the shadow: its answers are judged, not served. [`Guard`] counts the judgements of one technique, class and tenant, and lets
//! the technique serve once an upper bound of its error rate lies at or below the limit. The bound ([`upper_bound`]) holds at all times at once, so that it
//! may be looked at after every judgement. While the technique serves, a second test ([`DriftTest`]) watches for the error rate rising; it starts afresh
//! with every certification and sends the technique back into the shadow, where the evidence starts from nothing.
//!
//! What the guarantee rests on:
//!
//! - Judgements come in the order of the calls or in another one that does not depend on how they turned out.
//! - At any one time, every call of a class has the same chance of being audited, so all judgements of a class weigh the same. The rate may change over
//!   time (fewer audits while serving, say); it must not depend on the call.
//! - The error rate may move in the shadow: as long as it is at or above the limit, at no time is the technique certified with more than a chance of
//!   delta, counted over all looks from the start of the evidence. Each new start (after a revocation, with a new version) has its own delta.
//!
//! Everything here is a pure function of the judgements: no clock, no randomness, whole numbers as state, and logarithms that are the same on every
//! machine. A replayed log gives the same state.

mod bound;
mod drift;
mod guards;
mod judgement;
mod policy;
pub mod simulation;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::{
    bound::upper_bound,
    drift::DriftTest,
    guards::{Guards, Key},
    judgement::{Counts, Judgement, Mode, Reason, Verdict},
    policy::{Policy, PolicyError},
};

/// What is known about one technique for one class and tenant, and whether it may be served.
///
/// Takes a few dozen bytes besides the fingerprint, however many judgements it has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    fingerprint: String,
    policy: Policy,
    mode: Mode,
    reason: Reason,
    /// Since the evidence was last started.
    counts: Counts,
    /// The number of judgements before which the bound cannot reach the limit, however they turn out.
    next_look: u64,
    drift: DriftTest,
    revocations: u32,
}

// === impl Guard ===

impl Guard {
    /// A technique in the shadow, of which nothing is known. The fingerprint stands for everything that shapes its answers: models, prompts, settings.
    pub fn new(fingerprint: impl Into<String>, policy: Policy) -> Self {
        Self {
            fingerprint: fingerprint.into(),
            policy,
            mode: Mode::Shadow,
            reason: Reason::TooFew,
            counts: Counts::default(),
            next_look: 0,
            drift: DriftTest::new(&policy),
            revocations: 0,
        }
    }

    /// A technique that is taken to change no answers, and so serves from the start: a risen error rate sends it into the shadow, as it does one that was
    /// certified.
    pub fn trusted(fingerprint: impl Into<String>, policy: Policy) -> Self {
        Self {
            mode: Mode::Serving,
            reason: Reason::Holds,
            ..Self::new(fingerprint, policy)
        }
    }

    /// Takes in one judgement and says what follows. [`Guard::judge`] does the same without computing the bound.
    ///
    /// A judgement of another version, or under another policy, starts the evidence anew in the shadow, with this judgement as its first: late
    /// judgements of a version that is no longer in use are the caller's to drop. To keep the evidence under a new policy, replay the log under it.
    pub fn apply(&mut self, judgement: &Judgement, policy: &Policy) -> Verdict {
        self.judge(judgement, policy);
        self.verdict()
    }

    /// Takes in one judgement, as [`Guard::apply`] does, in constant time.
    pub fn judge(&mut self, judgement: &Judgement, policy: &Policy) -> Mode {
        let reset = self.reset(judgement, policy);
        self.counts.add(judgement);
        self.reason = match self.mode {
            Mode::Shadow => self.look(),
            Mode::Serving => self.watch(judgement.wrong),
        };
        if let Some(reason) = reset {
            self.reason = reason;
        }
        self.mode
    }

    /// Where things stand after the last judgement. Computes the bound: microseconds, the same for any number of judgements.
    pub fn verdict(&self) -> Verdict {
        let bound = upper_bound(
            self.counts.judged,
            self.counts.wrong,
            self.policy.delta_ppm(),
        );
        let upper_bound_ppm = match self.mode {
            Mode::Shadow => bound,
            // The bound was at the limit when it was certified, and holds at all times at once.
            Mode::Serving => bound.min(self.policy.max_error_ppm()),
        };
        Verdict {
            mode: self.mode,
            reason: self.reason,
            counts: self.counts,
            upper_bound_ppm,
            revocations: self.revocations,
        }
    }

    /// Whether answers of this version may be served under this policy. A version that was not judged yet may not.
    pub fn serves(&self, fingerprint: &str, policy: &Policy) -> bool {
        self.mode == Mode::Serving && self.fingerprint == fingerprint && self.policy == *policy
    }

    /// The version that the evidence is about.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Starts anew where the judgement is not about what the evidence is about.
    fn reset(&mut self, judgement: &Judgement, policy: &Policy) -> Option<Reason> {
        let reason = if self.fingerprint != judgement.fingerprint {
            Reason::VersionChanged
        } else if self.policy != *policy {
            Reason::PolicyChanged
        } else {
            return None;
        };
        *self = Self {
            revocations: self.revocations,
            ..Self::new(judgement.fingerprint.clone(), *policy)
        };
        Some(reason)
    }

    /// In the shadow: certifies the technique if the bound has reached the limit.
    fn look(&mut self) -> Reason {
        let Counts { judged, wrong, .. } = self.counts;
        if judged < u64::from(self.policy.min_judgements()) {
            return Reason::TooFew;
        }
        if judged < self.next_look {
            return Reason::AboveLimit;
        }
        match bound::judgements_missing(judged, wrong, &self.policy) {
            0 => {
                self.mode = Mode::Serving;
                self.drift = DriftTest::new(&self.policy);
                Reason::Certified
            }
            missing => {
                self.next_look = judged.saturating_add(missing);
                Reason::AboveLimit
            }
        }
    }

    /// While serving: revokes the certification if the error rate has risen.
    fn watch(&mut self, wrong: bool) -> Reason {
        if !self.drift.observe(wrong) {
            return Reason::Holds;
        }
        let revocations = self.revocations.saturating_add(1);
        *self = Self {
            revocations,
            ..Self::new(std::mem::take(&mut self.fingerprint), self.policy)
        };
        Reason::Drifted
    }
}
