use std::error::Error as _;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::fixture::checkpoint::TinyCheckpoint;

fn checkpoint() -> TinyCheckpoint {
    let mut checkpoint = TinyCheckpoint::new(json!({}));
    for name in ["a", "b", "c", "d", "e"] {
        checkpoint.add(name, &[3, 4], 0.0);
    }
    checkpoint
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// A folder with one file of this header, and so many bytes of data behind it.
fn folder(header: &str, data: usize) -> TempDir {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(vec![0; data]);
    raw_folder(&file)
}

fn raw_folder(file: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(SINGLE), file).unwrap();
    folder
}

fn fault(folder: &TempDir) -> String {
    let fault = Safetensors::open(folder.path()).err().unwrap().to_string();
    fault.replace(&folder.path().display().to_string(), "")
}

#[test]
fn one_file_and_several_give_the_same_tensors() {
    let checkpoint = checkpoint();
    let (whole, split) = (checkpoint.write(), checkpoint.write_split());
    assert!(!split.path().join(SINGLE).exists());
    for folder in [whole, split] {
        let mut tensors = Safetensors::open(folder.path()).unwrap();
        for (name, shape, values) in checkpoint.tensors() {
            assert!(tensors.has_tensor(name));
            let read = tensors.read(name, shape).unwrap();
            assert_eq!((read.format, read.bytes), (Format::F32, bytes(values)));
        }
        assert!(!tensors.has_tensor("f"));
        assert_eq!(tensors.parameter_count(), 5 * 12);
        let files = std::fs::read_dir(folder.path())
            .unwrap()
            .map(Result::unwrap);
        let weights = files.filter(|file| file.path().extension().unwrap() == "safetensors");
        let size: u64 = weights.map(|file| file.metadata().unwrap().len()).sum();
        assert_eq!(tensors.file_bytes(), size);
    }
}

#[test]
fn tensors_of_another_kind_are_named() {
    let header = json!({
        "__metadata__": {"format": "pt"},
        "half": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
        "brain": {"dtype": "BF16", "shape": [2], "data_offsets": [12, 16]},
        "whole": {"dtype": "I64", "shape": [2], "data_offsets": [16, 32]},
    });
    let folder = folder(&header.to_string(), 32);
    let mut tensors = Safetensors::open(folder.path()).unwrap();
    assert_eq!(tensors.read("half", &[2, 3]).unwrap().format, Format::F16);
    assert_eq!(tensors.read("brain", &[2]).unwrap().format, Format::Bf16);
    let mut fault =
        |name: &str, shape: &[usize]| tensors.read(name, shape).unwrap_err().to_string();
    assert_eq!(
        fault("half", &[3, 2]),
        "tensor \"half\" has [2, 3], expected shape [3, 2]"
    );
    assert_eq!(
        fault("half", &[6]),
        "tensor \"half\" has [2, 3], expected shape [6]"
    );
    assert_eq!(
        fault("whole", &[2]),
        "tensor \"whole\" has I64, expected F32, F16 or BF16"
    );
    assert_eq!(fault("none", &[2]), "tensor \"none\" is missing");
}

#[test]
fn a_file_that_ends_early_is_named() {
    let whole = checkpoint().write();
    let bytes = std::fs::read(whole.path().join(SINGLE)).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let cut = |length: usize| fault(&raw_folder(&bytes[..length]));
    let damaged = "/model.safetensors is not a safetensors file, or a damaged one";
    for length in [0, 7] {
        assert_eq!(cut(length), format!("{damaged}: it has no header"));
    }
    for length in [8, header - 1] {
        let reason = format!("its header would have {header} bytes");
        assert_eq!(cut(length), format!("{damaged}: {reason}"));
    }
    for length in [header, header + 7] {
        let reason = "it ends within its header";
        assert_eq!(cut(length), format!("{damaged}: {reason}"));
    }
    for length in [header + 8, bytes.len() - 1] {
        assert_eq!(
            cut(length),
            format!(
                "truncated: the header announces {} bytes, the file has {length}",
                bytes.len()
            )
        );
    }
    Safetensors::open(raw_folder(&bytes).path()).unwrap();
}

#[test]
fn headers_that_no_valid_file_has_are_named() {
    let huge = u64::MAX.to_le_bytes();
    assert!(
        fault(&raw_folder(&huge)).ends_with("its header would have 18446744073709551615 bytes")
    );
    for header in [
        "no json",
        "[]",
        r#"{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 8]}}"#,
        r#"{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}"#,
    ] {
        let fault = fault(&folder(header, 64));
        let damaged = "/model.safetensors is not a safetensors file, or a damaged one: ";
        assert!(fault.starts_with(damaged), "{header}: {fault}");
    }
}

#[test]
fn files_that_are_not_there_are_named() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(fault(&empty), "cannot read /model.safetensors");
    let split = checkpoint().write_split();
    std::fs::remove_file(split.path().join("two.safetensors")).unwrap();
    assert_eq!(fault(&split), "cannot read /two.safetensors");
    std::fs::write(split.path().join(INDEX), r#"{"weights": {}}"#).unwrap();
    let error = Safetensors::open(split.path()).err().unwrap();
    assert!(
        error
            .to_string()
            .ends_with("index.json is damaged or of another kind")
    );
    assert!(error.source().unwrap().to_string().contains("weight_map"));
}
