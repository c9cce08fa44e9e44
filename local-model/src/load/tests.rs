use std::num::NonZeroUsize;

use serde_json::json;
use skinflint_kernels::{Precision, Team};

use super::*;
use crate::fixture::decoders::{FAMILIES, Family, Twins};
use crate::model::{Chunk, Rows};

fn team() -> Team {
    Team::new(NonZeroUsize::MIN).unwrap()
}

/// Logits behind every token.
fn logits(loaded: &Loaded, tokens: &[u32]) -> Vec<f32> {
    let team = team();
    let mut cache = loaded.model.cache();
    let mut chunks = [Chunk {
        tokens,
        cache: &mut cache,
        rows: Rows::All,
    }];
    let hidden = loaded.model.hidden(&team.lead(), &mut chunks).unwrap();
    let logits = loaded.model.logits(&team.lead(), &hidden).unwrap();
    logits.flatten_all().unwrap().to_vec1().unwrap()
}

fn read(path: &Path) -> Result<Loaded, LoadFault> {
    let compute = Compute {
        team: &team(),
        precision: Precision::Bits8,
    };
    load(compute, path)
}

fn fault(folder: &Path) -> String {
    let fault = read(folder).err().unwrap().to_string();
    fault.replace(&folder.display().to_string(), "")
}

#[test]
fn a_folder_and_a_gguf_file_of_the_same_weights_give_the_same_logits() {
    for family in FAMILIES {
        let twins = Twins::new(family);
        let (file, folder) = (twins.file(), twins.folder());
        let gguf = read(file.path()).unwrap();
        let checkpoint = read(folder.path()).unwrap();
        assert_eq!(gguf.architecture, family.name());
        assert_eq!(checkpoint.architecture, family.name());
        assert_eq!(
            gguf.parameter_count, checkpoint.parameter_count,
            "{family:?}"
        );
        assert_eq!(
            gguf.model.context_length(),
            checkpoint.model.context_length()
        );
        // Past a window, and past the positions at which wrong pairs would show.
        let text = "fn main() { the thing in the bath } 日本語 https://example.org/a?b=c";
        let tokens = checkpoint.tokenizer.encode_prompt(text);
        assert_eq!(gguf.tokenizer.encode_prompt(text), tokens, "{family:?}");
        assert!(tokens.len() > 20, "{}", tokens.len());
        let (expected, found) = (logits(&gguf, &tokens), logits(&checkpoint, &tokens));
        let spread = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let difference = largest_difference(&expected, &found);
        // Llama's pairs stand elsewhere in GGUF, and are rotated by other instructions: where keys
        // are rounded to half precision, some come out one step apart.
        let bound = if family == Family::Llama { 5e-3 } else { 1e-4 };
        assert!(
            spread > 0.5 && difference < bound,
            "{family:?}: {difference} of {spread}"
        );
        // The first token sees only itself, whatever its key is.
        let row = expected.len() / tokens.len();
        let first = largest_difference(&expected[..row], &found[..row]);
        assert!(first < 1e-4, "{family:?}: {first} at the first token");
    }
}

#[test]
fn rows_in_the_wrong_order_would_show() {
    let mut twins = Twins::new(Family::Llama);
    let folder = read(twins.folder().path()).unwrap();
    twins.order_rows_as_in_the_folder();
    let wrong = read(twins.file().path()).unwrap();
    let tokens: Vec<u32> = (10..40).collect();
    let difference = largest_difference(&logits(&folder, &tokens), &logits(&wrong, &tokens));
    assert!(difference > 0.1, "{difference}");
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b);
    pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn wrong_folders_are_named() {
    let mut twins = Twins::new(Family::Qwen3);
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let folder = twins.folder();
        std::fs::remove_file(folder.path().join(name)).unwrap();
        assert_eq!(fault(folder.path()), format!("cannot read /{name}"));
    }
    twins.checkpoint.config["vocab_size"] = json!(3);
    let wrong = fault(twins.folder().path());
    assert!(wrong.starts_with("wrong tokenizer: it has "), "{wrong}");
    twins.checkpoint.config["model_type"] = json!("mamba");
    assert_eq!(
        fault(twins.folder().path()),
        "architecture \"mamba\" is not supported (supported: gemma3, qwen2, qwen3, llama)"
    );
    let mut twins = Twins::new(Family::Qwen3);
    twins
        .checkpoint
        .remove("model.layers.2.self_attn.q_norm.weight");
    assert_eq!(
        fault(twins.folder().path()),
        "tensor \"model.layers.2.self_attn.q_norm.weight\" is missing"
    );
    twins.checkpoint.config["rope_scaling"] = json!({"rope_type": "yarn", "factor": 4.0});
    assert_eq!(
        fault(twins.folder().path()),
        "metadata does not describe a model: rope type \"yarn\" is not supported (supported: default, linear, llama3)"
    );
    twins.checkpoint.config["rope_scaling"] = json!({"rope_type": "llama3", "factor": 4.0});
    assert_eq!(
        fault(twins.folder().path()),
        "metadata does not describe a model: the rope parameters have no low_freq_factor"
    );
}
