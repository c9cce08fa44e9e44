//! Sentences: where they are, and which pass (Jiang et al., EMNLP 2023, section 3.1).

use std::ops::Range;

use super::choose::real;

/// The sentences of a text: all of it, in order. One ends behind a line feed or behind `.`, `!` or `?` before white
/// space, or behind a full stop of Chinese and Japanese; never within one of the spans, which are sorted and do
/// not overlap.
pub fn sentences(text: &str, whole: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut symbols = text.char_indices().peekable();
    while let Some((at, symbol)) = symbols.next() {
        let end = at + symbol.len_utf8();
        let before_space = symbols.peek().is_none_or(|(_, next)| next.is_whitespace());
        let ends = match symbol {
            '\n' | '。' | '！' | '？' => true,
            '.' | '!' | '?' => before_space,
            _ => false,
        };
        // Empty lines are not sentences; they stand before the next.
        let has_words = || !text[start..end].trim().is_empty();
        if ends && has_words() && !is_inside(whole, end) {
            sentences.push(start..end);
            start = end;
        }
    }
    if start < text.len() {
        match sentences.last_mut() {
            Some(last) if text[start..].trim().is_empty() => last.end = text.len(),
            _ => sentences.push(start..text.len()),
        }
    }
    sentences
}

/// Whether a byte is within one of the spans, which are sorted and do not overlap, and not at its edge.
pub(super) fn is_inside(spans: &[Range<usize>], at: usize) -> bool {
    let after = spans.partition_point(|span| span.end <= at);
    spans.get(after).is_some_and(|span| span.start < at)
}

/// Which sentences pass: the first and last so many, and the ones with the highest scores until so many tokens are
/// spent, the one that overflows included. Of equals the earlier is better.
pub fn select(
    scores: &[f64],
    tokens: &[usize],
    budget: f64,
    first: usize,
    last: usize,
) -> Vec<bool> {
    let count = scores.len();
    let mut kept: Vec<bool> = (0..count)
        .map(|index| index < first || index + last >= count)
        .collect();
    let weight = |index: usize| real(tokens.get(index).copied().unwrap_or(0));
    let mut spent: f64 = (0..count).filter(|&index| kept[index]).map(weight).sum();
    let mut order: Vec<usize> = (0..count).filter(|&index| !kept[index]).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    for index in order {
        if spent >= budget {
            break;
        }
        spent += weight(index);
        kept[index] = true;
    }
    kept
}
