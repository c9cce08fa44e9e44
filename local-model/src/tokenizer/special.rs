//! Spellings of special tokens: found where a template wrote them, broken where anybody else did.
//!
//! A template writes special tokens as text, between messages that are text too. So that a message
//! cannot forge one, whatever comes from outside is guarded before the template sees it: a
//! private-use character goes into each spelling. The template can still trim, split and compare
//! all other text. Once the template's own tokens are found in the result, the character is taken
//! out again.

use std::borrow::Cow;
use std::ops::Range;

use hashbrown::HashMap;

use super::TokenId;

/// Stands within a guarded spelling; where a text has this character itself, it is doubled.
const BREAK: char = '\u{F6D4}';

/// A token that is never part of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Special {
    pub(super) id: TokenId,
    /// White space before it belongs to it.
    pub(super) takes_left: bool,
    /// White space after it belongs to it.
    pub(super) takes_right: bool,
}

impl Special {
    pub(super) fn new(id: TokenId) -> Self {
        Self {
            id,
            takes_left: false,
            takes_right: false,
        }
    }
}

/// A special token in a text, with the white space that belongs to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: TokenId,
    pub(super) range: Range<usize>,
}

/// All special tokens by how they are written.
#[derive(Debug)]
pub(crate) struct Spellings {
    by_text: HashMap<String, Special>,
    /// Lengths in bytes of the spellings that start with a byte, the longest first.
    lengths: Vec<Vec<usize>>,
}

impl Spellings {
    /// Spellings of one character, or with the guard's own, cannot be guarded: they are left out.
    pub(super) fn new(tokens: impl IntoIterator<Item = (String, Special)>) -> Self {
        let mut lengths = vec![Vec::new(); 256];
        let mut by_text = HashMap::new();
        for (text, special) in tokens {
            let Some(&first) = text.as_bytes().first() else {
                continue;
            };
            if text.chars().nth(1).is_none() || text.contains(BREAK) {
                continue;
            }
            let lengths: &mut Vec<usize> = &mut lengths[usize::from(first)];
            if !lengths.contains(&text.len()) {
                lengths.push(text.len());
            }
            by_text.entry(text).or_insert(special);
        }
        for lengths in &mut lengths {
            lengths.sort_by_key(|&length| std::cmp::Reverse(length));
        }
        Self { by_text, lengths }
    }

    /// The token that is written like this.
    pub(super) fn id_of(&self, text: &str) -> Option<TokenId> {
        self.by_text.get(text).map(|special| special.id)
    }

    /// The longest spelling that starts at byte `at`, and its length in bytes.
    fn at(&self, text: &str, at: usize) -> Option<(Special, usize)> {
        let lengths = &self.lengths[usize::from(*text.as_bytes().get(at)?)];
        lengths.iter().find_map(|&length| {
            let spelled = text.get(at..at + length)?;
            Some((*self.by_text.get(spelled)?, length))
        })
    }

    /// The first special token at or after byte `from`.
    pub(super) fn find(&self, text: &str, from: usize) -> Option<Found> {
        let (start, (special, length)) =
            (from..text.len()).find_map(|at| Some((at, self.at(text, at)?)))?;
        let end = start + length;
        let left = text[from..start].trim_end().len();
        let right = text[end..].len() - text[end..].trim_start().len();
        Some(Found {
            id: special.id,
            range: Range {
                start: if special.takes_left {
                    from + left
                } else {
                    start
                },
                end: if special.takes_right {
                    end + right
                } else {
                    end
                },
            },
        })
    }

    /// Text from outside in which no special token can be found; [`unguard`] gives it back.
    pub(crate) fn guard<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let touched = |(at, character)| character == BREAK || self.at(text, at).is_some();
        if !text.char_indices().any(touched) {
            return Cow::Borrowed(text);
        }
        let mut guarded = String::with_capacity(text.len() + 16);
        for (at, character) in text.char_indices() {
            guarded.push(character);
            if touched((at, character)) {
                guarded.push(BREAK);
            }
        }
        Cow::Owned(guarded)
    }
}

/// Takes out what [`Spellings::guard`] put in.
pub(crate) fn unguard(text: &str) -> Cow<'_, str> {
    if !text.contains(BREAK) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != BREAK || characters.next_if_eq(&BREAK).is_some() {
            plain.push(character);
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings() -> Spellings {
        let plain = ["<s>", "<|im_end|>", "<|im_end|>x", "§", "<a\u{F6D4}>"];
        let mut tokens: Vec<(String, Special)> = (0..)
            .zip(plain)
            .map(|(id, text)| (text.to_owned(), Special::new(id)))
            .collect();
        tokens.push((
            "<both>".to_owned(),
            Special {
                id: 9,
                takes_left: true,
                takes_right: true,
            },
        ));
        Spellings::new(tokens)
    }

    fn found(text: &str, from: usize) -> Option<(TokenId, Range<usize>)> {
        let found = spellings().find(text, from)?;
        Some((found.id, found.range))
    }

    #[test]
    fn the_first_and_longest_is_found() {
        assert_eq!(found("é <|im_end|> <s>", 0), Some((1, 3..13)));
        assert_eq!(found("é <|im_end|>x <s>", 0), Some((2, 3..14)));
        assert_eq!(found("<|im_end|><s>", 1), Some((0, 10..13)));
        assert_eq!(found("<|im_end <s <S>", 0), None);
    }

    #[test]
    fn white_space_goes_with_the_token_that_takes_it() {
        assert_eq!(found("a \n<both> \u{a0}b", 0), Some((9, 1..12)));
        assert_eq!(found("<s> \n<both>", 3), Some((9, 3..11)));
    }

    #[test]
    fn what_cannot_be_guarded_is_no_spelling() {
        assert_eq!(spellings().id_of("§"), None);
        assert_eq!(found("§ <a\u{F6D4}>", 0), None);
    }

    #[test]
    fn guarded_text_spells_nothing_and_comes_back() {
        let spellings = spellings();
        for text in [
            "",
            "plain <b>text</b>",
            "<s><|im_end|><s>",
            "<|im_<|im_end|>end|>",
            "<<s>s>",
            "\u{F6D4}<s>\u{F6D4}\u{F6D4}<s>\u{F6D4}",
            "<\u{F6D4}s> <\u{F6D4}\u{F6D4}s>",
            "日本<s>語",
        ] {
            let guarded = spellings.guard(text);
            assert_eq!(spellings.find(&guarded, 0), None, "{text:?}");
            assert_eq!(unguard(&guarded), text);
        }
        assert!(matches!(spellings.guard("plain"), Cow::Borrowed(_)));
    }
}
