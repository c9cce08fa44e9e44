//! Weight matrices that have the same input, multiplied with it together.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use skinflint_kernels::{Lead, PackedMatrix, Precision, add_bias, multiply};

use super::ops::contiguous;

/// `y = x · Wᵀ (+ b)` with one matrix or several, whose results stand side by side.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    parts: Vec<Arc<PackedMatrix>>,
    precision: Precision,
    bias: Option<Vec<f32>>,
}

impl Linear {
    /// Without a bias.
    pub(crate) fn new(precision: Precision, parts: Vec<Arc<PackedMatrix>>) -> Self {
        Self {
            parts,
            precision,
            bias: None,
        }
    }

    /// With a value that is added to each column of the result, if there is one.
    pub(crate) fn with_bias(self, bias: Option<Vec<f32>>) -> Self {
        Self { bias, ..self }
    }

    /// Columns of the result.
    pub(crate) fn width(&self) -> usize {
        self.parts.iter().map(|part| part.rows()).sum()
    }

    /// (rows, in) to (rows, out).
    pub(crate) fn forward(&self, lead: &Lead<'_>, rows: &Tensor) -> Result<Tensor> {
        rows.apply_op1_no_bwd(&Product { lead, linear: self })
    }
}

struct Product<'a> {
    lead: &'a Lead<'a>,
    linear: &'a Linear,
}

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "packed-linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout)?;
        let (rows, columns) = layout.shape().dims2()?;
        let weights: Vec<&PackedMatrix> = self.linear.parts.iter().map(Arc::as_ref).collect();
        if weights.iter().any(|weight| weight.columns() != columns) {
            candle_core::bail!("a product of rows of {columns} with {weights:?}");
        }
        let width = self.linear.width();
        let mut out = vec![0.0; rows * width];
        multiply(self.lead, self.linear.precision, x, &weights, &mut out);
        if let Some(bias) = &self.linear.bias {
            add_bias(self.lead, &mut out, bias);
        }
        Ok((CpuStorage::F32(out), Shape::from((rows, width))))
    }
}
