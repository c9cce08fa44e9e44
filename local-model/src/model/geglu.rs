//! `gelu(gate) · up` in one pass, with the tanh approximation of GELU (Hendrycks and Gimpel, 2016)
//! that Gemma was trained with. candle's own runs on one thread and calls `tanh` per element.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// √(2/π)
const GELU_SCALE: f32 = 0.797_884_6;
const GELU_CUBIC: f32 = 0.044_715;

/// Elements per parallel task: enough to be worth handing over, about 20 µs.
const TASK: usize = 4096;

/// `gelu(gate) · up`, element by element, of two contiguous tensors of one shape.
pub(crate) fn geglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.apply_op2_no_bwd(up, &GeGlu)
}

struct GeGlu;

impl CustomOp2 for GeGlu {
    fn name(&self) -> &'static str {
        "geglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if gate_layout.shape() != up_layout.shape() {
            candle_core::bail!(
                "geglu of shapes {:?} and {:?}",
                gate_layout.shape(),
                up_layout.shape()
            );
        }
        let gate = contiguous(gate, gate_layout)?;
        let up = contiguous(up, up_layout)?;
        let mut out = vec![0.0; gate.len()];
        out.par_chunks_mut(TASK)
            .zip(gate.par_chunks(TASK))
            .zip(up.par_chunks(TASK))
            .for_each(|((out, gate), up)| {
                for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                    *out = gelu(gate) * up;
                }
            });
        Ok((CpuStorage::F32(out), gate_layout.shape().clone()))
    }
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("geglu needs contiguous tensors"),
    }
}

/// `x/2 · (1 + tanh u)` is `x · sigmoid(2u)`, which needs one `exp`.
fn gelu(x: f32) -> f32 {
    let u = GELU_SCALE * x * (1.0 + GELU_CUBIC * x * x);
    x / (1.0 + (-2.0 * u).exp())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn follows_the_tanh_form() {
        let gate: Vec<f32> = (-60..60).map(|i| i as f32 * 0.25).collect();
        let up: Vec<f32> = gate.iter().map(|x| 1.5 - x).collect();
        let expected: Vec<f32> = gate
            .iter()
            .zip(&up)
            .map(|(x, up)| {
                let u = GELU_SCALE * (x + GELU_CUBIC * x * x * x);
                0.5 * x * (1.0 + u.tanh()) * up
            })
            .collect();
        let tensor = |data: &Vec<f32>| Tensor::new(data.as_slice(), &Device::Cpu).unwrap();
        let got = geglu(&tensor(&gate), &tensor(&up)).unwrap();
        for (got, expected) in got.to_vec1::<f32>().unwrap().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-4, "{got} {expected}");
        }
    }
}
