//! What one sequence has been read so far: the keys and values of all layers.

use skinflint_kernels::{Forgotten, KeyValues};

/// The state of one sequence, in half precision.
#[derive(Debug)]
pub(crate) struct KvCache {
    layers: Vec<Layer>,
    position: usize,
    /// Whether positions behind the sliding windows are kept, so that the cache can be cut.
    keeps_all: bool,
}

#[derive(Debug)]
struct Layer {
    /// `Some(n)` if a position sees itself and n - 1 before it.
    window: Option<usize>,
    key_values: KeyValues,
}

/// The keys and values of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LayerShape {
    /// `Some(n)` if a position sees itself and n - 1 before it.
    pub(crate) window: Option<usize>,
    pub(crate) heads: usize,
    pub(crate) head_dim: usize,
}

impl KvCache {
    /// Nothing read yet. What lies behind the sliding windows is let go as reading goes on.
    pub(crate) fn new(layers: impl Iterator<Item = LayerShape>) -> Self {
        let layer = |shape: LayerShape| Layer {
            window: shape.window,
            key_values: KeyValues::new(shape.heads, shape.head_dim),
        };
        Self {
            layers: layers.map(layer).collect(),
            position: 0,
            keeps_all: false,
        }
    }

    /// The same, but all is kept, so that [`KvCache::cut`] can go back anywhere.
    pub(crate) fn keeping_all(self) -> Self {
        Self {
            keeps_all: true,
            ..self
        }
    }

    /// The most bytes that a cache of these layers takes at so many positions.
    pub(crate) fn bytes_for(layers: impl Iterator<Item = LayerShape>, positions: usize) -> usize {
        let bytes = |shape: LayerShape| {
            KeyValues::<half::f16>::bytes_for(shape.heads, shape.head_dim, positions, shape.window)
        };
        layers.map(bytes).sum()
    }

    /// Positions that have been read, that is the position of the next token.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn layer(&self, index: usize) -> &KeyValues {
        &self.layers[index].key_values
    }

    pub(crate) fn layer_mut(&mut self, index: usize) -> &mut KeyValues {
        &mut self.layers[index].key_values
    }

    /// Counts `tokens` as read, after every layer has appended theirs.
    pub(crate) fn advance(&mut self, tokens: usize) {
        self.position += tokens;
        if self.keeps_all {
            return;
        }
        for layer in &mut self.layers {
            if let Some(window) = layer.window {
                let first_seen = (self.position + 1).saturating_sub(window);
                layer.key_values.forget_before(first_seen);
            }
        }
    }

    /// Forgets all from `position` on.
    pub(crate) fn cut(&mut self, position: usize) -> Result<(), Forgotten> {
        if position > self.position {
            return Err(Forgotten { position });
        }
        for layer in &mut self.layers {
            layer.key_values.cut(position)?;
        }
        self.position = position;
        Ok(())
    }
}
