use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use skinflint_kernels::{Precision, Team};

use super::*;
use crate::engine::{Engine, EngineOptions};
use crate::error::LoadError;
use crate::fixture::Fixture;

fn load(path: &Path) -> Result<Engine, LoadError> {
    let options = EngineOptions {
        team: Arc::new(Team::new(NonZeroUsize::MIN).unwrap()),
        precision: Precision::Bits8,
        max_sequences: NonZeroUsize::MIN,
        max_queue: 0,
        cache_limit_bytes: usize::MAX,
        context_limit: None,
        name: String::new(),
    };
    Engine::load(path, options)
}

/// Loads `bytes` as a file and returns the reason why that fails.
fn fault(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let error = load(file.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot load the model {}", file.path().display())
    );
    error.source().unwrap().to_string()
}

fn tiny() -> Vec<u8> {
    fs::read(Fixture::new(GgmlDType::Q8_0).write().path()).unwrap()
}

#[test]
fn a_missing_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = load(&dir.path().join("none.gguf")).unwrap_err();
    assert!(matches!(error.fault(), LoadFault::Open(_)), "{error:?}");
    assert!(error.path().ends_with("none.gguf"));
}

#[test]
fn other_files_are_refused() {
    let reason = "not a GGUF file, or a damaged one";
    assert_eq!(fault(b""), reason);
    assert_eq!(fault(b"PK\x03\x04 an archive of some kind"), reason);
    assert_eq!(fault(&[0; 4096]), reason);
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    let whole = tiny();
    let length = whole.len();
    assert_eq!(
        fault(&whole[..length - 64]),
        format!(
            "truncated: the header announces {length} bytes, the file has {}",
            length - 64
        )
    );
    for part in 1..40 {
        fault(&whole[..length * part / 40]);
    }
}

#[test]
fn an_unknown_architecture_is_named() {
    let mut fixture = Fixture::new(GgmlDType::F32);
    fixture.set("general.architecture", Value::String("rwkv7".to_owned()));
    let bytes = fs::read(fixture.write().path()).unwrap();
    assert_eq!(
        fault(&bytes),
        "architecture \"rwkv7\" is not supported (supported: gemma3, qwen2, qwen3, llama)"
    );
}

#[test]
fn an_alignment_of_zero_is_a_damaged_header() {
    let mut fixture = Fixture::new(GgmlDType::F32);
    fixture.set("general.alignment", Value::U32(0));
    let bytes = fs::read(fixture.write().path()).unwrap();
    assert_eq!(fault(&bytes), "damaged GGUF header");
}

#[test]
fn damaged_headers_never_panic() {
    let whole = tiny();
    let file = tempfile::NamedTempFile::new().unwrap();
    // Past the header lie weights, of which any are valid.
    for at in (0..12_000).step_by(61) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xFF;
        fs::write(file.path(), &bytes).unwrap();
        let loaded = catch_unwind(AssertUnwindSafe(|| load(file.path()).is_ok()));
        assert!(loaded.is_ok(), "panicked with byte {at} flipped");
    }
}
