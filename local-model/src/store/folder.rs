//! A folder with a model in the safetensors format, as `save_pretrained` of transformers writes it.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{StoreError, is_safe_path};

/// What says which file has which tensor, where they are several.
pub(crate) const INDEX: &str = "model.safetensors.index.json";
/// What a model cannot be loaded without.
pub(crate) const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];
/// The longest header that the format allows, in bytes.
const MAX_HEADER: u64 = 100_000_000;

#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

/// An entry of a header: a tensor, or `__metadata__`, which has no offsets.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Tensor { data_offsets: (u64, u64) },
    Other(IgnoredAny),
}

/// Whether everything is there and no file is cut short.
pub(super) fn check(folder: &Path) -> Result<(), StoreError> {
    let no_model = |missing: &str| StoreError::NoModel {
        path: folder.to_path_buf(),
        missing: missing.to_owned(),
    };
    for name in NEEDED {
        if !folder.join(name).is_file() {
            return Err(no_model(name));
        }
    }
    let weights = weights(folder)?;
    if weights.is_empty() {
        return Err(no_model("file that ends in .safetensors"));
    }
    for name in &weights {
        let path = folder.join(name);
        if !path.is_file() {
            return Err(no_model(name));
        }
        check_extent(&path)?;
    }
    Ok(())
}

/// The files with weights: what the index names, or else all that there are.
fn weights(folder: &Path) -> Result<BTreeSet<String>, StoreError> {
    let path = folder.join(INDEX);
    match fs::read(&path) {
        Ok(text) => match serde_json::from_slice::<Index>(&text) {
            Ok(index) => {
                let names: BTreeSet<String> = index.weight_map.into_values().collect();
                return match names.iter().find(|name| !is_safe_path(name)) {
                    Some(name) => {
                        let message = format!("{name:?} leads out of the folder");
                        Err(StoreError::Damaged { path, message })
                    }
                    None => Ok(names),
                };
            }
            Err(error) => {
                let message = error.to_string();
                return Err(StoreError::Damaged { path, message });
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(StoreError::Read { path, source }),
    }
    let names = super::hub::entries(folder)?
        .into_iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    Ok(names
        .filter(|name| name.ends_with(".safetensors"))
        .collect())
}

/// Compares the size of a safetensors file with what its header announces: eight bytes of its length, the header, and the tensors.
fn check_extent(path: &Path) -> Result<(), StoreError> {
    let read = |source| StoreError::Read {
        path: path.to_path_buf(),
        source,
    };
    let damaged = |message: String| StoreError::Damaged {
        path: path.to_path_buf(),
        message,
    };
    let mut file = File::open(path).map_err(read)?;
    let actual = file.metadata().map_err(read)?.len();
    let mut length = [0; 8];
    if actual < 8 {
        return Err(damaged("it ends before its header".to_owned()));
    }
    file.read_exact(&mut length).map_err(read)?;
    let header_length = u64::from_le_bytes(length);
    if header_length > MAX_HEADER || header_length > actual - 8 {
        return Err(damaged(format!(
            "it announces a header of {header_length} bytes and has {actual}"
        )));
    }
    let mut header = Vec::new();
    file.take(header_length)
        .read_to_end(&mut header)
        .map_err(read)?;
    let header: HashMap<String, Entry> = serde_json::from_slice(&header)
        .map_err(|error| damaged(format!("its header is no JSON: {error}")))?;
    let tensors = header.into_values().map(|entry| match entry {
        Entry::Tensor { data_offsets } => data_offsets.1,
        Entry::Other(_) => 0,
    });
    let expected = tensors.max().unwrap_or(0).saturating_add(8 + header_length);
    if expected == actual {
        return Ok(());
    }
    Err(StoreError::Truncated {
        path: PathBuf::from(path),
        expected,
        actual,
    })
}
