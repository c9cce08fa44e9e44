//! Attention of one layer: each text attends to itself.

use candle_core::{CpuStorage, CustomOp1, InplaceOp1, Layout as TensorLayout, Result, Tensor};
use skinflint_kernels::{
    self as kernels, Heads, KeyValues, Layout, Lead, Pairing, Queries, Rotation, attend,
};

use super::layer::Layer;
use super::{EncoderShape, StepAngles};
use crate::model::ops::{contiguous, contiguous_mut};
use crate::model::rope::Angles;

impl Layer {
    /// The layer's attention over `normed`, (tokens of all texts, width). The second of `step` is
    /// room for the keys and values of each text.
    pub(super) fn attend(
        &self,
        lead: &Lead<'_>,
        shape: &EncoderShape,
        normed: &Tensor,
        angles: &StepAngles,
        index: usize,
        step: (&[&[u32]], &mut [KeyValues<f32>]),
    ) -> Result<Tensor> {
        let (texts, sequences) = step;
        let mask = shape.mask(index);
        let rows = self.query_key_value.forward(lead, normed)?;
        let angles = if mask == kernels::Mask::Full {
            &angles.global
        } else {
            &angles.local
        };
        rows.inplace_op1(&Prepare {
            lead,
            shape,
            angles: shape.ropes.is_some().then_some(angles),
        })?;
        remember(shape, &rows, texts, sequences)?;
        let mixed = rows.apply_op1_no_bwd(&Attend {
            lead,
            shape,
            mask,
            texts,
            sequences,
        })?;
        self.output.forward(lead, &mixed)
    }
}

/// Puts the rows' keys and values where the texts attend to them, in place of the last layer's.
fn remember(
    shape: &EncoderShape,
    rows: &Tensor,
    texts: &[&[u32]],
    sequences: &mut [KeyValues<f32>],
) -> Result<()> {
    let width = shape.width;
    let (storage, layout) = rows.storage_and_layout();
    let candle_core::Storage::Cpu(storage) = &*storage else {
        candle_core::bail!("keys and values that are not in main memory");
    };
    let mut rest = contiguous(storage, layout)?;
    for (text, sequence) in texts.iter().zip(sequences) {
        let (own, others) = rest.split_at(text.len() * 3 * width);
        sequence.restart();
        sequence.append(own, 3 * width, width, 2 * width);
        rest = others;
    }
    Ok(())
}

/// Rotates where the family does, and scales queries.
struct Prepare<'a> {
    lead: &'a Lead<'a>,
    shape: &'a EncoderShape,
    angles: Option<&'a Angles>,
}

impl InplaceOp1 for Prepare<'_> {
    fn name(&self) -> &'static str {
        "prepare"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &TensorLayout) -> Result<()> {
        let (width, head_dim) = (self.shape.width, self.shape.head_dim());
        #[expect(clippy::cast_precision_loss, reason = "head dimensions are small")]
        let scale = (head_dim as f32).sqrt().recip();
        let rows = contiguous_mut(storage, layout)?;
        let Some(angles) = self.angles else {
            for row in rows.chunks_exact_mut(3 * width) {
                row[..width].iter_mut().for_each(|value| *value *= scale);
            }
            return Ok(());
        };
        let heads = |first: usize, scale: f32| Heads {
            first,
            count: self.shape.heads,
            norm: None,
            scale,
        };
        let rotation = Rotation {
            stride: 3 * width,
            head_dim,
            pairing: Pairing::Halves,
            epsilon: 0.0,
            cos: &angles.cos,
            sin: &angles.sin,
        };
        kernels::rotate(
            self.lead,
            rotation,
            &[heads(0, scale), heads(width, 1.0)],
            rows,
        );
        Ok(())
    }
}

struct Attend<'a> {
    lead: &'a Lead<'a>,
    shape: &'a EncoderShape,
    mask: kernels::Mask,
    texts: &'a [&'a [u32]],
    sequences: &'a [KeyValues<f32>],
}

impl CustomOp1 for Attend<'_> {
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
        let queries = Layout {
            heads: self.shape.heads,
            head_dim: self.shape.head_dim(),
            stride,
            mask: self.mask,
        };
        let sequences: Vec<Queries<'_, f32>> = self
            .texts
            .iter()
            .zip(self.sequences)
            .map(|(text, key_values)| Queries {
                key_values,
                count: text.len(),
            })
            .collect();
        let mut out = vec![0.0; count * self.shape.width];
        attend(self.lead, queries, &sequences, rows, &mut out);
        let shape = candle_core::Shape::from((count, self.shape.width));
        Ok((CpuStorage::F32(out), shape))
    }
}
