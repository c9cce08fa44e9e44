//! A folder with safetensors files: one, or several and an index.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ::safetensors::Dtype;
use ::safetensors::tensor::{Metadata, TensorInfo};
use serde::Deserialize;
use skinflint_kernels::Format;

use super::{Checkpoint, RawTensor};
use crate::error::LoadFault;

/// The file of a checkpoint that is not split.
const SINGLE: &str = "model.safetensors";
/// What names the files of one that is.
const INDEX: &str = "model.safetensors.index.json";
/// The longest header that is read, in bytes; the format allows as much.
const MAX_HEADER: u64 = 100_000_000;

/// The tensors of a folder.
pub(crate) struct Safetensors {
    files: Vec<Shard>,
}

struct Shard {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Where tensors' data begins.
    data_start: u64,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Safetensors {
    /// Opens the files of `folder` and reads their headers.
    pub(crate) fn open(folder: &Path) -> Result<Self, LoadFault> {
        let index = folder.join(INDEX);
        let names = if index.is_file() {
            let text = std::fs::read(&index).map_err(|source| fault_at(&index, source))?;
            let index_of: Index =
                serde_json::from_slice(&text).map_err(|source| LoadFault::Json {
                    path: index,
                    source,
                })?;
            let mut names: Vec<String> = index_of.weight_map.into_values().collect();
            names.sort_unstable();
            names.dedup();
            names
        } else {
            vec![SINGLE.to_owned()]
        };
        let files = names
            .iter()
            .map(|name| Shard::open(folder.join(name)))
            .collect::<Result<_, _>>()?;
        Ok(Self { files })
    }

    fn find(&self, name: &str) -> Option<(&Shard, &TensorInfo)> {
        self.files
            .iter()
            .find_map(|shard| Some((shard, shard.metadata.info(name)?)))
    }
}

fn fault_at(path: &Path, source: io::Error) -> LoadFault {
    LoadFault::Read {
        path: path.to_path_buf(),
        source,
    }
}

impl Shard {
    fn open(path: PathBuf) -> Result<Self, LoadFault> {
        let damaged = |reason: String| LoadFault::Safetensors {
            path: path.clone(),
            reason,
        };
        let mut file = File::open(&path).map_err(|source| fault_at(&path, source))?;
        let bytes = file
            .metadata()
            .map_err(|source| fault_at(&path, source))?
            .len();
        let mut length = [0; 8];
        file.read_exact(&mut length)
            .map_err(|_| damaged("it has no header".to_owned()))?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length > bytes {
            return Err(damaged(format!("its header would have {length} bytes")));
        }
        let mut header = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact(&mut header)
            .map_err(|_| damaged("it ends within its header".to_owned()))?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| damaged(error.to_string()))?;
        let data_start = 8 + length;
        let needed = data_start + metadata.data_len() as u64;
        if needed > bytes {
            return Err(LoadFault::Truncated {
                needed,
                actual: bytes,
            });
        }
        Ok(Self {
            path,
            file,
            bytes,
            data_start,
            metadata,
        })
    }
}

impl Checkpoint for Safetensors {
    fn has_tensor(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn read(&mut self, name: &str, shape: &[usize]) -> Result<RawTensor, LoadFault> {
        let (shard, info) = self.find(name).ok_or_else(|| LoadFault::MissingTensor {
            name: name.to_owned(),
        })?;
        let unexpected = |expected: String, found: String| LoadFault::Tensor {
            name: name.to_owned(),
            expected,
            found,
        };
        if info.shape != shape {
            return Err(unexpected(
                format!("shape {shape:?}"),
                format!("{:?}", info.shape),
            ));
        }
        let format = match info.dtype {
            Dtype::F32 => Format::F32,
            Dtype::F16 => Format::F16,
            Dtype::BF16 => Format::Bf16,
            other => {
                return Err(unexpected(
                    "F32, F16 or BF16".to_owned(),
                    format!("{other:?}"),
                ));
            }
        };
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0; to - from];
        shard
            .file
            .read_exact_at(&mut bytes, shard.data_start + from as u64)
            .map_err(|source| fault_at(&shard.path, source))?;
        Ok(RawTensor { format, bytes })
    }

    fn file_bytes(&self) -> u64 {
        self.files.iter().map(|shard| shard.bytes).sum()
    }

    fn parameter_count(&self) -> u64 {
        let of_shard = |shard: &Shard| -> u64 {
            let tensors = shard.metadata.tensors();
            let count = |info: &&TensorInfo| info.shape.iter().product::<usize>() as u64;
            tensors.values().map(count).sum()
        };
        self.files.iter().map(of_shard).sum()
    }
}

#[cfg(test)]
mod tests;
