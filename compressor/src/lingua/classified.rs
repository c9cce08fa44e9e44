//! `LLMLingua-2`: a classifier tells of each token whether to keep it (Pan et al., Findings of ACL 2024, section 4).

use std::ops::Range;

use super::atoms::{Rules, atoms, join};
use super::choose::{choose, real};
use super::sentences::is_inside;
use super::{Kept, LinguaOptions};
use crate::marker::contains_marker;

/// A token and how likely it is to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifiedToken {
    /// In bytes of the text.
    pub range: Range<usize>,
    /// The probability of the class "keep", 0 to 1.
    pub keep: f32,
}

/// A text whose tokens are classified.
#[derive(Debug, Clone, Copy)]
pub struct ClassifiedText<'t> {
    /// The text.
    pub text: &'t str,
    /// What was classified at a time, in bytes of the text; what none of them has is kept.
    pub chunks: &'t [Range<usize>],
    /// All tokens, in the order in which they begin.
    pub tokens: &'t [ClassifiedToken],
    /// Spans that are kept or left out whole, in bytes of the text.
    pub protected: &'t [Range<usize>],
}

/// Cuts a text with tokens in these ranges into chunks of at most `window` tokens, each behind the last of `ends` in it
/// where there is one. The chunks have all of the text, in order. Protected spans, which are sorted and do not overlap, are
/// not cut: a chunk with one that is longer than the window is longer, too.
pub fn chunks(
    text: &str,
    tokens: &[Range<usize>],
    window: usize,
    ends: &[String],
    protected: &[Range<usize>],
) -> Vec<Range<usize>> {
    let window = window.max(1);
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut first = 0;
    while tokens.len() - first > window {
        let over = first + window;
        let may_cut = |token: &usize| {
            let at = tokens[*token].start;
            at > start && text.is_char_boundary(at) && !is_inside(protected, at)
        };
        let ends_here = |token: &usize| {
            let before = text.get(start..tokens[*token].start).unwrap_or_default();
            ends.iter().any(|end| {
                before.ends_with(end.as_str())
                    || before.trim_end_matches([' ', '\n']).ends_with(end.as_str())
                    || (end.trim().is_empty() && before[before.trim_end().len()..].contains(end))
            })
        };
        let inside = || (first + 1..=over).rev().filter(may_cut);
        let cut = inside().find(ends_here).or_else(|| inside().next());
        // Nowhere to cut: all that cannot be told apart goes together.
        let Some(cut) = cut.or_else(|| (over + 1..tokens.len()).find(may_cut)) else {
            break;
        };
        chunks.push(start..tokens[cut].start);
        start = tokens[cut].start;
        first = cut;
    }
    if start < text.len() {
        chunks.push(start..text.len());
    }
    chunks
}

/// What is kept of a text at this rate, which takes the place of the options' own. In each chunk the words with the
/// highest mean probability are kept, as many as make the rate by tokens, which `count` counts; forced and protected
/// ones before all others. A text with a line of ours is kept as it is.
pub fn compress(
    input: ClassifiedText<'_>,
    rate: f64,
    options: &LinguaOptions,
    count: &dyn Fn(&str) -> usize,
) -> Kept {
    let text = input.text;
    if contains_marker(text) {
        return Kept::all(text);
    }
    let mut kept = Kept::default();
    let mut end = 0;
    for chunk in input.chunks {
        let Some(part) = text.get(chunk.clone()).filter(|_| chunk.start >= end) else {
            continue;
        };
        kept.push(end..chunk.start);
        end = chunk.end;
        kept.extend(of_chunk(input, chunk, part, rate, options, count).shifted(chunk.start));
    }
    kept.push(end..text.len());
    kept
}

fn of_chunk(
    input: ClassifiedText<'_>,
    chunk: &Range<usize>,
    part: &str,
    rate: f64,
    options: &LinguaOptions,
    count: &dyn Fn(&str) -> usize,
) -> Kept {
    let own = |range: &Range<usize>| {
        let start = range.start.max(chunk.start);
        let end = range.end.min(chunk.end);
        (start < end).then(|| start - chunk.start..end - chunk.start)
    };
    let before = |token: &ClassifiedToken| token.range.start < chunk.start;
    let behind = |token: &ClassifiedToken| token.range.start < chunk.end;
    let from = input.tokens.partition_point(before);
    let to = input.tokens.partition_point(behind).max(from);
    let tokens = &input.tokens[from..to];
    let ranges: Vec<Range<usize>> = tokens
        .iter()
        .map(|token| own(&token.range).unwrap_or_default())
        .collect();
    let protected: Vec<Range<usize>> = input.protected.iter().filter_map(own).collect();
    let rules = Rules {
        protected: &protected,
        options,
    };
    let atoms = atoms(part, &ranges, rules);
    let weights: Vec<usize> = atoms
        .iter()
        .map(|atom| count(&part[atom.range.clone()]))
        .collect();
    let scores: Vec<f64> = atoms
        .iter()
        .map(|atom| {
            mean(
                atom.tokens
                    .iter()
                    .map(|&token| f64::from(tokens[token].keep)),
            )
        })
        .collect();
    let budget = rate * real(weights.iter().sum());
    let kept = choose(&atoms, &scores, &weights, budget, options.drop_consecutive);
    join(part, &atoms, &kept)
}

/// Which of some texts are kept whole for the next stage, and at what rate these are compressed so that the whole comes
/// to `rate`. Texts are left out by the mean of their tokens' probabilities, the lowest first; `tokens` counts each by
/// the vocabulary that is paid for.
pub fn filter(means: &[f64], tokens: &[usize], options: &LinguaOptions) -> (Vec<usize>, f64) {
    let total = real(tokens.iter().sum());
    let target = options.target_token.map_or(options.rate * total, real);
    let all: Vec<usize> = (0..means.len()).collect();
    let rate_of = |kept: &[usize]| {
        let left = real(kept.iter().filter_map(|&index| tokens.get(index)).sum());
        if left > 0.0 {
            (target / left).min(1.0)
        } else {
            1.0
        }
    };
    if !options.use_context_level_filter || means.len() < 2 {
        let rate = rate_of(&all);
        return (all, rate);
    }
    let share = options.context_level_rate.unwrap_or_else(|| {
        if total > 0.0 {
            (target / total).min(1.0).midpoint(1.0)
        } else {
            1.0
        }
    });
    let mut order = all;
    order.sort_by(|&a, &b| means[b].total_cmp(&means[a]));
    let mut kept = Vec::new();
    let mut spent = 0.0;
    for index in order {
        let fits = match options.target_context {
            Some(contexts) => kept.len() < contexts,
            None => spent < share * total,
        };
        if fits || options.force_context_ids.contains(&index) {
            kept.push(index);
            spent += real(tokens.get(index).copied().unwrap_or(0));
        }
    }
    kept.sort_unstable();
    let rate = rate_of(&kept);
    (kept, rate)
}

/// The mean of some values; 0 of none.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| {
        (sum + value, count + 1)
    });
    if count == 0 { 0.0 } else { sum / real(count) }
}
