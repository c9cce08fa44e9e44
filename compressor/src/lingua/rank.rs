//! Which contexts are better (Jiang et al., ACL 2024, section 4.1).

use std::collections::BTreeMap;

use super::choose::real;
use super::{RankMethod, Reorder};

/// What is put behind the question where the likelihood of both, given a context, ranks it. The paper calls such a
/// sentence restrictive: it keeps the model from taking any question for likely.
pub const RESTRICTIVE_SENTENCE: &str = " The documents above hold the answer to this question.";

/// BM25's saturation of repeated words, and how much the length of a text counts; the usual values.
const K1: f64 = 1.5;
const B: f64 = 0.75;

/// The best first. `scores` are BM25's, or mean surprisals: of contexts, where the higher are better, or, for
/// [`RankMethod::Longllmlingua`], of the question behind each, where the lower are. Equals stay in their order.
pub fn order(scores: &[f64], method: RankMethod) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    match method {
        RankMethod::Longllmlingua => order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b])),
        RankMethod::Llmlingua | RankMethod::Bm25 => {
            order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        }
    }
    order
}

/// The order in which contexts that are kept are given back, of one with the best first.
pub fn reorder(best_first: &[usize], reorder: Reorder) -> Vec<usize> {
    let mut order = best_first.to_vec();
    match reorder {
        Reorder::Original => order.sort_unstable(),
        Reorder::Sort => {}
        Reorder::TwoStage => {
            let mut back: Vec<usize> = best_first.iter().copied().skip(1).step_by(2).collect();
            order = best_first.iter().copied().step_by(2).collect();
            back.reverse();
            order.append(&mut back);
        }
    }
    order
}

/// How well each text fits a query: BM25 over words in lower case (Robertson and Zaragoza, 2009), with an inverse
/// document frequency that is never negative.
pub fn bm25(texts: &[&str], query: &str) -> Vec<f64> {
    let texts: Vec<BTreeMap<String, usize>> = texts.iter().map(|text| counts(text)).collect();
    let lengths: Vec<f64> = texts
        .iter()
        .map(|words| real(words.values().sum()))
        .collect();
    let mean = (lengths.iter().sum::<f64>() / real(texts.len()).max(1.0)).max(1.0);
    let mut scores = vec![0.0; texts.len()];
    for word in counts(query).keys() {
        let with = real(
            texts
                .iter()
                .filter(|words| words.contains_key(word))
                .count(),
        );
        let rarity = ((real(texts.len()) - with + 0.5) / (with + 0.5)).ln_1p();
        for ((score, words), length) in scores.iter_mut().zip(&texts).zip(&lengths) {
            let times = real(words.get(word).copied().unwrap_or(0));
            let norm = K1 * (1.0 - B + B * length / mean);
            *score += rarity * times * (K1 + 1.0) / (times + norm);
        }
    }
    scores
}

/// The words of a text in lower case, and how often each is there.
pub(super) fn counts(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in text.split(|symbol: char| !symbol.is_alphanumeric()) {
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
    }
    counts
}
