//! Vectors of short texts: one at a time, and 32 in one call.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use super::text::Words;
use super::{BenchError, Figure, Goal, Options, pause};
use crate::ours::encoders::OurEmbedder;
use crate::statistics::median;

/// Words of a text, which make some ten tokens.
const WORDS: usize = 8;

/// Texts that are embedded one at a time in a round.
const SINGLE: usize = 20;

/// Texts in one call.
const CALL: usize = 32;

pub(super) fn measure(
    folder: &Path,
    options: &Options,
    words: &Words,
) -> Result<Vec<Figure>, BenchError> {
    let embedder = OurEmbedder::load(folder, options.threads)?;
    let mut single = Vec::new();
    let mut call = Vec::new();
    pause();
    for round in 0..=options.rounds {
        let texts: Vec<String> = (0..SINGLE + CALL)
            .map(|text| words.row(round * 101 + text * 3, WORDS))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (apart, together) = texts.split_at(SINGLE);
        for text in apart {
            let start = Instant::now();
            black_box(embedder.embed(&[text])?);
            // The first round warms up.
            if round > 0 {
                single.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        let start = Instant::now();
        black_box(embedder.embed(together)?);
        if round > 0 {
            call.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(vec![
        Figure::new("embed_short_p50", median(&single), "ms", Goal::AtMost(6.0)),
        Figure::new("embed_32_short", median(&call), "ms", Goal::AtMost(80.0)),
    ])
}
