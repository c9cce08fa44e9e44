//! Classes of tokens by an encoder of MiniLM's size. Its weights are random, which takes as long as others.

use std::path::Path;
use std::time::Instant;

use super::text::Words;
use super::{BenchError, Figure, Goal, Options, pause};
use crate::ours::encoders::OurClassifier;
use crate::statistics::median;

/// Texts in one call, as a long prompt is cut up for a compressor.
const TEXTS: usize = 4;

/// Words of a text: some 400 tokens of the checkpoint's vocabulary, which takes at most 512.
const WORDS: usize = 200;

pub(super) fn measure(
    folder: &Path,
    options: &Options,
    words: &Words,
) -> Result<Vec<Figure>, BenchError> {
    let classifier = OurClassifier::load(folder, options.threads)?;
    let mut rates = Vec::new();
    pause();
    for round in 0..=options.rounds {
        let texts: Vec<String> = (0..TEXTS)
            .map(|text| words.row(round * 29 + text * WORDS, WORDS))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let start = Instant::now();
        let answers = classifier.classify(&texts)?;
        let seconds = start.elapsed().as_secs_f64();
        let tokens: usize = answers.iter().map(|text| text.tokens.len()).sum();
        // The first round warms up.
        if round > 0 {
            rates.push(f64::from(u32::try_from(tokens).unwrap_or(0)) / seconds);
        }
    }
    Ok(vec![Figure::new(
        "classify_minilm",
        median(&rates),
        "tokens/s",
        Goal::AtLeast(2500.0),
    )])
}
