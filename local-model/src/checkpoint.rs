//! Where weights come from: [`Checkpoint`], a file or a folder of files with tensors by name.

mod safetensors;

use skinflint_kernels::{Format, Lead, PackedMatrix};

pub(crate) use self::safetensors::Safetensors;
use crate::error::LoadFault;

/// Tensors by name.
pub(crate) trait Checkpoint {
    /// Whether a tensor of this name is there.
    fn has_tensor(&self, name: &str) -> bool;

    /// Reads one tensor of this shape (rows first) as it is stored.
    fn read(&mut self, name: &str, shape: &[usize]) -> Result<RawTensor, LoadFault>;

    /// Bytes of all tensors' files together.
    fn file_bytes(&self) -> u64;

    /// The number of weights in all tensors together.
    fn parameter_count(&self) -> u64;
}

/// A tensor as it is stored.
#[derive(Debug)]
pub(crate) struct RawTensor {
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
}

impl RawTensor {
    /// Its values in single precision.
    fn floats(&self) -> Option<Vec<f32>> {
        let pairs = || self.bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
        match self.format {
            Format::F32 => {
                let fours = self.bytes.chunks_exact(4);
                Some(
                    fours
                        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                        .collect(),
                )
            }
            Format::F16 => Some(
                pairs()
                    .map(|b| half::f16::from_le_bytes(b).to_f32())
                    .collect(),
            ),
            Format::Bf16 => Some(
                pairs()
                    .map(|b| half::bf16::from_le_bytes(b).to_f32())
                    .collect(),
            ),
            _ => None,
        }
    }
}

/// Reads a weight matrix, (rows, columns), and packs it for products.
pub(crate) fn matrix(
    checkpoint: &mut dyn Checkpoint,
    lead: &Lead<'_>,
    name: &str,
    rows: usize,
    columns: usize,
) -> Result<PackedMatrix, LoadFault> {
    let raw = checkpoint.read(name, &[rows, columns])?;
    PackedMatrix::pack(lead, raw.format, rows, columns, &raw.bytes).map_err(|error| {
        LoadFault::Tensor {
            name: name.to_owned(),
            expected: format!("whole blocks in rows of {columns}"),
            found: error.to_string(),
        }
    })
}

/// Reads a vector of this size.
pub(crate) fn vector(
    checkpoint: &mut dyn Checkpoint,
    name: &str,
    size: usize,
) -> Result<Vec<f32>, LoadFault> {
    let raw = checkpoint.read(name, &[size])?;
    raw.floats().ok_or_else(|| LoadFault::Tensor {
        name: name.to_owned(),
        expected: "floats".to_owned(),
        found: format!("{:?}", raw.format),
    })
}
