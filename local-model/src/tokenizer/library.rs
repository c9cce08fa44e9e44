//! A vocabulary that the `tokenizers` crate encodes with.

use tokenizers::Tokenizer;

use super::table::{Table, Use};
use super::{Place, TokenId};

/// A tokenizer of the library, and what each of its tokens stands for.
pub(super) struct Library {
    /// Never finds special tokens in a text.
    pub(super) whole: Tokenizer,
    /// Without the space that `whole` puts before a text, if it puts one.
    pub(super) bare: Option<Tokenizer>,
    /// Whether that space stands at the start of a prompt alone, not after special tokens too.
    pub(super) prefix_once: bool,
    /// Stands for what the vocabulary cannot express.
    pub(super) unknown: Option<TokenId>,
    pub(super) table: Table,
}

impl Library {
    /// Appends the tokens of `text`. Characters that the vocabulary has no token for, not even one
    /// for the unknown, are left out, as the library leaves them out elsewhere.
    pub(super) fn encode(&self, text: &str, place: Place, tokens: &mut Vec<TokenId>) {
        if text.is_empty() {
            return;
        }
        let tokenizer = match (place, &self.bare) {
            (Place::Inside, Some(bare)) => bare,
            (Place::AfterSpecial, Some(bare)) if self.prefix_once => bare,
            _ => &self.whole,
        };
        match tokenizer.encode_fast(text, false) {
            Ok(encoding) => {
                for &id in encoding.get_ids() {
                    self.push(id, tokens);
                }
            }
            Err(_) => self.spell(text, tokens),
        }
    }

    /// Appends a token of plain text. Some vocabularies (Unigram ones, or those whose merges lead
    /// to a special token) give one for text that merely spells it: that is spelled out instead.
    fn push(&self, id: TokenId, tokens: &mut Vec<TokenId>) {
        if self.may_be_text(id) {
            tokens.push(id);
        } else if let Ok(spelled) = std::str::from_utf8(self.table.bytes(id)) {
            self.spell(spelled, tokens);
        }
    }

    fn may_be_text(&self, id: TokenId) -> bool {
        self.table.used(id) == Use::Text || self.unknown == Some(id)
    }

    /// Appends the tokens of each character by itself.
    fn spell(&self, text: &str, tokens: &mut Vec<TokenId>) {
        let tokenizer = self.bare.as_ref().unwrap_or(&self.whole);
        let mut buffer = [0; 4];
        for character in text.chars() {
            let character: &str = character.encode_utf8(&mut buffer);
            let Ok(encoding) = tokenizer.encode_fast(character, false) else {
                continue;
            };
            let ids = encoding.get_ids().iter().copied();
            tokens.extend(ids.filter(|&id| self.may_be_text(id)));
        }
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}
