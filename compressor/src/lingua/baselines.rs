//! What the methods are measured against: the same words and budgets, chosen without a model.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Kept;
use super::atoms::{Atom, Rules, atoms, join};
use super::choose::{choose, real};
use super::rank::{bm25, counts};
use super::sentences::sentences;
use crate::marker::contains_marker;

/// How often words are seen, to tell how surprising each is without its context.
#[derive(Debug, Clone, Default)]
pub struct Unigrams {
    counts: BTreeMap<String, usize>,
    total: usize,
}

impl Unigrams {
    /// Of these texts.
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut unigrams = Self::default();
        for text in texts {
            for (word, count) in counts(text) {
                *unigrams.counts.entry(word).or_insert(0) += count;
                unigrams.total += count;
            }
        }
        unigrams
    }

    /// The surprisal of a stretch of text, in nats: the highest of its words', each seen once more than it was; 0
    /// where it has none.
    pub fn surprisal(&self, text: &str) -> f64 {
        let all = real(self.total) + real(self.counts.len()) + 1.0;
        let seen = |word: &String| real(self.counts.get(word).copied().unwrap_or(0)) + 1.0;
        let surprisals = counts(text);
        let surprisals = surprisals.keys().map(|word| (all / seen(word)).ln());
        surprisals.fold(0.0, f64::max)
    }
}

/// Keeps the words whose [`Unigrams::surprisal`] is highest.
pub fn unigram(
    text: &str,
    rate: f64,
    unigrams: &Unigrams,
    rules: Rules<'_>,
    count: &dyn Fn(&str) -> usize,
) -> Kept {
    let score = |_: usize, range: &Range<usize>| unigrams.surprisal(&text[range.clone()]);
    by_score(text, rate, &score, rules, count)
}

/// Keeps words at random; the same ones for the same seed.
pub fn random(
    text: &str,
    rate: f64,
    seed: u64,
    rules: Rules<'_>,
    count: &dyn Fn(&str) -> usize,
) -> Kept {
    let score = |index: usize, _: &Range<usize>| {
        let index = u64::try_from(index).unwrap_or(u64::MAX);
        let number = scatter(seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        f64::from(u32::try_from(number >> 32).unwrap_or(u32::MAX))
    };
    by_score(text, rate, &score, rules, count)
}

/// Keeps the sentences that fit a question best ([`bm25`]), of the last one that fits in part its beginning.
pub fn best_sentences(
    text: &str,
    rate: f64,
    question: &str,
    rules: Rules<'_>,
    count: &dyn Fn(&str) -> usize,
) -> Kept {
    let sentences = sentences(text, rules.protected);
    let texts: Vec<&str> = sentences.iter().map(|range| &text[range.clone()]).collect();
    let fit = bm25(&texts, question);
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by(|&a, &b| fit[b].total_cmp(&fit[a]));
    let mut ranks = vec![0; order.len()];
    for (rank, index) in order.into_iter().enumerate() {
        ranks[index] = rank;
    }
    // Words of one sentence are equals, of which the earlier is better.
    let score = |_: usize, range: &Range<usize>| {
        let last = range.end.saturating_sub(1);
        let sentence = sentences.partition_point(|sentence| sentence.end <= last);
        -real(ranks.get(sentence).copied().unwrap_or(0))
    };
    by_score(text, rate, &score, rules, count)
}

fn by_score(
    text: &str,
    rate: f64,
    score: &dyn Fn(usize, &Range<usize>) -> f64,
    rules: Rules<'_>,
    count: &dyn Fn(&str) -> usize,
) -> Kept {
    if contains_marker(text) {
        return Kept::all(text);
    }
    let atoms: Vec<Atom> = atoms(text, &[], rules);
    let ranges = atoms.iter().map(|atom| &atom.range);
    let scores: Vec<f64> = ranges
        .clone()
        .enumerate()
        .map(|(index, range)| score(index, range))
        .collect();
    let weights: Vec<usize> = ranges.map(|range| count(&text[range.clone()])).collect();
    let budget = rate * real(weights.iter().sum());
    let drops = rules.options.drop_consecutive;
    join(
        text,
        &atoms,
        &choose(&atoms, &scores, &weights, budget, drops),
    )
}

/// A number whose bits all depend on all bits of the other (Steele et al., `SplitMix`, 2014).
fn scatter(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
