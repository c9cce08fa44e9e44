//! What came out: [`ProseResult`].

use skinflint_compressor::lingua::Kept;

/// Texts with words left out, and what that saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProseResult {
    /// Instruction, contexts and question, what is empty left out, with an empty line between.
    pub text: String,
    /// The contexts that are in it, in its order.
    pub contexts: Vec<KeptContext>,
    /// Tokens of all that came, by o200k.
    pub origin_tokens: usize,
    /// Tokens of the text.
    pub compressed_tokens: usize,
}

/// What is left of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptContext {
    /// Which context it is, counted from 0.
    pub index: usize,
    /// What is kept of it.
    pub text: String,
    /// Where that is in the context, in bytes.
    pub kept: Kept,
}

impl ProseResult {
    /// How many times fewer tokens there are, as `LLMLingua` writes it: `2.3x`.
    pub fn ratio(&self) -> String {
        format!(
            "{:.1}x",
            quotient(self.origin_tokens, self.compressed_tokens)
        )
    }

    /// The share of tokens that is left, as `LLMLingua` writes it: `43.0%`.
    pub fn rate(&self) -> String {
        let share = quotient(self.compressed_tokens, self.origin_tokens);
        format!("{:.1}%", 100.0 * share)
    }

    /// Tokens that are not sent.
    pub fn saved_tokens(&self) -> usize {
        self.origin_tokens.saturating_sub(self.compressed_tokens)
    }

    /// What that saves at this price for a million tokens, as `LLMLingua` writes it: `Saving $0.12`.
    pub fn saving(&self, usd_per_million: f64) -> String {
        let saved = real(self.saved_tokens()) * usd_per_million / 1e6;
        format!("Saving ${saved:.2}")
    }
}

/// One where there is nothing on either side.
fn quotient(tokens: usize, by: usize) -> f64 {
    if tokens == by {
        return 1.0;
    }
    real(tokens) / real(by).max(1.0)
}

/// A count as a real number.
pub(crate) fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
