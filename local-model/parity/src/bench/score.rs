//! Log-probabilities of a text.

use std::hint::black_box;
use std::time::Instant;

use super::{BenchError, Figure, Goal, Stand, pause};
use crate::statistics::median;

/// Tokens of the text.
const TOKENS: usize = 512;

pub(super) fn measure(stand: &mut Stand<'_>) -> Result<Vec<Figure>, BenchError> {
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for round in 0..=stand.rounds {
        let count = |text: &str| stand.ours.tokenize(text).map(|tokens| tokens.len());
        // A little longer, then cut to the token.
        let text = stand.words.text(round * 13, TOKENS + 16, count)?;
        let mut tokens = stand.ours.tokenize(&text)?;
        tokens.truncate(TOKENS);

        pause();
        let start = Instant::now();
        black_box(stand.ours.score(&tokens)?);
        let our_time = start.elapsed();
        pause();
        let start = Instant::now();
        black_box(stand.session.score(&tokens)?);
        let their_time = start.elapsed();
        if round > 0 {
            ours.push(our_time.as_secs_f64());
            theirs.push(their_time.as_secs_f64());
        }
    }
    Ok(vec![
        Figure::new("score_512", median(&ours), "s", Goal::AtMost(2.5)),
        Figure::info("score_512_llama", median(&theirs), "s"),
    ])
}
