//! A GGUF file, opened and checked: typed metadata and tensors by name.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};

use skinflint_kernels::Format;

use crate::checkpoint::{Checkpoint, RawTensor};
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

impl Checkpoint for GgufFile {
    fn has_tensor(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    fn read(&mut self, name: &str, shape: &[usize]) -> Result<RawTensor, LoadFault> {
        let info = self
            .content
            .tensor_infos
            .get(name)
            .ok_or_else(|| LoadFault::MissingTensor {
                name: name.to_owned(),
            })?;
        let unexpected = |expected: String, found: String| LoadFault::Tensor {
            name: name.to_owned(),
            expected,
            found,
        };
        if info.shape.dims() != shape {
            let found = format!("{:?}", info.shape.dims());
            return Err(unexpected(format!("shape {shape:?}"), found));
        }
        let format = format_of(info.ggml_dtype).ok_or_else(|| {
            let found = format!("{:?}", info.ggml_dtype);
            unexpected(
                "one of the types Q4_0 to Q8_0, Q4_K to Q6_K, F16, BF16, F32".into(),
                found,
            )
        })?;
        let size = tensor_bytes(info).and_then(|size| usize::try_from(size).ok());
        let mut bytes = vec![0; size.unwrap_or(usize::MAX)];
        // That the tensor lies within the file was checked when it was opened.
        let at = self.content.tensor_data_offset + info.offset;
        let file = self.reader.get_ref();
        file.read_exact_at(&mut bytes, at)
            .map_err(LoadFault::Open)?;
        Ok(RawTensor { format, bytes })
    }

    fn file_bytes(&self) -> u64 {
        self.bytes
    }

    fn parameter_count(&self) -> u64 {
        let elements = |info: &TensorInfo| info.shape.elem_count() as u64;
        self.content.tensor_infos.values().map(elements).sum()
    }
}

fn format_of(dtype: GgmlDType) -> Option<Format> {
    match dtype {
        GgmlDType::F32 => Some(Format::F32),
        GgmlDType::F16 => Some(Format::F16),
        GgmlDType::BF16 => Some(Format::Bf16),
        GgmlDType::Q4_0 => Some(Format::Q4_0),
        GgmlDType::Q4_1 => Some(Format::Q4_1),
        GgmlDType::Q5_0 => Some(Format::Q5_0),
        GgmlDType::Q5_1 => Some(Format::Q5_1),
        GgmlDType::Q8_0 => Some(Format::Q8_0),
        GgmlDType::Q4K => Some(Format::Q4K),
        GgmlDType::Q5K => Some(Format::Q5K),
        GgmlDType::Q6K => Some(Format::Q6K),
        _ => None,
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
