//! The forward pass of all decoder families: [`Decoder`].
//!
//! They are one network with switches (see [`Shape`] and `Architecture`): normalise, attend, add,
//! normalise, feed forward, add. The rows of all chunks of a step go through the products together;
//! only attention tells them apart.

mod attention;
mod layer;

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use skinflint_kernels::{Lead, PackedMatrix};

use self::layer::{Layer, Reader};
use super::architecture::{Naming, Part};
use super::kv::{KvCache, LayerShape};
use super::linear::Linear;
use super::ops::{Norm, add, gated};
use super::rope::Angles;
use super::shape::Shape;
use super::{Chunk, Compute, Model, Rows};
use crate::checkpoint::Checkpoint;
use crate::error::LoadFault;

/// A decoder's weights, and how to run them.
pub(crate) struct Decoder {
    shape: Shape,
    embedding: Arc<PackedMatrix>,
    layers: Vec<Layer>,
    output_norm: Norm,
    head: Linear,
}

/// The angles of a step's rows.
struct StepAngles {
    global: Angles,
    local: Angles,
}

impl Decoder {
    /// Reads the weights; they stay as they are in the file, in another order.
    pub(crate) fn load(
        compute: Compute<'_>,
        shape: Shape,
        naming: Naming,
        checkpoint: &mut dyn Checkpoint,
    ) -> std::result::Result<Self, LoadFault> {
        let (vocabulary, width) = (shape.vocabulary, shape.width);
        let mut reader = Reader {
            compute,
            shape: &shape,
            naming,
            checkpoint,
        };
        let embedding = Arc::new(reader.matrix(Part::Embedding, 0, vocabulary, width)?);
        let head = if reader.has(Part::Head) {
            Arc::new(reader.matrix(Part::Head, 0, vocabulary, width)?)
        } else {
            Arc::clone(&embedding)
        };
        let layers = (0..shape.windows.len())
            .map(|index| Layer::load(&mut reader, index))
            .collect::<std::result::Result<_, _>>()?;
        Ok(Self {
            output_norm: reader.norm(Part::OutputNorm, 0, width)?,
            embedding,
            layers,
            head: Linear::new(compute.precision, vec![head]),
            shape,
        })
    }

    fn layer_shapes(&self) -> impl Iterator<Item = LayerShape> {
        self.shape.windows.iter().map(|&window| LayerShape {
            window,
            heads: self.shape.key_heads,
            head_dim: self.shape.head_dim,
        })
    }

    /// The embedding rows of all chunks' tokens, (tokens, width).
    fn embed(&self, chunks: &[Chunk<'_>]) -> Result<Tensor> {
        let width = self.shape.width;
        let tokens: usize = chunks.iter().map(|chunk| chunk.tokens.len()).sum();
        let mut states = vec![0.0; tokens * width];
        let all = chunks.iter().flat_map(|chunk| chunk.tokens);
        for (&token, row) in all.zip(states.chunks_exact_mut(width)) {
            let token = token as usize;
            if token >= self.shape.vocabulary {
                candle_core::bail!("token {token} of a vocabulary of {}", self.shape.vocabulary);
            }
            self.embedding.read_row(token, row);
        }
        let scale = self.shape.embedding_scale;
        for value in &mut states {
            *value *= scale;
        }
        Tensor::from_vec(states, (tokens, width), &Device::Cpu)
    }

    fn angles(&self, chunks: &[Chunk<'_>]) -> StepAngles {
        let mut angles = StepAngles {
            global: Angles::default(),
            local: Angles::default(),
        };
        let has_windows = self.shape.windows.iter().any(Option::is_some);
        for chunk in chunks {
            let (first, count) = (chunk.cache.position(), chunk.tokens.len());
            self.shape
                .global_rope
                .append(first, count, &mut angles.global);
            if has_windows {
                self.shape
                    .local_rope
                    .append(first, count, &mut angles.local);
            }
        }
        angles
    }
}

impl Model for Decoder {
    fn context_length(&self) -> u32 {
        self.shape.context_length
    }

    fn cache(&self) -> KvCache {
        KvCache::new(self.layer_shapes())
    }

    fn cache_bytes(&self, positions: usize) -> usize {
        KvCache::bytes_for(self.layer_shapes(), positions)
    }

    fn cache_bytes_keeping_all(&self, positions: usize) -> usize {
        let without_window = |layer: LayerShape| LayerShape {
            window: None,
            ..layer
        };
        KvCache::bytes_for(self.layer_shapes().map(without_window), positions)
    }

    fn hidden(&self, lead: &Lead<'_>, chunks: &mut [Chunk<'_>]) -> Result<Tensor> {
        let states = self.embed(chunks)?;
        let angles = self.angles(chunks);
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = layer.attention_norm.forward(lead, &states)?;
            let mixed = layer.attend(lead, &self.shape, &normed, &angles, index, chunks)?;
            add(lead, &states, &mixed, layer.post_attention_norm.as_ref())?;
            let normed = layer.feed_forward_norm.forward(lead, &states)?;
            let inner = layer.gate_up.forward(lead, &normed)?;
            let inner = gated(lead, self.shape.activation, &inner)?;
            let fed = layer.down.forward(lead, &inner)?;
            add(lead, &states, &fed, layer.post_feed_forward_norm.as_ref())?;
        }
        for chunk in &mut *chunks {
            chunk.cache.advance(chunk.tokens.len());
        }
        self.output_norm.forward(lead, &wanted(&states, chunks)?)
    }

    fn logits(&self, lead: &Lead<'_>, hidden: &Tensor) -> Result<Tensor> {
        self.head.forward(lead, hidden)
    }
}

/// The rows that chunks ask for.
fn wanted(states: &Tensor, chunks: &[Chunk<'_>]) -> Result<Tensor> {
    let mut rows: Vec<u32> = Vec::new();
    let mut next = 0;
    for chunk in chunks {
        let count = u32::try_from(chunk.tokens.len()).map_err(candle_core::Error::wrap)?;
        let from = match chunk.rows {
            Rows::None => next + count,
            Rows::Last => next + count - 1,
            Rows::All => next,
        };
        next += count;
        rows.extend(from..next);
    }
    if rows.len() == states.dim(0)? {
        return Ok(states.clone());
    }
    if rows.is_empty() {
        return states.narrow(0, 0, 0);
    }
    states.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)
}

#[cfg(test)]
mod tests;
