//! Text to tokens and back, by the `SentencePiece` BPE vocabulary that a GGUF file carries.

mod merge;
mod stream;
mod vocabulary;

use crate::error::LoadFault;
use crate::gguf::GgufFile;
use merge::merge;
pub(crate) use stream::Detokenizer;
use vocabulary::{Kind, Vocabulary};

/// What stands for a space inside pieces (U+2581).
const SPACE_MARK: char = '\u{2581}';

/// A token's number: its row in the embedding table.
pub(crate) type TokenId = u32;

/// Encodes and decodes; never written after loading.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    vocabulary: Vocabulary,
    /// What every prompt starts with.
    start: Option<TokenId>,
    /// What ends an answer.
    ends: Vec<TokenId>,
}

impl Tokenizer {
    /// Takes the vocabulary out of the file's metadata.
    pub(crate) fn load(gguf: &mut GgufFile) -> Result<Self, LoadFault> {
        let kind = gguf.string("tokenizer.ggml.model")?;
        if kind != "llama" {
            return Err(LoadFault::Vocabulary {
                reason: format!("tokenizer model {kind:?} is not supported (supported: llama)"),
            });
        }
        if gguf
            .bool_if_given("tokenizer.ggml.add_space_prefix")?
            .unwrap_or(true)
        {
            return Err(LoadFault::Vocabulary {
                reason: "a vocabulary that adds a space before the text is not supported"
                    .to_owned(),
            });
        }
        let add_start = gguf
            .bool_if_given("tokenizer.ggml.add_bos_token")?
            .unwrap_or(true);
        let start = gguf.integer_if_given("tokenizer.ggml.bos_token_id")?;
        let ends = ["eos_token_id", "eot_token_id"]
            .iter()
            .filter_map(|key| {
                gguf.integer_if_given(&format!("tokenizer.ggml.{key}"))
                    .transpose()
            })
            .collect::<Result<Vec<_>, _>>()?;
        let vocabulary = Vocabulary::new(
            &gguf.take_strings("tokenizer.ggml.tokens")?,
            gguf.take_floats("tokenizer.ggml.scores")?,
            &gguf.take_integers("tokenizer.ggml.token_type")?,
        )
        .map_err(|reason| LoadFault::Vocabulary { reason })?;
        let tokenizer = Self {
            start: start.filter(|_| add_start),
            ends,
            vocabulary,
        };
        if let Some(id) = tokenizer
            .start
            .iter()
            .chain(&tokenizer.ends)
            .find(|&&id| id as usize >= tokenizer.size())
        {
            return Err(LoadFault::Vocabulary {
                reason: format!("token {id} starts or ends a text but is not in the vocabulary"),
            });
        }
        Ok(tokenizer)
    }

    /// The number of tokens in the vocabulary.
    pub(crate) fn size(&self) -> usize {
        self.vocabulary.size()
    }

    /// Whether this token ends an answer.
    pub(crate) fn is_end(&self, token: TokenId) -> bool {
        self.ends.contains(&token)
    }

    /// The tokens of a prompt: the start token, then those of the text.
    pub(crate) fn encode_prompt(&self, text: &str) -> Vec<TokenId> {
        let mut tokens: Vec<TokenId> = self.start.into_iter().collect();
        self.encode_into(text, &mut tokens);
        tokens
    }

    /// Appends the tokens of `text`.
    ///
    /// User-defined pieces (runs of newlines, tabs and spaces, HTML tags) are cut out first, longest
    /// first from the left; what lies between is merged by score. Control pieces are not looked
    /// for: text that spells `<eos>` is text, so that nobody can forge a control token.
    pub(crate) fn encode_into(&self, text: &str, tokens: &mut Vec<TokenId>) {
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

    /// Appends the bytes that `token` stands for: nothing for a control token. They need not be
    /// whole characters: see [`Detokenizer`].
    pub(crate) fn decode_into(&self, token: TokenId, bytes: &mut Vec<u8>) {
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
            Kind::Control => {}
        }
    }
}

#[cfg(test)]
mod tests;
