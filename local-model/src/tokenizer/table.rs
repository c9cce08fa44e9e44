//! What each token stands for, packed: a quarter of a million short strings in one buffer.

use super::TokenId;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Stands for bytes of text.
    Text,
    /// Never part of text.
    Special,
    /// No token has this number.
    Absent,
}

/// The bytes of every token; those of a special one are its spelling.
pub(super) struct Table {
    bytes: Vec<u8>,
    /// Where each token ends in `bytes`.
    ends: Vec<usize>,
    uses: Vec<Use>,
}

impl Table {
    pub(super) fn with_capacity(tokens: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(tokens * 8),
            ends: Vec::with_capacity(tokens),
            uses: Vec::with_capacity(tokens),
        }
    }

    /// Adds the next token.
    pub(super) fn push(&mut self, bytes: &[u8], used: Use) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
        self.uses.push(used);
    }

    pub(super) fn size(&self) -> usize {
        self.ends.len()
    }

    /// [`Use::Absent`] for a token that is not in the vocabulary.
    pub(super) fn used(&self, id: TokenId) -> Use {
        self.uses.get(id as usize).copied().unwrap_or(Use::Absent)
    }

    /// Empty for a token that is not in the vocabulary.
    pub(super) fn bytes(&self, id: TokenId) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else {
            return &[];
        };
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..end]
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
