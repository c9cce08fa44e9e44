//! Small byte-level vocabularies for the tests, as `tokenizer.json` and as GGUF.

use std::path::PathBuf;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::Tokenizer;
use super::settings::CheckpointSettings;
use super::tests::TEXTS;
use crate::fixture::Fixture;

/// Special tokens, in the order of their ids, from 0.
pub(crate) const SPECIAL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/// Added tokens that are part of text, at the end of the vocabulary.
pub(crate) const ADDED: [&str; 3] = ["<tool_call>", "</tool_call>", "</think>"];

/// A vocabulary that was trained on the tests' texts.
pub(crate) struct Trained {
    pub(crate) json: Json,
}

impl Trained {
    /// Trains with the library, whose `tokenizer.json` is the reference.
    pub(crate) fn new(normalizer: Json, pre_tokenizer: Json, ignore_merges: bool) -> Self {
        let trainer = BpeTrainer::builder()
            .vocab_size(700)
            .min_frequency(1)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(
                SPECIAL
                    .map(|text| tokenizers::AddedToken::from(text, true))
                    .into(),
            )
            .build();
        let mut tokenizer = tokenizers::Tokenizer::new(BPE::default());
        tokenizer
            .with_normalizer(from_json::<Option<tokenizers::NormalizerWrapper>>(
                normalizer,
            ))
            .unwrap();
        tokenizer.with_pre_tokenizer(Some(from_json::<tokenizers::PreTokenizerWrapper>(
            pre_tokenizer,
        )));
        tokenizer.with_decoder(Some(ByteLevel::default()));
        tokenizer
            .train(
                &mut TrainerWrapper::BpeTrainer(trainer),
                TEXTS.iter().chain(TEXTS),
            )
            .unwrap();
        let added = ADDED.map(|text| tokenizers::AddedToken::from(text, false).normalized(false));
        tokenizer.add_tokens(added).unwrap();
        let mut json: Json = serde_json::from_str(&tokenizer.to_string(false).unwrap()).unwrap();
        json["model"]["ignore_merges"] = json!(ignore_merges);
        Self { json }
    }

    /// In the manner of Qwen 2.5 and 3.
    pub(crate) fn qwen() -> Self {
        let words = concat!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
            r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        );
        Self::new(json!({"type": "NFC"}), split_and_bytes(words), false)
    }

    /// Loads the vocabulary from `tokenizer.json`.
    pub(crate) fn load_json(&self) -> Tokenizer {
        let (_folder, path) = self.write();
        let settings = CheckpointSettings {
            eos: Some("<|im_end|>".to_owned()),
            ..CheckpointSettings::default()
        };
        Tokenizer::from_json_file(&path, &settings).unwrap()
    }

    /// Writes `tokenizer.json` into a folder of its own.
    pub(crate) fn write(&self) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, self.json.to_string()).unwrap();
        (folder, path)
    }

    /// The same vocabulary as metadata of a GGUF file, with one more token that is of no use.
    pub(crate) fn gguf(&self, pre: &str) -> Fixture {
        let vocabulary = self.json["model"]["vocab"].as_object().unwrap();
        let mut entries: Vec<(u64, &str, i32)> = vocabulary
            .iter()
            .map(|(token, id)| (id.as_u64().unwrap(), token.as_str(), 1))
            .collect();
        for added in self.json["added_tokens"].as_array().unwrap() {
            let id = added["id"].as_u64().unwrap();
            entries.retain(|&(other, ..)| other != id);
            let number = if added["special"] == json!(true) {
                3
            } else {
                4
            };
            entries.push((id, added["content"].as_str().unwrap(), number));
        }
        entries.sort_unstable();
        entries.push((entries.len() as u64, "[unused]", 5));
        let merges = self.json["model"]["merges"].as_array().unwrap();
        let merges = merges.iter().map(|merge| {
            let part = |index: usize| merge[index].as_str().unwrap();
            Value::String(format!("{} {}", part(0), part(1)))
        });
        let tokens = entries
            .iter()
            .map(|(_, token, _)| Value::String((*token).to_owned()));
        let types = entries.iter().map(|(.., number)| Value::I32(*number));
        let mut fixture = Fixture::new(GgmlDType::F32);
        for key in [
            "scores",
            "bos_token_id",
            "add_bos_token",
            "add_space_prefix",
        ] {
            fixture.unset(&format!("tokenizer.ggml.{key}"));
        }
        fixture.set("tokenizer.ggml.model", Value::String("gpt2".to_owned()));
        fixture.set("tokenizer.ggml.pre", Value::String(pre.to_owned()));
        fixture.set("tokenizer.ggml.tokens", Value::Array(tokens.collect()));
        fixture.set("tokenizer.ggml.token_type", Value::Array(types.collect()));
        fixture.set("tokenizer.ggml.merges", Value::Array(merges.collect()));
        fixture.set("tokenizer.ggml.eos_token_id", Value::U32(2));
        fixture
    }
}

/// A pre-tokenizer that cuts by an expression and goes over to bytes.
pub(crate) fn split_and_bytes(expression: &str) -> Json {
    json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
    ]})
}

fn from_json<T: serde::de::DeserializeOwned>(json: Json) -> T {
    serde_json::from_value(json).unwrap()
}
