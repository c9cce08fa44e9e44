//! The keys and values that a sequence attends to: [`KeyValues`].

use std::collections::VecDeque;
use std::fmt;

use half::f16;

use crate::float::Element;
use crate::lanes::{LANES, Plain};

/// Positions whose keys and values are kept together; they are allocated and forgotten by blocks.
pub(crate) const BLOCK: usize = 64;

/// What keys and values can be kept as.
pub trait Stored: Element {
    /// The nearest value.
    fn narrow(value: f32) -> Self;
}

impl Stored for f16 {
    fn narrow(value: f32) -> Self {
        Self::from_f32(value)
    }
}

impl Stored for f32 {
    fn narrow(value: f32) -> Self {
        value
    }
}

/// Keys and values of one layer of one sequence, in blocks of 64 positions.
///
/// A block has, for each head, the keys of 16 positions side by side (as the columns of a panel that
/// queries are multiplied with), and the values of 16 dimensions side by side, position after
/// position (a panel that probabilities are multiplied with).
pub struct KeyValues<E = f16> {
    heads: usize,
    head_dim: usize,
    blocks: VecDeque<Block<E>>,
    /// The first block's number, counted from position 0.
    first_block: usize,
    /// The position that comes next.
    end: usize,
}

struct Block<E> {
    /// (heads, 4, `head_dim`, 16).
    keys: Box<[E]>,
    /// (heads, ⌈`head_dim` / 16⌉, 64, 16).
    values: Box<[E]>,
}

/// A position that was forgotten or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// The position.
    pub position: usize,
}

impl fmt::Display for Forgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position {} is not kept", self.position)
    }
}

impl std::error::Error for Forgotten {}

impl<E: Stored> KeyValues<E> {
    /// None yet.
    pub fn new(heads: usize, head_dim: usize) -> Self {
        Self {
            heads,
            head_dim,
            blocks: VecDeque::new(),
            first_block: 0,
            end: 0,
        }
    }

    /// Adds the keys and values of the next positions: `rows` of `stride` values each, in which the
    /// keys of all heads begin at `keys` and the values at `values`.
    ///
    /// # Panics
    ///
    /// Where a row is too short.
    pub fn append(&mut self, rows: &[f32], stride: usize, keys: usize, values: usize) {
        let width = self.heads * self.head_dim;
        for row in rows.chunks_exact(stride) {
            self.append_one(&row[keys..][..width], &row[values..][..width]);
        }
    }

    fn append_one(&mut self, keys: &[f32], values: &[f32]) {
        let (head_dim, place) = (self.head_dim, self.end % BLOCK);
        if self.end / BLOCK >= self.first_block + self.blocks.len() {
            self.blocks.push_back(Block::empty(self.heads, head_dim));
        }
        let block = &mut self.blocks[self.end / BLOCK - self.first_block];
        let (panel, lane) = (place / LANES, place % LANES);
        let panels = BLOCK / LANES;
        for (head, keys) in keys.chunks_exact(head_dim).enumerate() {
            let at = (head * panels + panel) * head_dim * LANES;
            let panel = &mut block.keys[at..][..head_dim * LANES];
            for (out, &key) in panel[lane..].iter_mut().step_by(LANES).zip(keys) {
                *out = E::narrow(key);
            }
        }
        let panels = head_dim.div_ceil(LANES);
        for (head, values) in values.chunks_exact(head_dim).enumerate() {
            for (panel, values) in values.chunks(LANES).enumerate() {
                let at = ((head * panels + panel) * BLOCK + place) * LANES;
                for (out, &value) in block.values[at..].iter_mut().zip(values) {
                    *out = E::narrow(value);
                }
            }
        }
        self.end += 1;
    }

    /// Lets go of positions before `position`, as far as they fill whole blocks.
    pub fn forget_before(&mut self, position: usize) {
        while !self.blocks.is_empty() && (self.first_block + 1) * BLOCK <= position.min(self.end) {
            self.blocks.pop_front();
            self.first_block += 1;
        }
    }

    /// Takes back all positions, and keeps the memory of those that are not forgotten.
    pub fn restart(&mut self) {
        self.end = 0;
        self.first_block = 0;
    }

    /// Takes back all positions from `end` on.
    pub fn cut(&mut self, end: usize) -> Result<(), Forgotten> {
        if end > self.end || end < self.first_block * BLOCK {
            return Err(Forgotten { position: end });
        }
        self.end = end;
        self.blocks.truncate(end.div_ceil(BLOCK) - self.first_block);
        Ok(())
    }

    /// Bytes of one block, which is what memory is taken by.
    pub fn block_bytes(heads: usize, head_dim: usize) -> usize {
        heads * BLOCK * (head_dim + head_dim.next_multiple_of(LANES)) * size_of::<E>()
    }

    /// The most bytes that so many positions take, of which `window` are seen.
    pub fn bytes_for(
        heads: usize,
        head_dim: usize,
        positions: usize,
        window: Option<usize>,
    ) -> usize {
        // A window may begin in the middle of a block, and ends in the middle of one.
        let most = window.map_or(usize::MAX, |window| window.div_ceil(BLOCK) + 1);
        positions.div_ceil(BLOCK).min(most) * Self::block_bytes(heads, head_dim)
    }
}

impl<E: Plain> KeyValues<E> {
    /// Key heads.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// Values of a head.
    pub fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// The position that comes next.
    pub fn end(&self) -> usize {
        self.end
    }

    /// The keys of 16 positions from `position` on, a multiple of 16: (`head_dim`, 16). What lies
    /// behind the last position is zero or from a position that was cut off.
    pub(crate) fn keys(&self, head: usize, position: usize) -> &[E] {
        let block = &self.blocks[position / BLOCK - self.first_block];
        let panel = head * (BLOCK / LANES) + position % BLOCK / LANES;
        let size = self.head_dim * LANES;
        &block.keys[panel * size..][..size]
    }

    /// Sixteen dimensions of the values from `position` to the end of its block: (positions, 16).
    pub(crate) fn values(&self, head: usize, panel: usize, position: usize) -> &[E] {
        let block = &self.blocks[position / BLOCK - self.first_block];
        let panel = head * self.head_dim.div_ceil(LANES) + panel;
        let at = panel * BLOCK * LANES;
        &block.values[at + position % BLOCK * LANES..at + BLOCK * LANES]
    }
}

impl<E: Stored> Block<E> {
    fn empty(heads: usize, head_dim: usize) -> Self {
        let zeros = |count: usize| vec![E::narrow(0.0); count].into_boxed_slice();
        Self {
            keys: zeros(heads * BLOCK * head_dim),
            values: zeros(heads * BLOCK * head_dim.next_multiple_of(LANES)),
        }
    }
}

impl<E> fmt::Debug for KeyValues<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValues")
            .field("heads", &self.heads)
            .field("head_dim", &self.head_dim)
            .field("first", &(self.first_block * BLOCK))
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
