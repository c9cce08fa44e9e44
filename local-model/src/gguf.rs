//! A GGUF file, opened and checked: typed metadata and tensors by name.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};

use crate::error::LoadFault;

/// How much of the file is read at a time while the header is parsed, in bytes.
/// The header holds hundreds of thousands of short strings.
const HEADER_BUFFER: usize = 1 << 20;

/// An open GGUF file whose header is parsed and whose tensors all lie within the file.
pub(crate) struct GgufFile {
    content: Content,
    reader: BufReader<File>,
    bytes: u64,
}

impl GgufFile {
    /// Opens `path` and reads its header; no tensor is read yet.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadFault> {
        let file = File::open(path).map_err(LoadFault::Open)?;
        let bytes = file.metadata().map_err(LoadFault::Open)?.len();
        let mut reader = BufReader::with_capacity(HEADER_BUFFER, file);
        // A damaged header can make the parser panic (an alignment of zero divides by it).
        let content = catch_unwind(AssertUnwindSafe(|| Content::read(&mut reader)))
            .map_err(|_| LoadFault::Header)?
            .map_err(LoadFault::Corrupt)?;
        let gguf = Self {
            content,
            reader,
            bytes,
        };
        gguf.check_extent()?;
        Ok(gguf)
    }

    /// Refuses a file that ends before its last tensor does.
    fn check_extent(&self) -> Result<(), LoadFault> {
        let mut needed = self.content.tensor_data_offset;
        for (name, info) in &self.content.tensor_infos {
            let end = tensor_bytes(info)
                .and_then(|bytes| bytes.checked_add(info.offset))
                .and_then(|end| end.checked_add(self.content.tensor_data_offset))
                .ok_or_else(|| LoadFault::Tensor {
                    name: name.clone(),
                    expected: "a size that fits in a file".to_owned(),
                    found: format!("{:?}", info.shape.dims()),
                })?;
            needed = needed.max(end);
        }
        if needed > self.bytes {
            return Err(LoadFault::Truncated {
                needed,
                actual: self.bytes,
            });
        }
        Ok(())
    }

    /// The size of the file in bytes.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of weights in all tensors together.
    pub(crate) fn parameter_count(&self) -> u64 {
        let elements = |info: &TensorInfo| info.shape.elem_count() as u64;
        self.content.tensor_infos.values().map(elements).sum()
    }

    /// Whether a tensor of this name is in the file.
    pub(crate) fn has_tensor(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// Reads one tensor, still quantized, and checks its shape (rows first).
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<QTensor, LoadFault> {
        let info = self
            .content
            .tensor_infos
            .get(name)
            .ok_or_else(|| LoadFault::MissingTensor {
                name: name.to_owned(),
            })?;
        if info.shape.dims() != shape {
            return Err(LoadFault::Tensor {
                name: name.to_owned(),
                expected: format!("shape {shape:?}"),
                found: format!("{:?}", info.shape.dims()),
            });
        }
        info.read(
            &mut self.reader,
            self.content.tensor_data_offset,
            &Device::Cpu,
        )
        .map_err(LoadFault::Corrupt)
    }

    /// Whether the metadata has `key`, of whatever type.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.content.metadata.contains_key(key)
    }

    /// The metadata value under `key` as a string.
    pub(crate) fn string(&self, key: &str) -> Result<&str, LoadFault> {
        match self.content.metadata.get(key) {
            Some(Value::String(value)) => Ok(value),
            _ => Err(missing(key, "a string")),
        }
    }

    /// The metadata value under `key` as a string; `None` where the key is absent.
    pub(crate) fn string_if_given(&self, key: &str) -> Result<Option<&str>, LoadFault> {
        if self.has(key) {
            self.string(key).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The metadata values under `key` as strings; none where the key is absent.
    pub(crate) fn strings_if_given(&self, key: &str) -> Result<Vec<&str>, LoadFault> {
        let strings = match self.content.metadata.get(key) {
            None => Some(Vec::new()),
            Some(Value::Array(values)) => values
                .iter()
                .map(|value| match value {
                    Value::String(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
            Some(_) => None,
        };
        strings.ok_or_else(|| missing(key, "an array of strings"))
    }

    /// The metadata value under `key` as a whole number.
    pub(crate) fn integer(&self, key: &str) -> Result<u32, LoadFault> {
        self.integer_if_given(key)?
            .ok_or_else(|| missing(key, "a whole number"))
    }

    /// As [`GgufFile::integer`]; `None` where the key is absent.
    pub(crate) fn integer_if_given(&self, key: &str) -> Result<Option<u32>, LoadFault> {
        let Some(value) = self.content.metadata.get(key) else {
            return Ok(None);
        };
        let number = match value {
            Value::U8(n) => Some(u32::from(*n)),
            Value::U16(n) => Some(u32::from(*n)),
            Value::U32(n) => Some(*n),
            Value::U64(n) => u32::try_from(*n).ok(),
            Value::I8(n) => u32::try_from(*n).ok(),
            Value::I16(n) => u32::try_from(*n).ok(),
            Value::I32(n) => u32::try_from(*n).ok(),
            Value::I64(n) => u32::try_from(*n).ok(),
            _ => None,
        };
        number
            .map(Some)
            .ok_or_else(|| missing(key, "a whole number"))
    }

    /// The metadata value under `key` as a number; `None` where the key is absent.
    pub(crate) fn float_if_given(&self, key: &str) -> Result<Option<f32>, LoadFault> {
        match self.content.metadata.get(key) {
            None => Ok(None),
            Some(Value::F32(value)) if value.is_finite() => Ok(Some(*value)),
            Some(_) => Err(missing(key, "a number")),
        }
    }

    /// The metadata value under `key` as a boolean; `None` where the key is absent.
    pub(crate) fn bool_if_given(&self, key: &str) -> Result<Option<bool>, LoadFault> {
        match self.content.metadata.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(missing(key, "a boolean")),
        }
    }

    /// Moves the array of strings under `key` out of the metadata.
    pub(crate) fn take_strings(&mut self, key: &str) -> Result<Vec<String>, LoadFault> {
        take_array(
            &mut self.content.metadata,
            key,
            "an array of strings",
            |value| match value {
                Value::String(text) => Some(text),
                _ => None,
            },
        )
    }

    /// Moves the array of numbers under `key` out of the metadata.
    pub(crate) fn take_floats(&mut self, key: &str) -> Result<Vec<f32>, LoadFault> {
        take_array(
            &mut self.content.metadata,
            key,
            "an array of numbers",
            |value| match value {
                Value::F32(number) => Some(number),
                _ => None,
            },
        )
    }

    /// Moves the array of whole numbers under `key` out of the metadata.
    pub(crate) fn take_integers(&mut self, key: &str) -> Result<Vec<i32>, LoadFault> {
        take_array(
            &mut self.content.metadata,
            key,
            "an array of whole numbers",
            |value| match value {
                Value::I32(number) => Some(number),
                Value::U32(number) => i32::try_from(number).ok(),
                _ => None,
            },
        )
    }
}

/// The size of a tensor's data in bytes; `None` where it overflows or is no whole number of blocks.
fn tensor_bytes(info: &TensorInfo) -> Option<u64> {
    let elements = info
        .shape
        .dims()
        .iter()
        .try_fold(1_usize, |product, &dim| product.checked_mul(dim))?;
    let block = info.ggml_dtype.block_size();
    if !elements.is_multiple_of(block) {
        return None;
    }
    let bytes = (elements / block).checked_mul(info.ggml_dtype.type_size())?;
    u64::try_from(bytes).ok()
}

fn take_array<T>(
    metadata: &mut HashMap<String, Value>,
    key: &str,
    expected: &'static str,
    convert: impl Fn(Value) -> Option<T>,
) -> Result<Vec<T>, LoadFault> {
    match metadata.remove(key) {
        Some(Value::Array(values)) => values
            .into_iter()
            .map(|value| convert(value).ok_or_else(|| missing(key, expected)))
            .collect(),
        _ => Err(missing(key, expected)),
    }
}

fn missing(key: &str, expected: &'static str) -> LoadFault {
    LoadFault::Metadata {
        key: key.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests;
