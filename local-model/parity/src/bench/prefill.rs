//! Reading a prompt: until its first token is chosen.

use std::hint::black_box;
use std::time::Instant;

use super::{BenchError, Figure, Stand, Turns, pause, rate};
use crate::logits::argmax;

/// Tokens of the prompt, or a few less, since words have several.
const TOKENS: usize = 512;

pub(super) fn measure(stand: &mut Stand<'_>) -> Result<Vec<Figure>, BenchError> {
    let mut turns = Turns::default();
    for round in 0..=stand.rounds {
        let count = |text: &str| stand.ours.tokenize(text).map(|tokens| tokens.len());
        let text = stand.words.text(round * 7, TOKENS, count)?;
        let tokens = stand.llama.tokenize(&text);
        let count = u32::try_from(tokens.len()).unwrap_or(u32::MAX);

        pause();
        let answer = stand.ours.greedy(&text, 1, false)?;
        pause();
        stand.session.clear();
        let start = Instant::now();
        black_box(argmax(stand.session.read(&tokens)?));
        let theirs = start.elapsed();
        // The first round warms both up.
        if round > 0 {
            turns.ours.push(rate(count, answer.until_end));
            turns.theirs.push(rate(count, theirs));
        }
    }
    Ok(turns.figures("prefill", 0.6))
}
