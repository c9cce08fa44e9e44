//! An upper bound of an error rate that holds at all times at once.
//!
//! A confidence sequence by betting (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 2024), with bets mixed as
//! in Robbins' method of mixtures (Robbins 1970; Howard, Ramdas et al., "Time-uniform, nonparametric, nonasymptotic confidence sequences",
//! Annals of Statistics 2021).
//!
//! Against "the error rate is p or more", one bets that it is r·p, for some r < 1: the stake is multiplied by r after a wrong answer and by
//! (1 − r·p) / (1 − p) after a right one. Its expected value never grows if the error rate is p or more at every step, so by Ville's inequality it ever
//! reaches 1/δ with a chance of at most δ. A fixed mixture of bets has the same property, and depends on the judgements by two counts alone. It grows with p,
//! so the rates that are not rejected are those below one point: the bound.

use super::{Policy, policy::WHOLE_PPM};

/// The bets: r, and its share of the stake. Most is on a quarter of the limit, where a technique that is worth serving should be; the rest covers those
/// that are better or not as good, and lets the bound come within 3% of the rate in the long run.
const BETS: [(f64, f64); 8] = [
    (0.0, 1.0),
    (0.15, 2.0),
    (0.25, 8.0),
    (0.35, 2.0),
    (0.5, 2.0),
    (0.7, 1.0),
    (0.85, 1.0),
    (0.96, 1.0),
];
/// What the shares of the stake add up to.
const STAKE: f64 = 18.0;

/// The upper bound of an error rate, in millionths, rounded up: 1,000,000 where nothing is known.
///
/// Among all sequences of judgements with error rate `p`, at most a share `delta_ppm` (1 to 999,999 millionths) has a moment at which this is below `p`, even
/// if one looks after every judgement. `wrong` counts at most `judged`; more is taken as all of them.
pub fn upper_bound(judged: u64, wrong: u64, delta_ppm: u32) -> u32 {
    let target = log_target(delta_ppm);
    let (mut open, mut rejected) = (0, WHOLE_PPM);
    while rejected - open > 1 {
        let middle = open + (rejected - open) / 2;
        if log_wealth(judged, wrong, middle) >= target {
            rejected = middle;
        } else {
            open = middle;
        }
    }
    rejected
}

/// How many more judgements it takes at the least until the bound can be at or below the limit: 0 if it is there.
///
/// A right answer multiplies the stake by at most 1 / (1 − limit).
pub(super) fn judgements_missing(judged: u64, wrong: u64, policy: &Policy) -> u64 {
    let missing =
        log_target(policy.delta_ppm()) - log_wealth(judged, wrong, policy.max_error_ppm());
    if missing <= 0.0 {
        return 0;
    }
    let fastest = -libm::log1p(-share(policy.max_error_ppm()));
    whole(missing / fastest).max(1)
}

/// What the stake must have grown to.
fn log_target(delta_ppm: u32) -> f64 {
    -libm::log(share(delta_ppm))
}

/// The logarithm of the stake against "the error rate is `rate_ppm` or more".
fn log_wealth(judged: u64, wrong: u64, rate_ppm: u32) -> f64 {
    let rate = share(rate_ppm);
    let (right, wrong) = (real(judged.saturating_sub(wrong)), real(wrong.min(judged)));
    let lost = libm::log1p(-rate);
    let stakes = BETS.map(|(ratio, part)| {
        // Nothing is left of a bet on no error at all once there is one.
        let after_wrong = if wrong > 0.0 {
            wrong * libm::log(ratio)
        } else {
            0.0
        };
        libm::log(part / STAKE) + after_wrong + right * (libm::log1p(-ratio * rate) - lost)
    });
    let most = stakes.into_iter().fold(f64::NEG_INFINITY, f64::max);
    most + libm::log(
        stakes
            .into_iter()
            .map(|stake| libm::exp(stake - most))
            .sum(),
    )
}

fn share(ppm: u32) -> f64 {
    f64::from(ppm) / f64::from(WHOLE_PPM)
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 judgements")]
fn real(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative; rounded down, and saturating"
)]
fn whole(count: f64) -> u64 {
    count as u64
}
