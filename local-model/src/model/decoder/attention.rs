//! Attention of one layer: each chunk attends to its own sequence.

use candle_core::{CpuStorage, CustomOp1, InplaceOp1, Layout as TensorLayout, Result, Tensor};
use skinflint_kernels::{self as kernels, Heads, Layout, Lead, Mask, Queries, Rotation, attend};

use super::StepAngles;
use super::layer::Layer;
use crate::model::Chunk;
use crate::model::ops::{contiguous, contiguous_mut};
use crate::model::rope::Angles;
use crate::model::shape::Shape;

impl Layer {
    /// The layer's attention over `normed`, (rows of all chunks, width), to (rows, width). Keys and
    /// values are added to the chunks' caches.
    pub(super) fn attend(
        &self,
        lead: &Lead<'_>,
        shape: &Shape,
        normed: &Tensor,
        angles: &StepAngles,
        index: usize,
        chunks: &mut [Chunk<'_>],
    ) -> Result<Tensor> {
        let window = shape.windows[index];
        let rows = self.query_key_value.forward(lead, normed)?;
        rows.inplace_op1(&Rotate {
            lead,
            shape,
            layer: self,
            angles: if window.is_some() {
                &angles.local
            } else {
                &angles.global
            },
        })?;
        remember(shape, &rows, index, chunks)?;
        let mixed = rows.apply_op1_no_bwd(&Attend {
            lead,
            shape,
            mask: window.map_or(Mask::Causal, Mask::Window),
            index,
            chunks,
        })?;
        self.output.forward(lead, &mixed)
    }
}

/// Values of a row of queries, keys and values; and where keys and values begin.
fn columns(shape: &Shape) -> (usize, usize, usize) {
    let keys = shape.heads * shape.head_dim;
    let values = keys + shape.key_heads * shape.head_dim;
    (values + shape.key_heads * shape.head_dim, keys, values)
}

/// Appends the rows' keys and values to their sequences.
fn remember(shape: &Shape, rows: &Tensor, index: usize, chunks: &mut [Chunk<'_>]) -> Result<()> {
    let (stride, keys, values) = columns(shape);
    let (storage, layout) = rows.storage_and_layout();
    let candle_core::Storage::Cpu(storage) = &*storage else {
        candle_core::bail!("keys and values that are not in main memory");
    };
    let mut rest = contiguous(storage, layout)?;
    for chunk in chunks {
        let (own, others) = rest.split_at(chunk.tokens.len() * stride);
        chunk
            .cache
            .layer_mut(index)
            .append(own, stride, keys, values);
        rest = others;
    }
    Ok(())
}

struct Rotate<'a> {
    lead: &'a Lead<'a>,
    shape: &'a Shape,
    layer: &'a Layer,
    angles: &'a Angles,
}

impl InplaceOp1 for Rotate<'_> {
    fn name(&self) -> &'static str {
        "rotate"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &TensorLayout) -> Result<()> {
        let (stride, keys, _) = columns(self.shape);
        let norms = self.layer.head_norms.as_ref();
        let heads = [
            Heads {
                first: 0,
                count: self.shape.heads,
                norm: norms.map(|(queries, _)| queries.as_slice()),
                scale: self.shape.query_scale,
            },
            Heads {
                first: keys,
                count: self.shape.key_heads,
                norm: norms.map(|(_, keys)| keys.as_slice()),
                scale: 1.0,
            },
        ];
        let rotation = Rotation {
            stride,
            head_dim: self.shape.head_dim,
            pairing: self.shape.pairing,
            epsilon: self.shape.epsilon,
            cos: &self.angles.cos,
            sin: &self.angles.sin,
        };
        kernels::rotate(
            self.lead,
            rotation,
            &heads,
            contiguous_mut(storage, layout)?,
        );
        Ok(())
    }
}

struct Attend<'a, 'c> {
    lead: &'a Lead<'a>,
    shape: &'a Shape,
    mask: Mask,
    index: usize,
    chunks: &'a [Chunk<'c>],
}

impl CustomOp1 for Attend<'_, '_> {
    fn name(&self) -> &'static str {
        "attend"
    }

    fn cpu_fwd(
        &self,
        storage: &CpuStorage,
        layout: &TensorLayout,
    ) -> Result<(CpuStorage, candle_core::Shape)> {
        let rows = contiguous(storage, layout)?;
        let (count, stride) = layout.shape().dims2()?;
        let width = self.shape.heads * self.shape.head_dim;
        let queries = Layout {
            heads: self.shape.heads,
            head_dim: self.shape.head_dim,
            stride,
            mask: self.mask,
        };
        let sequences: Vec<Queries<'_>> = self
            .chunks
            .iter()
            .map(|chunk| Queries {
                key_values: chunk.cache.layer(self.index),
                count: chunk.tokens.len(),
            })
            .collect();
        let mut out = vec![0.0; count * width];
        attend(self.lead, queries, &sequences, rows, &mut out);
        Ok((
            CpuStorage::F32(out),
            candle_core::Shape::from((count, width)),
        ))
    }
}
