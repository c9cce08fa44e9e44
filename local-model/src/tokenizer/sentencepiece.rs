//! A `SentencePiece` BPE vocabulary out of a GGUF file (`tokenizer.ggml.model` is `llama`).

use std::borrow::Cow;

use super::merge::merge;
use super::special::Special;
use super::vocabulary::{Kind, Vocabulary};
use super::{Place, SPACE_MARK, TokenId};
use crate::error::LoadFault;
use crate::gguf::GgufFile;

/// Encodes by score, and decodes.
#[derive(Debug)]
pub(super) struct SentencePiece {
    pub(super) vocabulary: Vocabulary,
    /// Whether a text is read as if a space stood before it (Llama 2 does, Gemma does not).
    space_prefix: bool,
}

impl SentencePiece {
    pub(super) fn load(gguf: &mut GgufFile) -> Result<Self, LoadFault> {
        let space_prefix = gguf
            .bool_if_given("tokenizer.ggml.add_space_prefix")?
            .unwrap_or(true);
        let vocabulary = Vocabulary::new(
            &gguf.take_strings("tokenizer.ggml.tokens")?,
            gguf.take_floats("tokenizer.ggml.scores")?,
            &gguf.take_integers("tokenizer.ggml.token_type")?,
        )
        .map_err(|reason| LoadFault::Vocabulary { reason })?;
        Ok(Self {
            vocabulary,
            space_prefix,
        })
    }

    /// How the control tokens are written.
    pub(super) fn specials(&self) -> Vec<(String, Special)> {
        (0..)
            .take(self.vocabulary.size())
            .filter(|&id| self.vocabulary.kind(id) == Kind::Control)
            .map(|id| (self.vocabulary.piece(id).to_owned(), Special::new(id)))
            .collect()
    }

    /// Appends the tokens of `text`.
    ///
    /// User-defined pieces (runs of newlines, tabs and spaces, HTML tags) are cut out first, longest
    /// first from the left; what lies between is merged by score. Control pieces are not looked
    /// for.
    pub(super) fn encode(&self, text: &str, place: Place, tokens: &mut Vec<TokenId>) {
        let text = if self.space_prefix && place != Place::Inside && !text.is_empty() {
            Cow::Owned(format!(" {text}"))
        } else {
            Cow::Borrowed(text)
        };
        let mut from = 0;
        let mut at = 0;
        while at < text.len() {
            if let Some((id, length)) = self.vocabulary.user_defined_at(&text[at..]) {
                self.encode_plain(&text[from..at], tokens);
                tokens.push(id);
                at += length;
                from = at;
            } else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
        self.encode_plain(&text[from..], tokens);
    }

    /// Merges text without user-defined pieces, word by word where the vocabulary lets it.
    fn encode_plain(&self, text: &str, tokens: &mut Vec<TokenId>) {
        if text.is_empty() {
            return;
        }
        let mut marked = String::with_capacity(text.len() + text.len() / 2);
        for character in text.chars() {
            marked.push(if character == ' ' {
                SPACE_MARK
            } else {
                character
            });
        }
        let mut from = 0;
        let mut previous = SPACE_MARK;
        for (at, character) in marked.char_indices() {
            if character == SPACE_MARK && !self.vocabulary.spans_space_after(previous) {
                merge(&self.vocabulary, &marked[from..at], tokens);
                from = at;
            }
            previous = character;
        }
        merge(&self.vocabulary, &marked[from..], tokens);
    }

    /// Appends the bytes that `token` stands for: nothing for a control token.
    pub(super) fn decode_into(&self, token: TokenId, bytes: &mut Vec<u8>) {
        match self.vocabulary.kind(token) {
            Kind::Normal => {
                let piece = self.vocabulary.piece(token);
                let mut parts = piece.split(SPACE_MARK);
                bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
                for part in parts {
                    bytes.push(b' ');
                    bytes.extend_from_slice(part.as_bytes());
                }
            }
            Kind::UserDefined => bytes.extend_from_slice(self.vocabulary.piece(token).as_bytes()),
            Kind::Byte(byte) => bytes.push(byte),
            Kind::Control | Kind::Unused => {}
        }
    }

    /// Whether the token is never part of text.
    pub(super) fn is_special(&self, token: TokenId) -> bool {
        matches!(self.vocabulary.kind(token), Kind::Control | Kind::Unused)
    }
}
