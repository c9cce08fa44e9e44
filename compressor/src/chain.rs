//! The identity of a block in its conversation: [`ChainHash`].

/// Names a block by everything that stands before it: a BLAKE3 hash over the scope (a tenant) and all
/// blocks up to and including this one. Two conversations share it only as long as they are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainHash([u8; 32]);

impl ChainHash {
    /// The empty conversation of a scope.
    pub fn start(scope: &str) -> Self {
        const CONTEXT: &str = "skinflint 2026-11 conversation chain";
        Self(blake3::derive_key(CONTEXT, scope.as_bytes()))
    }

    /// The conversation with one more block, given in parts: who speaks, what kind it is, its bytes.
    /// Parts are told apart by their lengths.
    #[must_use]
    pub fn followed_by(&self, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The hash itself.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A hash that was kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_order_and_borders_of_parts_count() {
        let start = ChainHash::start("acme");
        let both = start.followed_by(&[b"a", b"bc"]);
        assert_eq!(both, start.followed_by(&[b"a", b"bc"]));
        assert_ne!(both, start.followed_by(&[b"ab", b"c"]));
        assert_ne!(both, start.followed_by(&[b"bc", b"a"]));
        assert_ne!(both, start.followed_by(&[b"a"]).followed_by(&[b"bc"]));
        assert_ne!(both, ChainHash::start("other").followed_by(&[b"a", b"bc"]));
    }
}
