//! Rotary position embedding (Su et al., 2021), in the half-split layout.

use candle_core::{Device, Result, Tensor};

/// The rotation frequencies of one kind of layer.
#[derive(Debug, Clone)]
pub(crate) struct Rope {
    /// Radians per position, one per pair of dimensions.
    frequencies: Vec<f64>,
}

/// Cosines and sines for a run of positions, each (positions, `head_dim` / 2).
pub(crate) struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// `base` is the wavelength base, `scale` divides positions (linear context extension).
    pub(crate) fn new(head_dim: usize, base: f32, scale: f32) -> Self {
        let frequencies = (0..head_dim / 2)
            .map(|pair| {
                #[expect(clippy::cast_precision_loss, reason = "head dimensions are small")]
                let exponent = (2 * pair) as f64 / head_dim as f64;
                1.0 / (f64::from(base).powf(exponent) * f64::from(scale))
            })
            .collect();
        Self { frequencies }
    }

    /// The rotation of `count` positions from `first` on. Tables are made per call: for a whole
    /// context they would outweigh the model.
    pub(crate) fn rotation(&self, first: usize, count: usize) -> Result<Rotation> {
        let size = count * self.frequencies.len();
        let mut cos = Vec::with_capacity(size);
        let mut sin = Vec::with_capacity(size);
        for position in first..first + count {
            for frequency in &self.frequencies {
                #[expect(clippy::cast_precision_loss, reason = "positions are far below 2^52")]
                let angle = position as f64 * frequency;
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "computed in f64, used in f32"
                )]
                {
                    cos.push(angle.cos() as f32);
                    sin.push(angle.sin() as f32);
                }
            }
        }
        let shape = (count, self.frequencies.len());
        Ok(Rotation {
            cos: Tensor::from_vec(cos, shape, &Device::Cpu)?,
            sin: Tensor::from_vec(sin, shape, &Device::Cpu)?,
        })
    }
}

impl Rotation {
    /// Rotates (heads, positions, `head_dim`).
    pub(crate) fn apply(&self, heads: &Tensor) -> Result<Tensor> {
        let batched = heads.contiguous()?.unsqueeze(0)?;
        candle_nn::rotary_emb::rope(&batched, &self.cos, &self.sin)?.squeeze(0)
    }
}
