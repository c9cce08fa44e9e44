//! Our answers beside those of a reference: [`first_difference`], and the two references.

pub mod checkpoints;
pub mod llama_cpp;
pub mod rounding;

use crate::ours::Answer;

/// How far apart, in nats, the reference may have two tokens of which it takes one and we the other: within rounding, they
/// are equally likely.
pub const GAP: f64 = 0.05;

/// The first token at which our answer is another than the reference's, if there is one. `pieces` are the bytes of the
/// reference's tokens; `ended` says whether the model, and not the limit, ended it.
///
/// A text can be cut into tokens in more than one way, so it is tokens that are compared, not letters.
pub fn first_difference(ours: &Answer, pieces: &[Vec<u8>], ended: bool) -> Option<usize> {
    let common = ours
        .tokens
        .iter()
        .zip(pieces)
        .position(|(ours, theirs)| ours.bytes != *theirs);
    common.or_else(|| {
        let same = ours.tokens.len() == pieces.len() && ours.ended == ended;
        (!same).then_some(ours.tokens.len().min(pieces.len()))
    })
}

/// By how much the reference prefers its own choice to the likeliest of `ours`; infinite where `ours` is empty.
pub fn gap(logprobs: &[f32], ours: &[u32]) -> f64 {
    let of = |token: &u32| {
        logprobs
            .get(*token as usize)
            .copied()
            .unwrap_or(f32::NEG_INFINITY)
    };
    let best = logprobs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let chosen = ours.iter().map(of).fold(f32::NEG_INFINITY, f32::max);
    f64::from(best) - f64::from(chosen)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use skinflint_local_model::TokenLogprob;

    use super::*;

    fn answer(pieces: &[&str], ended: bool) -> Answer {
        let token = |piece: &&str| TokenLogprob {
            bytes: piece.as_bytes().to_vec(),
            logprob: 0.0,
            top: Vec::new(),
        };
        Answer {
            text: pieces.concat(),
            tokens: pieces.iter().map(token).collect(),
            ended,
            token_count: 0,
            until_first: Duration::ZERO,
            until_end: Duration::ZERO,
        }
    }

    fn difference(
        ours: &[&str],
        ours_ended: bool,
        theirs: &[&str],
        theirs_ended: bool,
    ) -> Option<usize> {
        let pieces: Vec<Vec<u8>> = theirs
            .iter()
            .map(|piece| piece.as_bytes().to_vec())
            .collect();
        first_difference(&answer(ours, ours_ended), &pieces, theirs_ended)
    }

    #[test]
    fn answers_differ_at_the_first_other_token() {
        assert_eq!(difference(&["a", "b"], false, &["a", "b"], false), None);
        assert_eq!(
            difference(&["a", "b", "c"], false, &["a", "x", "c"], false),
            Some(1)
        );
        assert_eq!(difference(&["ab"], false, &["a", "b"], false), Some(0));
    }

    #[test]
    fn an_end_is_a_choice_too() {
        assert_eq!(difference(&["a"], true, &["a", "b"], false), Some(1));
        assert_eq!(difference(&["a", "b"], false, &["a"], true), Some(1));
        assert_eq!(difference(&["a"], true, &["a"], false), Some(1));
        assert_eq!(difference(&["a"], true, &["a"], true), None);
    }

    #[test]
    fn the_gap_is_to_the_likeliest_that_could_be_meant() {
        let logprobs = [-3.0, -0.25, -2.0];
        assert!((gap(&logprobs, &[0, 2]) - 1.75).abs() < 1e-6);
        assert!(gap(&logprobs, &[1]).abs() < 1e-6);
        assert!(gap(&logprobs, &[]).is_infinite());
        assert!(gap(&logprobs, &[9]).is_infinite());
    }
}
