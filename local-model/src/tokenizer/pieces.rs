//! Where in a text its tokens are: [`TextPiece`].

use std::ops::Range;

use super::{Place, SPACE_MARK, TokenId, Tokenizer};

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPiece {
    /// Its number.
    pub id: u32,
    /// Where its text is, in bytes; tokens that share a character all have the whole of it.
    pub range: Range<usize>,
}

impl Tokenizer {
    /// The tokens of a text that goes on with what came before, and where they are.
    ///
    /// A vocabulary may rewrite what it reads, so that its tokens do not spell the text. Then each word is
    /// tokenized by itself, and its tokens all have the whole word.
    pub(crate) fn pieces(&self, text: &str) -> Vec<TextPiece> {
        let ids = self.ids(text);
        self.aligned(text, &ids)
            .unwrap_or_else(|| self.word_by_word(text))
    }

    fn ids(&self, text: &str) -> Vec<TokenId> {
        let mut ids = Vec::new();
        self.encode_at(text, Place::Inside, &mut ids);
        ids
    }

    /// The ranges of tokens that spell the text; `None` where they do not.
    fn aligned(&self, text: &str, ids: &[TokenId]) -> Option<Vec<TextPiece>> {
        let mut mark = [0; 4];
        let mark = SPACE_MARK.encode_utf8(&mut mark).as_bytes();
        let mut rest = text.as_bytes();
        let mut pieces = Vec::with_capacity(ids.len());
        for &id in ids {
            let start = text.len() - rest.len();
            for byte in self.token_bytes(id) {
                let space = rest.strip_prefix(mark).filter(|_| byte == b' ');
                rest = space.or_else(|| rest.strip_prefix(&[byte]))?;
            }
            let end = text.len() - rest.len();
            // A token that stands for nothing stands for something that it does not spell.
            if start == end {
                return None;
            }
            pieces.push(TextPiece {
                id,
                range: text.floor_char_boundary(start)..text.ceil_char_boundary(end),
            });
        }
        rest.is_empty().then_some(pieces)
    }

    pub(super) fn word_by_word(&self, text: &str) -> Vec<TextPiece> {
        let mut pieces = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let space = text[start..]
                .find(|symbol: char| !symbol.is_whitespace())
                .unwrap_or(text.len() - start);
            let word = start + space;
            let length = text[word..]
                .find(char::is_whitespace)
                .unwrap_or(text.len() - word);
            let range = start..word + length;
            let ids = self.ids(&text[range.clone()]).into_iter();
            pieces.extend(ids.map(|id| TextPiece {
                id,
                range: range.clone(),
            }));
            start = range.end;
        }
        pieces
    }
}
