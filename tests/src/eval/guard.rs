//! How often the error guard errs, on simulated judgements.

use skinflint_router::guard::{
    Policy,
    simulation::{Run, Stretch, simulate},
};

use super::{at_least, at_most};
use crate::figure::Figure;

const RUNS: u32 = 1000;
const SEED: u64 = 20_261_128;
const DELTA_PPM: u32 = 50_000;
const STRICT_DELTA_PPM: u32 = 20_000;

pub(super) fn evaluate() -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, limit_ppm) in [("2", 20_000), ("5", 50_000), ("10", 100_000)] {
        let bad = certified(limit_ppm, DELTA_PPM, 2 * limit_ppm, 5000);
        figures.push(at_most(
            &format!("guard_false_certified_at_{name}"),
            bad,
            "share",
            0.05,
        ));
        let good = certified(limit_ppm, STRICT_DELTA_PPM, limit_ppm / 4, 2000);
        figures.push(at_least(
            &format!("guard_certified_at_{name}"),
            good,
            "share",
            0.95,
        ));
    }
    figures
}

/// The share of runs in which a technique with this error rate is ever certified.
fn certified(limit_ppm: u32, delta_ppm: u32, error_ppm: u32, judgements: u32) -> f64 {
    let Ok(policy) = Policy::new(limit_ppm, delta_ppm, 1) else {
        return f64::NAN;
    };
    let stretches = [Stretch {
        judgements,
        error_ppm,
    }];
    let runs = simulate(&policy, &stretches, RUNS, SEED);
    let ever = runs
        .iter()
        .filter(|run: &&Run| run.certified().is_some())
        .count();
    f64::from(u32::try_from(ever).unwrap_or(u32::MAX)) / f64::from(RUNS)
}
