//! Generating for eight calls together, beside one after the other.

use super::decode::{PROMPT, TOKENS};
use super::{BenchError, Figure, Goal, Stand, pause, rate};
use crate::ours::Answer;
use crate::statistics::median;

/// Calls at once.
const CALLS: usize = 8;

pub(super) fn measure(stand: &mut Stand<'_>) -> Result<Vec<Figure>, BenchError> {
    let mut alone = Vec::new();
    let mut together = Vec::new();
    for round in 0..=stand.rounds {
        let count = |text: &str| stand.ours.tokenize(text).map(|tokens| tokens.len());
        let texts = (0..CALLS)
            .map(|call| stand.words.text((round * CALLS + call) * 5, PROMPT, count))
            .collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();

        pause();
        let singles = texts
            .iter()
            .map(|text| stand.ours.greedy(text, TOKENS, false))
            .collect::<Result<Vec<_>, _>>()?;
        pause();
        let joint = stand.ours.greedy_together(&texts, TOKENS)?;
        if round > 0 {
            let time = singles.iter().map(|answer| answer.until_end).sum();
            alone.push(rate(tokens(&singles), time));
            // All were placed at the same time.
            let time = joint
                .iter()
                .map(|answer| answer.until_end)
                .max()
                .unwrap_or_default();
            together.push(rate(tokens(&joint), time));
        }
    }
    let ratios: Vec<f64> = together
        .iter()
        .zip(&alone)
        .map(|(together, alone)| together / alone)
        .collect();
    Ok(vec![
        Figure::new(
            "batch_8_speedup",
            median(&ratios),
            "ratio",
            Goal::AtLeast(2.5),
        ),
        Figure::info("batch_8", median(&together), "tokens/s"),
        Figure::info("batch_8_one_at_a_time", median(&alone), "tokens/s"),
    ])
}

fn tokens(answers: &[Answer]) -> u32 {
    answers.iter().map(|answer| answer.token_count).sum()
}
