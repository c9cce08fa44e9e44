//! What a count is worth.

use std::ops::AddAssign;

/// How a number of tokens relates to what the provider will find. Later variants are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// The provider's own tokenizer and its documented framing.
    Exact,
    /// Not fewer than the provider will find, by the rules in the crate's documentation.
    UpperBound,
    /// A bound on what the request holds, but the provider may add to it: it runs a tool on offer and
    /// bills what that brings back as input.
    Growing,
    /// The request names content that the provider keeps; only what it carries itself is counted.
    Unknown,
}

/// A number of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Count {
    /// The tokens.
    pub tokens: u64,
    /// What the number is worth.
    pub certainty: Certainty,
}

impl Count {
    pub(crate) const NONE: Self = Self::exact(0);

    pub(crate) const fn exact(tokens: u64) -> Self {
        Self {
            tokens,
            certainty: Certainty::Exact,
        }
    }

    pub(crate) const fn at_most(tokens: u64) -> Self {
        Self {
            tokens,
            certainty: Certainty::UpperBound,
        }
    }

    /// Lowers what the certainty claims.
    pub(crate) fn weaken(&mut self, certainty: Certainty) {
        self.certainty = self.certainty.max(certainty);
    }
}

/// A sum is worth what its worst part is. It saturates, as no model reads so much.
impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.weaken(other.certainty);
    }
}

/// A length in memory as tokens, at one token a byte.
pub(crate) fn tokens(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
