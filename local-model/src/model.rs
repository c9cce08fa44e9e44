//! The seam between the engine and an architecture: [`Model`].

pub(crate) mod architecture;
pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod kv;
pub(crate) mod linear;
pub(crate) mod ops;
pub(crate) mod rope;
pub(crate) mod shape;

use candle_core::{Result, Tensor};
use skinflint_kernels::{Lead, Precision, Team};

use kv::KvCache;

/// What a decoder computes with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compute<'a> {
    /// The threads that bring the weights into order.
    pub(crate) team: &'a Team,
    /// To how many bits activations are rounded.
    pub(crate) precision: Precision,
}

/// A decoder's forward pass. Weights are never written after loading; all that belongs to one
/// sequence lies in its [`KvCache`].
pub(crate) trait Model: Send + Sync {
    /// Positions that the weights were trained for.
    fn context_length(&self) -> u32;

    /// An empty cache.
    fn cache(&self) -> KvCache;

    /// The most bytes that a cache of so many positions takes.
    fn cache_bytes(&self, positions: usize) -> usize;

    /// The same of one that lets nothing go behind sliding windows.
    fn cache_bytes_keeping_all(&self, positions: usize) -> usize;

    /// Reads the next tokens of several sequences in one step: every weight is fetched once for all
    /// of them. Returns the final hidden states that the chunks ask for, (rows, width), in the order
    /// of the chunks. What a sequence gets does not depend on the others, bit for bit.
    fn hidden(&self, lead: &Lead<'_>, chunks: &mut [Chunk<'_>]) -> Result<Tensor>;

    /// Logits, (rows, vocabulary), of hidden states.
    fn logits(&self, lead: &Lead<'_>, hidden: &Tensor) -> Result<Tensor>;
}

/// The next tokens of one sequence, at least one.
pub(crate) struct Chunk<'a> {
    /// They follow those in `cache`.
    pub(crate) tokens: &'a [u32],
    /// What the sequence has read so far; the tokens are added.
    pub(crate) cache: &'a mut KvCache,
    /// Whose hidden states are wanted.
    pub(crate) rows: Rows,
}

/// Tokens of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// None: there is more of the prompt to come.
    None,
    /// The last one, after which a token is to be chosen.
    Last,
    /// All of them, to score the text.
    All,
}
