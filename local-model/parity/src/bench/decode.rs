//! Generating for one call: from its first token to its last.

use std::hint::black_box;
use std::time::Instant;

use super::{BenchError, Figure, Stand, Turns, pause, rate};
use crate::logits::argmax;

/// Tokens that are timed; the first, which the prompt's reading brings, comes before them.
pub(super) const TOKENS: u32 = 64;

/// Tokens of the prompt, at most.
pub(super) const PROMPT: usize = 16;

pub(super) fn measure(stand: &mut Stand<'_>) -> Result<Vec<Figure>, BenchError> {
    let mut turns = Turns::default();
    for round in 0..=stand.rounds {
        let count = |text: &str| stand.ours.tokenize(text).map(|tokens| tokens.len());
        let text = stand.words.text(round * 11, PROMPT, count)?;

        pause();
        let answer = stand.ours.greedy(&text, TOKENS + 1, false)?;
        if answer.token_count <= TOKENS {
            return Err(BenchError::ShortAnswer {
                tokens: answer.token_count,
                wanted: TOKENS + 1,
            });
        }
        pause();
        stand.session.clear();
        let mut next = argmax(stand.session.read(&stand.llama.tokenize(&text))?);
        let start = Instant::now();
        for _ in 0..TOKENS {
            next = argmax(stand.session.read(&[next])?);
        }
        let theirs = start.elapsed();
        black_box(next);
        if round > 0 {
            turns.ours.push(rate(
                TOKENS,
                answer.until_end.saturating_sub(answer.until_first),
            ));
            turns.theirs.push(rate(TOKENS, theirs));
        }
    }
    Ok(turns.figures("decode", 0.95))
}
