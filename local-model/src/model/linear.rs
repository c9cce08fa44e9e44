//! A weight matrix, quantized or not, and its product with activations.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Result, Tensor};

/// From how many rows on a matrix is dequantized and multiplied by a real GEMM, where candle's own
/// quantized product takes one row at a time. Measured with `Q8_0` on AVX2: even at about 20 rows,
/// three times faster at 256.
const GEMM_ROWS: usize = 24;

/// `y = x · Wᵀ` with `W` of shape (out, in).
pub(crate) enum Linear {
    /// Weights that were stored as floats.
    Dense(Tensor),
    /// Weights that stay quantized in memory.
    Quantized(Arc<QTensor>),
}

impl Linear {
    pub(crate) fn new(weight: Arc<QTensor>) -> Result<Self> {
        match weight.dtype() {
            GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 => {
                Ok(Self::Dense(weight.dequantize(&Device::Cpu)?))
            }
            GgmlDType::Q5_0 => Ok(Self::Quantized(Arc::new(widen_q5_0(&weight)?))),
            _ => Ok(Self::Quantized(weight)),
        }
    }

    /// (rows, in) to (rows, out).
    pub(crate) fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(weight) => rows.matmul(&weight.t()?),
            Self::Quantized(weight) if rows.dim(0)? >= GEMM_ROWS && !is_tiled(weight) => {
                rows.matmul(&weight.dequantize(&Device::Cpu)?.t()?)
            }
            Self::Quantized(weight) => self::quantized(rows, weight),
        }
    }

    /// As [`Linear::forward`], but never dequantizes the whole matrix: for one as large as the
    /// vocabulary.
    pub(crate) fn forward_compact(&self, rows: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(weight) => rows.matmul(&weight.t()?),
            Self::Quantized(weight) => self::quantized(rows, weight),
        }
    }
}

/// Whether candle has a kernel for this type that takes many rows at a time. It is faster than the
/// GEMM at every number of rows, dequantizing left aside.
fn is_tiled(weight: &QTensor) -> bool {
    matches!(weight.dtype(), GgmlDType::Q4K | GgmlDType::Q6K)
}

fn quantized(rows: &Tensor, weight: &Arc<QTensor>) -> Result<Tensor> {
    rows.apply_op1_no_bwd(weight.as_ref())
}

/// Weights per block of both `Q5_0` and `Q8_0`.
const BLOCK: usize = 32;
/// Bytes of a `Q5_0` block: a scale (f16), the fifth bits, and the low four bits of two weights per byte.
const Q5_0_BYTES: usize = 2 + BLOCK / 8 + BLOCK / 2;
/// Bytes of a `Q8_0` block: a scale (f16), and one byte per weight.
const Q8_0_BYTES: usize = 2 + BLOCK;

/// The same weights as `Q8_0`, exactly: a `Q5_0` weight is a whole number from −16 to 15 times the
/// block's scale. candle has no vector code for `Q5_0`, which makes it ten times slower than `Q8_0`;
/// this costs 3 bits more per weight.
fn widen_q5_0(weight: &QTensor) -> Result<QTensor> {
    let narrow = weight.data()?;
    let mut wide = Vec::with_capacity(narrow.len() / Q5_0_BYTES * Q8_0_BYTES);
    for block in narrow.chunks_exact(Q5_0_BYTES) {
        let (scale, rest) = block.split_at(2);
        let (fifth_bits, low_bits) = rest.split_at(BLOCK / 8);
        let fifth = |index: usize| (fifth_bits[index / 8] >> (index % 8) & 1) << 4;
        wide.extend_from_slice(scale);
        // Each byte has the weight of its own index below, and that of the second half above.
        wide.extend((0..BLOCK).map(|index| {
            let byte = low_bits[index % (BLOCK / 2)];
            let low = if index < BLOCK / 2 {
                byte & 15
            } else {
                byte >> 4
            };
            (low | fifth(index)).wrapping_sub(16)
        }));
    }
    let storage = QStorage::from_data(Cow::Owned(wide), &Device::Cpu, GgmlDType::Q8_0)?;
    QTensor::new(storage, weight.shape().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(rows: usize, columns: usize) -> Tensor {
        Tensor::randn(0.0_f32, 1.0, (rows, columns), &Device::Cpu).unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
        difference.max(0).unwrap().to_scalar().unwrap()
    }

    #[test]
    fn widening_keeps_every_weight() {
        let narrow = QTensor::quantize(&random(48, 96), GgmlDType::Q5_0).unwrap();
        let wide = widen_q5_0(&narrow).unwrap();
        assert_eq!(wide.dtype(), GgmlDType::Q8_0);
        let weights = |tensor: &QTensor| tensor.dequantize(&Device::Cpu).unwrap();
        let difference = largest_difference(&weights(&narrow), &weights(&wide));
        assert!(difference.abs() < f32::MIN_POSITIVE, "{difference}");
    }

    #[test]
    fn few_rows_and_many_give_the_same_products() {
        for dtype in [
            GgmlDType::F32,
            GgmlDType::F16,
            GgmlDType::Q5_0,
            GgmlDType::Q8_0,
        ] {
            let weight = QTensor::quantize(&random(24, 64), dtype).unwrap();
            let linear = Linear::new(Arc::new(weight)).unwrap();
            let rows = random(GEMM_ROWS, 64);
            let at_once = linear.forward(&rows).unwrap();
            let one_by_one: Vec<Tensor> = (0..GEMM_ROWS)
                .map(|row| {
                    linear
                        .forward(&rows.narrow(0, row, 1).unwrap().contiguous().unwrap())
                        .unwrap()
                })
                .collect();
            let one_by_one = Tensor::cat(&one_by_one, 0).unwrap();
            // The quantized product rounds the activations to 8 bits: 64 products of about 1.
            let difference = largest_difference(&at_once, &one_by_one);
            assert!(difference < 0.2, "{dtype:?}: {difference}");
            assert_eq!(
                linear.forward_compact(&rows).unwrap().dims(),
                [GEMM_ROWS, 24]
            );
        }
    }
}
