//! The forms as they look, what holds of any text, and what is saved on texts of our own.

mod forms;
mod kinds;
mod properties;
pub(crate) mod samples;
mod savings;

use skinflint_tokens::{Counter, Encoding};

/// Tokens by OpenAI's o200k.
pub(crate) fn o200k(text: &str) -> usize {
    let count = Counter::new(0).text(&Encoding::O200k, text);
    usize::try_from(count.tokens).unwrap()
}

/// Something like tokens, quickly: a word, a number of up to three digits, or a mark each.
pub(crate) fn rough(text: &str) -> usize {
    let mut tokens = 0;
    let mut word = 0;
    for symbol in text.chars() {
        if symbol.is_alphanumeric() {
            tokens += usize::from(word % 4 == 0);
            word += 1;
        } else {
            tokens += usize::from(symbol != ' ');
            word = 0;
        }
    }
    tokens
}
