//! Byte-pair merging by score, as `SentencePiece` does it (Kudo and Richardson, 2018): of all
//! neighbours that make a piece together, the pair with the highest score is merged first, the
//! leftmost among equals, until no pair makes a piece.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::TokenId;
use super::vocabulary::Vocabulary;

/// A run of the text that is one piece so far, in a list linked both ways.
/// A symbol of no length was merged into its left neighbour.
struct Symbol {
    start: usize,
    length: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// Two neighbours that make a piece together.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// Bytes of both when the pair was found; a pair that has changed since is stale.
    length: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

/// Appends the tokens of `text`, in which spaces are marked already. Characters that no piece
/// covers become byte tokens.
pub(super) fn merge(vocabulary: &Vocabulary, text: &str, tokens: &mut Vec<TokenId>) {
    let mut symbols = characters(text);
    let mut pairs = BinaryHeap::new();
    let found = |symbols: &[Symbol], pairs: &mut BinaryHeap<Pair>, left: usize| {
        let Some(right) = symbols[left].next else {
            return;
        };
        let length = symbols[left].length + symbols[right].length;
        let start = symbols[left].start;
        if let Some((_, score)) = vocabulary.normal(&text[start..start + length]) {
            pairs.push(Pair {
                score,
                left,
                right,
                length,
            });
        }
    };
    for left in 0..symbols.len() {
        found(&symbols, &mut pairs, left);
    }
    while let Some(pair) = pairs.pop() {
        let (left, right) = (pair.left, pair.right);
        let stale = symbols[left].length == 0
            || symbols[right].length == 0
            || symbols[left].length + symbols[right].length != pair.length;
        if stale {
            continue;
        }
        symbols[left].length = pair.length;
        symbols[right].length = 0;
        let next = symbols[right].next;
        symbols[left].next = next;
        if let Some(next) = next {
            symbols[next].previous = Some(left);
        }
        if let Some(previous) = symbols[left].previous {
            found(&symbols, &mut pairs, previous);
        }
        found(&symbols, &mut pairs, left);
    }
    for symbol in symbols.iter().filter(|symbol| symbol.length > 0) {
        let piece = &text[symbol.start..symbol.start + symbol.length];
        match vocabulary.normal(piece) {
            Some((id, _)) => tokens.push(id),
            None => tokens.extend(piece.bytes().map(|byte| vocabulary.byte(byte))),
        }
    }
}

fn characters(text: &str) -> Vec<Symbol> {
    let count = text.chars().count();
    text.char_indices()
        .enumerate()
        .map(|(index, (start, character))| Symbol {
            start,
            length: character.len_utf8(),
            previous: index.checked_sub(1),
            next: (index + 1 < count).then_some(index + 1),
        })
        .collect()
}
