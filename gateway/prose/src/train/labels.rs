//! Which tokens a head should keep, as far as that can be told without people or a large model.

use std::ops::Range;

use skinflint_compressor::lingua::atoms::{Rules, atoms};
use skinflint_compressor::lingua::{LinguaOptions, RankMethod, rank};
use skinflint_compressor::protected;

use crate::passages::Passage;

/// How much more a token of an answer counts.
const ANSWER_WEIGHT: f64 = 5.0;

/// What a token should be, and how much it matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Label {
    pub(super) keep: bool,
    pub(super) weight: f64,
}

/// A label for each of the encoder's `tokens`. To be kept are the more surprising half of the words (told by the model whose
/// `pieces` these log-probabilities are of), what is protected, and what answers.
pub(super) fn labels(
    passage: &Passage,
    tokens: &[Range<usize>],
    pieces: &[Range<usize>],
    logprobs: &[f32],
) -> Vec<Label> {
    let text = passage.text.as_str();
    let options = LinguaOptions::default();
    let spans = protected(text);
    let rules = Rules {
        protected: &spans,
        options: &options,
    };
    let words = atoms(text, pieces, rules);
    let surprisals: Vec<f64> = words
        .iter()
        .map(|word| {
            let logprobs = word.tokens.iter().filter_map(|&piece| logprobs.get(piece));
            let surprisals = logprobs.map(|&logprob| -f64::from(logprob));
            surprisals.fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    let mut keep: Vec<bool> = words.iter().map(|word| word.force.is_some()).collect();
    for word in rank::order(&surprisals, RankMethod::Llmlingua)
        .into_iter()
        .take(words.len() / 2)
    {
        keep[word] = true;
    }
    let answers = answers(passage);
    tokens
        .iter()
        .map(|token| {
            let overlaps = |span: &Range<usize>| span.start < token.end && token.start < span.end;
            let word = words.partition_point(|word| word.range.end <= token.start);
            let is_answer = answers.iter().any(overlaps);
            Label {
                keep: is_answer || keep.get(word).copied().unwrap_or(false),
                weight: if is_answer { ANSWER_WEIGHT } else { 1.0 },
            }
        })
        .collect()
}

/// Where the answers stand, as they are spelled.
fn answers(passage: &Passage) -> Vec<Range<usize>> {
    let answers = passage.answers.iter().filter(|answer| !answer.is_empty());
    let found = answers.flat_map(|answer| passage.text.match_indices(answer.as_str()));
    found.map(|(at, answer)| at..at + answer.len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprising_protected_and_answering_words_are_kept() {
        let text = "the cat sat on 42 mats";
        let ranges: Vec<Range<usize>> = [0..3, 4..7, 8..11, 12..14, 15..17, 18..22].into();
        let passage = Passage {
            question: "where".to_owned(),
            answers: vec!["mats".to_owned()],
            text: text.to_owned(),
        };
        let logprobs = [-3.0, -9.0, -8.0, -2.0, -1.0, -1.5];
        let labels = labels(&passage, &ranges, &ranges, &logprobs);
        let keep: Vec<bool> = labels.iter().map(|label| label.keep).collect();
        // "the", "cat" and "sat" surprise, 42 is a number, and the mats are the answer.
        assert_eq!(keep, [true, true, true, false, true, true]);
        assert!((labels[5].weight - ANSWER_WEIGHT).abs() < 1e-9);
        assert!((labels[0].weight - 1.0).abs() < 1e-9);
    }
}
