//! OpenAI's public vocabularies, and the bound that one of them gives on the others.

use std::sync::OnceLock;

use tiktoken_rs::{CoreBPE, Rank, cl100k_base_singleton, o200k_base_singleton};

use crate::count::{Certainty, Count, tokens};

/// Text is counted in pieces of at most this many bytes: the pattern that finds words keeps every
/// position of a run of blanks in mind, and tiktoken panics when that overflows (some hundred thousand).
const PIECE: usize = 32 * 1024;
/// Added where a piece had to be cut inside a word: tokens on either side may come out differently
/// within the reach of a token, and in theory fewer.
const CUT: u64 = 16;
/// Tokens that another vocabulary may make of a word that is one token here.
const PER_WORD: usize = 2;
/// Bytes of a long word, or of a run of one character, that another vocabulary may make a token of.
const BYTES_PER_TOKEN: usize = 4;
/// One more than the last rank of o200k, special tokens aside.
const RANKS: Rank = 199_998;

/// GPT-4o and later.
pub(crate) static O200K: Vocabulary = Vocabulary::new(o200k_base_singleton);
/// GPT-4, GPT-3.5, embeddings.
pub(crate) static CL100K: Vocabulary = Vocabulary::new(cl100k_base_singleton);

/// A vocabulary that is loaded when first needed and then kept.
pub(crate) struct Vocabulary {
    open: fn() -> &'static CoreBPE,
    tokens: OnceLock<&'static CoreBPE>,
    weights: OnceLock<Vec<u8>>,
}

impl Vocabulary {
    const fn new(open: fn() -> &'static CoreBPE) -> Self {
        Self {
            open,
            tokens: OnceLock::new(),
            weights: OnceLock::new(),
        }
    }

    fn tokens(&self) -> &'static CoreBPE {
        self.tokens.get_or_init(self.open)
    }

    /// For every rank, how many tokens another vocabulary makes of its bytes at most.
    fn weights(&self) -> &[u8] {
        self.weights.get_or_init(|| {
            let tokens = self.tokens();
            (0..RANKS)
                .map(|rank| {
                    tokens
                        .decode_bytes(&[rank])
                        .map_or(u8::MAX, |bytes| weight(&bytes))
                })
                .collect()
        })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.tokens.get().is_some()
    }

    pub(crate) fn has_weights(&self) -> bool {
        self.weights.get().is_some()
    }

    pub(crate) fn load(&self) {
        self.tokens();
    }

    pub(crate) fn load_weights(&self) {
        self.weights();
    }

    /// The tokens of a text in this vocabulary. What looks like a special token is ordinary text.
    pub(crate) fn count(&self, text: &str) -> Count {
        let vocabulary = self.tokens();
        let mut count = Count::NONE;
        for piece in Pieces(text) {
            count += Count::exact(tokens(vocabulary.count_ordinary(piece.text)));
            if piece.torn {
                count += Count::at_most(CUT);
            }
        }
        if count.certainty > Certainty::Exact {
            count.tokens = count.tokens.min(tokens(text.len()));
        }
        count
    }

    /// The most tokens that a vocabulary which is not public makes of a text; see [`weight`].
    pub(crate) fn bound(&self, text: &str) -> Count {
        let vocabulary = self.tokens();
        let weights = self.weights();
        let weight_of = |rank: Rank| {
            usize::try_from(rank)
                .ok()
                .and_then(|rank| weights.get(rank).copied())
                .map_or(u64::from(u8::MAX), u64::from)
        };
        let sum = Pieces(text)
            .flat_map(|piece| vocabulary.encode_ordinary(piece.text))
            .fold(0_u64, |sum, rank| sum.saturating_add(weight_of(rank)));
        Count::at_most(sum)
    }
}

/// How many tokens an unknown vocabulary makes of the bytes of one of ours, at most.
///
/// A vocabulary with byte tokens never makes more tokens than there are bytes, nor do more tokens
/// start within a stretch of text than it has bytes. So bytes are the bound where vocabularies differ
/// most: digits, which some write one by one, and all that is not ASCII, which o200k knows far
/// better than most. Of an ASCII word, two tokens: Claude's earlier tokenizer makes some 1.2 times the
/// tokens of o200k of English and code, the one since Opus 4.7 up to 1.35 times as many again, 1.6 in
/// all. Long words and runs of blanks are single tokens here and need not be elsewhere: one token
/// for every four bytes.
fn weight(bytes: &[u8]) -> u8 {
    let dense = bytes
        .iter()
        .any(|byte| byte.is_ascii_digit() || !byte.is_ascii());
    let most = if dense {
        bytes.len()
    } else {
        bytes
            .len()
            .min(PER_WORD.max(bytes.len().div_ceil(BYTES_PER_TOKEN)))
    };
    u8::try_from(most).unwrap_or(u8::MAX)
}

/// Cuts a text into pieces whose counts add up to the count of the whole.
///
/// Both vocabularies first find words by a pattern, and no token reaches from one word into the next.
/// Whatever is around it, a word ends before a blank that follows something else than white space,
/// and after a line's end that is followed by a letter or digit; the patterns look ahead but never
/// back, so that they go on from there as from a start. Only where [`PIECE`] bytes have no such
/// place, a word is torn.
#[derive(Debug)]
struct Pieces<'t>(&'t str);

#[derive(Debug, PartialEq, Eq)]
struct Piece<'t> {
    text: &'t str,
    /// Whether the piece ends inside a word.
    torn: bool,
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        if self.0.is_empty() {
            return None;
        }
        let (at, torn) = if self.0.len() <= PIECE {
            (self.0.len(), false)
        } else {
            match (1..PIECE).rev().find(|at| ends_word(self.0, *at)) {
                Some(at) => (at, false),
                None => (self.0.floor_char_boundary(PIECE), true),
            }
        };
        let (text, rest) = self.0.split_at(at);
        self.0 = rest;
        Some(Piece { text, torn })
    }
}

/// Whether a word ends between the bytes before and after `at`, which is within the text.
fn ends_word(text: &str, at: usize) -> bool {
    match (text.as_bytes()[at - 1], text.as_bytes()[at]) {
        (before, b' ') => before.is_ascii_graphic(),
        (b'\n', _) => text[at..].chars().next().is_some_and(char::is_alphanumeric),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
