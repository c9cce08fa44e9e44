//! Loading a file that the system has in its cache.

use std::hint::black_box;
use std::time::Instant;

use skinflint_local_model::Precision;

use super::{BenchError, Figure, Goal, Options, SEQUENCES};
use crate::ours::Ours;
use crate::statistics::median;

/// The file has been read before: llama.cpp has loaded it.
pub(super) fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let mut times = Vec::new();
    for _ in 0..options.rounds {
        let start = Instant::now();
        let ours = Ours::load(&options.model, Precision::Bits8, options.threads, SEQUENCES)?;
        times.push(start.elapsed().as_secs_f64());
        black_box(&ours);
    }
    Ok(vec![Figure::new(
        "load_warm",
        median(&times),
        "s",
        Goal::AtMost(1.0),
    )])
}
