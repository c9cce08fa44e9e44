//! The keys and values of one sequence: allocated ahead, grown in steps, and cut off behind the
//! sliding window.

use candle_core::{Result, Tensor};

/// How many positions a layer's buffers grow by. Each growth copies what is there, so steps that
/// are too small cost time and ones that are too large memory (2 KiB per position and layer for
/// the default model).
const GROWTH: usize = 512;

/// The state of one sequence.
pub(crate) struct KvCache {
    layers: Vec<LayerCache>,
    position: usize,
}

impl KvCache {
    /// One layer per item of `windows`: `Some(n)` if a position sees itself and n - 1 before it.
    pub(crate) fn new(windows: impl Iterator<Item = Option<usize>>, expected: usize) -> Self {
        Self {
            layers: windows
                .map(|window| LayerCache::new(window, expected))
                .collect(),
            position: 0,
        }
    }

    /// Positions that are in the cache, that is the position of the next token.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn layer(&mut self, index: usize) -> &mut LayerCache {
        &mut self.layers[index]
    }

    /// Counts `tokens` as cached, after every layer has appended theirs.
    pub(crate) fn advance(&mut self, tokens: usize) {
        self.position += tokens;
    }
}

/// Keys and values of one layer, each (heads, capacity, `head_dim`).
pub(crate) struct LayerCache {
    window: Option<usize>,
    expected: usize,
    buffers: Option<(Tensor, Tensor)>,
    /// The position that row 0 of the buffers belongs to.
    first: usize,
    /// Rows in use.
    len: usize,
}

impl LayerCache {
    fn new(window: Option<usize>, expected: usize) -> Self {
        Self {
            window,
            expected,
            buffers: None,
            first: 0,
            len: 0,
        }
    }

    /// Adds the keys and values of the next positions, each (heads, positions, `head_dim`).
    pub(crate) fn append(&mut self, keys: &Tensor, values: &Tensor) -> Result<()> {
        let added = keys.dim(1)?;
        let (key_rows, value_rows) = self.room_for(added, keys, values)?;
        key_rows.slice_set(&keys.contiguous()?, 1, self.len)?;
        value_rows.slice_set(&values.contiguous()?, 1, self.len)?;
        self.len += added;
        Ok(())
    }

    /// The keys and values of the positions from `from` up to, not including, `to`.
    pub(crate) fn range(&self, from: usize, to: usize) -> Result<(Tensor, Tensor)> {
        let Some((keys, values)) = &self.buffers else {
            candle_core::bail!("positions {from}..{to} of an empty cache");
        };
        if from < self.first || to > self.first + self.len {
            candle_core::bail!(
                "positions {from}..{to} of a cache that holds {}..{}",
                self.first,
                self.first + self.len
            );
        }
        let start = from - self.first;
        Ok((
            keys.narrow(1, start, to - from)?,
            values.narrow(1, start, to - from)?,
        ))
    }

    /// Buffers with at least `added` free rows after `self.len`.
    fn room_for(
        &mut self,
        added: usize,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let old = match &self.buffers {
            Some((old_keys, old_values)) if self.len + added <= old_keys.dim(1)? => {
                return Ok((old_keys.clone(), old_values.clone()));
            }
            old => old.clone(),
        };
        // No position to come sees further back than the window.
        let kept = self
            .window
            .map_or(self.len, |window| self.len.min(window - 1));
        let wanted = match self.window {
            Some(window) => kept + added.max(window.min(self.expected)),
            None => (kept + added).max(self.expected),
        };
        let capacity = wanted.next_multiple_of(GROWTH);
        let grown = |like: &Tensor, old: Option<&Tensor>| -> Result<Tensor> {
            let (heads, _, head_dim) = like.dims3()?;
            let rows = Tensor::zeros((heads, capacity, head_dim), like.dtype(), like.device())?;
            if let Some(old) = old
                && kept > 0
            {
                let tail = old.narrow(1, self.len - kept, kept)?.contiguous()?;
                rows.slice_set(&tail, 1, 0)?;
            }
            Ok(rows)
        };
        let buffers = (
            grown(keys, old.as_ref().map(|(keys, _)| keys))?,
            grown(values, old.as_ref().map(|(_, values)| values))?,
        );
        self.first += self.len - kept;
        self.len = kept;
        self.buffers = Some(buffers.clone());
        Ok(buffers)
    }
}
