//! How often a guard errs, found by running it on made-up judgements. The same seed gives the same runs on every machine.

use std::num::NonZeroU32;

use super::{Guard, Judgement, Mode, Policy, policy::WHOLE_PPM};

/// A stretch of judgements with one error rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// How many judgements.
    pub judgements: u32,
    /// The chance that an answer is wrong, in millionths.
    pub error_ppm: u32,
}

/// Where a technique went in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The number of the judgement, from 1, and what the technique changed to with it.
    pub changes: Vec<(u64, Mode)>,
}

/// Runs a guard `runs` times over the stretches, one after the other, looking after every judgement.
pub fn simulate(policy: &Policy, stretches: &[Stretch], runs: u32, seed: u64) -> Vec<Run> {
    let mut random = SplitMix64(seed);
    (0..runs)
        .map(|_| run(policy, stretches, &mut random))
        .collect()
}

fn run(policy: &Policy, stretches: &[Stretch], random: &mut SplitMix64) -> Run {
    let judgement = |wrong| Judgement {
        fingerprint: "simulated".into(),
        wrong,
        weight: NonZeroU32::MIN,
    };
    let (right, wrong) = (judgement(false), judgement(true));
    let mut guard = Guard::new(right.fingerprint.clone(), *policy);
    let (mut mode, mut judged, mut changes) = (Mode::Shadow, 0, Vec::new());
    for stretch in stretches {
        for _ in 0..stretch.judgements {
            judged += 1;
            let judgement = if random.chance(stretch.error_ppm) {
                &wrong
            } else {
                &right
            };
            let after = guard.judge(judgement, policy);
            if after != mode {
                mode = after;
                changes.push((judged, mode));
            }
        }
    }
    Run { changes }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
struct SplitMix64(u64);

// === impl Run ===

impl Run {
    /// The judgement that first certified the technique.
    pub fn certified(&self) -> Option<u64> {
        self.changes.first().map(|(judged, _)| *judged)
    }

    /// Whether the technique was served after so many judgements.
    pub fn serving_after(&self, judged: u64) -> bool {
        let last = self
            .changes
            .iter()
            .take_while(|(at, _)| *at <= judged)
            .last();
        last.is_some_and(|(_, mode)| *mode == Mode::Serving)
    }

    /// The first judgement after so many that revoked a certification.
    pub fn revoked_after(&self, judged: u64) -> Option<u64> {
        let mut revoked = self
            .changes
            .iter()
            .filter(|(_, mode)| *mode == Mode::Shadow)
            .map(|(at, _)| *at);
        revoked.find(|at| *at > judged)
    }
}

// === impl SplitMix64 ===

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True with this chance, in millionths, to within 2^-32.
    fn chance(&mut self, ppm: u32) -> bool {
        ((self.next() >> 32) * u64::from(WHOLE_PPM)) >> 32 < u64::from(ppm)
    }
}
