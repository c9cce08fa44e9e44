//! Text for encoders (BERT, XLM-R, `ModernBERT`), by a `tokenizer.json`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokenizers::Tokenizer;

use super::{TokenId, json};
use crate::error::LoadFault;

/// Encodes texts as their encoder was trained to read them. Text that spells a special token is
/// text.
#[derive(Debug)]
pub(crate) struct TextEncoder {
    tokenizer: Tokenizer,
    /// The highest token and one.
    size: usize,
    path: PathBuf,
}

/// A text's tokens, with those that the encoder wants around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EncodedText {
    /// The tokens.
    pub(crate) ids: Vec<TokenId>,
    /// Where each token's text is, in bytes of the text as it was given; empty ranges for special
    /// ones. Tokens that share a character all have the whole of it.
    pub(crate) offsets: Vec<Range<usize>>,
    /// Whether the encoder wants the token there, and the text has nothing of it.
    pub(crate) special: Vec<bool>,
    /// Tokens that were cut off at the end.
    pub(crate) cut: usize,
}

/// A text that cannot be encoded.
#[derive(Debug, Error)]
#[error("{path} has no tokens for the text: {reason}", path = path.display())]
pub struct EncodeError {
    path: PathBuf,
    reason: String,
}

impl TextEncoder {
    /// Reads a `tokenizer.json`. Its own settings for truncation and padding are put aside.
    pub(crate) fn load(tokenizer_json: &Path) -> Result<Self, LoadFault> {
        let file = std::fs::read(tokenizer_json).map_err(|source| LoadFault::Read {
            path: tokenizer_json.to_path_buf(),
            source,
        })?;
        let tokenizer = json::parse(tokenizer_json, &file)?;
        let highest = tokenizer.get_vocab(true).into_values().max();
        Ok(Self {
            size: highest.map_or(0, |id| id as usize + 1),
            tokenizer,
            path: tokenizer_json.to_path_buf(),
        })
    }

    /// Refuses a vocabulary that has tokens beyond the embedding table's rows.
    pub(crate) fn check_rows(&self, rows: usize) -> Result<(), LoadFault> {
        super::check_rows(self.size, rows)
    }

    /// The tokens of `text`, at most `max_tokens` of them with the special ones; these are never
    /// cut.
    pub(crate) fn encode(&self, text: &str, max_tokens: usize) -> Result<EncodedText, EncodeError> {
        let encoding = self
            .tokenizer
            .encode(text, true)
            .map_err(|error| EncodeError {
                path: self.path.clone(),
                reason: error.to_string(),
            })?;
        let mask = encoding.get_special_tokens_mask();
        let body = mask.iter().filter(|&&special| special == 0).count();
        let room = max_tokens.saturating_sub(mask.len() - body);
        let mut encoded = EncodedText {
            ids: Vec::with_capacity(mask.len().min(max_tokens)),
            offsets: Vec::new(),
            special: Vec::new(),
            cut: body.saturating_sub(room),
        };
        let mut taken = 0;
        for ((&id, &(start, end)), &special) in encoding
            .get_ids()
            .iter()
            .zip(encoding.get_offsets())
            .zip(mask)
        {
            let special = special != 0;
            if !special {
                taken += 1;
                if taken > room {
                    continue;
                }
            }
            encoded.ids.push(id);
            encoded
                .offsets
                .push(if special { 0..0 } else { start..end });
            encoded.special.push(special);
        }
        Ok(encoded)
    }
}

#[cfg(test)]
pub(crate) mod tests;
