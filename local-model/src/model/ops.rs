//! Operations on candle's tensors, computed by this crate's kernels.

use candle_core::{CpuStorage, CustomOp1, InplaceOp1, InplaceOp2, Layout, Result, Shape, Tensor};
use skinflint_kernels::{self as kernels, Activation, Lead};

/// The values of a contiguous tensor in single precision.
pub(super) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("a tensor that is not contiguous"),
    }
}

/// As [`contiguous`], to write.
pub(super) fn contiguous_mut<'a>(
    storage: &'a mut CpuStorage,
    layout: &Layout,
) -> Result<&'a mut [f32]> {
    match (layout.contiguous_offsets(), storage) {
        (Some((start, end)), CpuStorage::F32(values)) => Ok(&mut values[start..end]),
        _ => candle_core::bail!("a tensor that is not contiguous, or not of f32"),
    }
}

/// A normalisation over the last dimension.
#[derive(Debug, Clone)]
pub(crate) enum Norm {
    /// By the root mean square.
    Rms {
        /// What the normalised values are multiplied by.
        weight: Vec<f32>,
        /// Added to the mean square.
        epsilon: f32,
    },
    /// By mean and variance.
    Layer {
        /// What the normalised values are multiplied by.
        weight: Vec<f32>,
        /// What is added then.
        bias: Option<Vec<f32>>,
        /// Added to the variance.
        epsilon: f32,
    },
}

impl Norm {
    /// Rows, normalised.
    pub(crate) fn forward(&self, lead: &Lead<'_>, rows: &Tensor) -> Result<Tensor> {
        rows.apply_op1_no_bwd(&Map {
            name: "norm",
            forward: |x: &[f32], shape: &Shape| {
                let mut out = vec![0.0; x.len()];
                match self {
                    Self::Rms { weight, epsilon } => {
                        kernels::rms_norm(lead, x, weight, *epsilon, &mut out);
                    }
                    Self::Layer {
                        weight,
                        bias,
                        epsilon,
                    } => kernels::layer_norm(lead, x, weight, bias.as_deref(), *epsilon, &mut out),
                }
                Ok((out, shape.clone()))
            },
        })
    }
}

/// `states += x`, with `x` normalised before where there is a norm.
pub(crate) fn add(lead: &Lead<'_>, states: &Tensor, x: &Tensor, norm: Option<&Norm>) -> Result<()> {
    let norm = match norm {
        None => None,
        Some(Norm::Rms { weight, epsilon }) => Some((weight.as_slice(), *epsilon)),
        Some(Norm::Layer { .. }) => candle_core::bail!("a sum with a layer norm"),
    };
    states.inplace_op2(x, &Add { lead, norm })
}

/// A gated linear unit over rows of gate and up, side by side: (rows, 2 · n) to (rows, n).
pub(crate) fn gated(lead: &Lead<'_>, activation: Activation, rows: &Tensor) -> Result<Tensor> {
    rows.apply_op1_no_bwd(&Map {
        name: "gated",
        forward: |x: &[f32], shape: &Shape| {
            let (rows, both) = shape.dims2()?;
            let width = both / 2;
            let mut out = vec![0.0; rows * width];
            kernels::gated(lead, activation, x, width, &mut out);
            Ok((out, Shape::from((rows, width))))
        },
    })
}

/// An activation, value by value, in place.
pub(crate) fn activate(lead: &Lead<'_>, activation: Activation, rows: &Tensor) -> Result<()> {
    rows.inplace_op1(&Activate { lead, activation })
}

/// A tensor made from another one.
struct Map<F> {
    name: &'static str,
    forward: F,
}

impl<F: Fn(&[f32], &Shape) -> Result<(Vec<f32>, Shape)>> CustomOp1 for Map<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (out, shape) = (self.forward)(contiguous(storage, layout)?, layout.shape())?;
        Ok((CpuStorage::F32(out), shape))
    }
}

struct Add<'a> {
    lead: &'a Lead<'a>,
    norm: Option<(&'a [f32], f32)>,
}

impl InplaceOp2 for Add<'_> {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        states: &mut CpuStorage,
        states_layout: &Layout,
        x: &CpuStorage,
        layout: &Layout,
    ) -> Result<()> {
        let (_, width) = layout.shape().dims2()?;
        let x = contiguous(x, layout)?;
        let states = contiguous_mut(states, states_layout)?;
        kernels::add(self.lead, states, x, width, self.norm);
        Ok(())
    }
}

struct Activate<'a> {
    lead: &'a Lead<'a>,
    activation: Activation,
}

impl InplaceOp1 for Activate<'_> {
    fn name(&self) -> &'static str {
        "activate"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (_, width) = layout.shape().dims2()?;
        let x = contiguous_mut(storage, layout)?;
        kernels::activate(self.lead, self.activation, x, width);
        Ok(())
    }
}
