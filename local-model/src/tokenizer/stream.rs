//! Tokens to text as they come, whole characters only.

use super::{TokenId, Tokenizer};

/// Turns a stream of tokens into text. Bytes of a character that is not complete yet are kept back;
/// bytes that can never become one come out as U+FFFD.
#[derive(Debug, Default)]
pub(crate) struct Detokenizer {
    pending: Vec<u8>,
}

impl Detokenizer {
    /// The text that `token` completes; often empty.
    pub(crate) fn push(&mut self, tokenizer: &Tokenizer, token: TokenId) -> String {
        tokenizer.decode_into(token, &mut self.pending);
        let complete = self.pending.len() - incomplete_tail(&self.pending);
        let text = String::from_utf8_lossy(&self.pending[..complete]).into_owned();
        self.pending.drain(..complete);
        text
    }

    /// What is left when no token follows: U+FFFD where a character was cut short.
    pub(crate) fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

/// How many bytes at the end may still become a character.
fn incomplete_tail(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => 0,
        Err(_) => bytes
            .utf8_chunks()
            .last()
            .map(|chunk| chunk.invalid())
            .filter(|invalid| may_continue(invalid))
            .map_or(0, <[u8]>::len),
    }
}

/// Whether these invalid bytes at the end of a text are the start of a character.
fn may_continue(invalid: &[u8]) -> bool {
    // An incomplete character is what `from_utf8` reports without an error length.
    matches!(std::str::from_utf8(invalid), Err(error) if error.error_len().is_none())
}
