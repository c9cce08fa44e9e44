//! A tiny Gemma 3 with random weights, written as GGUF for the tests.

pub(crate) mod checkpoint;
pub(crate) mod decoders;
pub(crate) mod encoders;

use std::io::BufWriter;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::NamedTempFile;

use crate::gguf::GgufFile;
use crate::tokenizer::Tokenizer;

pub(crate) const WIDTH: usize = 32;
pub(crate) const LAYERS: usize = 7;
pub(crate) const FEED_FORWARD: usize = 64;
pub(crate) const HEADS: usize = 4;
pub(crate) const KEY_HEADS: usize = 2;
pub(crate) const HEAD_DIM: usize = 16;
pub(crate) const WINDOW: usize = 8;
pub(crate) const CONTEXT: u32 = 2048;
pub(crate) const EPSILON: f32 = 1e-6;

/// Pieces that merging can find, best first.
const NORMAL: &[&str] = &[
    "th", "▁t", "he", "the", "▁the", "in", "▁a", "ing", "▁", "a", "b", "c", "d", "e", "f", "g",
    "h", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "w", ".", ":", "U", "s", "A", "日",
    "本",
];

/// Pieces that are cut out of the text first.
pub(crate) const USER_DEFINED: &[&str] =
    &["\n", "\n\n", "\n\n\n", "  ", "   ", "<b>", "</b>", "\t"];

/// What to write into the file.
pub(crate) struct Fixture {
    metadata: Vec<(String, Value)>,
    tensors: Vec<(String, QTensor)>,
}

impl Fixture {
    /// Weights of the given type (norms stay f32), the same for every run.
    pub(crate) fn new(dtype: GgmlDType) -> Self {
        let mut fixture = Self {
            metadata: metadata(),
            tensors: Vec::new(),
        };
        let vocabulary = fixture.add_vocabulary();
        let mut random = StdRng::seed_from_u64(42);
        let mut add = |name: String, shape: &[usize], center: f32| {
            let count: usize = shape.iter().product();
            let data: Vec<f32> = (0..count)
                .map(|_| center + random.random_range(-0.4..0.4))
                .collect();
            let tensor = Tensor::from_vec(data, shape, &Device::Cpu).unwrap();
            let dtype = if shape.len() == 1 {
                GgmlDType::F32
            } else {
                dtype
            };
            let tensor = QTensor::quantize(&tensor, dtype).unwrap();
            fixture.tensors.push((name, tensor));
        };
        add("token_embd.weight".into(), &[vocabulary, WIDTH], 0.0);
        add("output_norm.weight".into(), &[WIDTH], 1.0);
        for layer in 0..LAYERS {
            let mut add = |part: &str, shape: &[usize], center: f32| {
                add(format!("blk.{layer}.{part}.weight"), shape, center);
            };
            add("attn_norm", &[WIDTH], 1.0);
            add("attn_q", &[HEADS * HEAD_DIM, WIDTH], 0.0);
            add("attn_k", &[KEY_HEADS * HEAD_DIM, WIDTH], 0.0);
            add("attn_v", &[KEY_HEADS * HEAD_DIM, WIDTH], 0.0);
            add("attn_q_norm", &[HEAD_DIM], 1.0);
            add("attn_k_norm", &[HEAD_DIM], 1.0);
            add("attn_output", &[WIDTH, HEADS * HEAD_DIM], 0.0);
            add("post_attention_norm", &[WIDTH], 1.0);
            add("ffn_norm", &[WIDTH], 1.0);
            add("ffn_gate", &[FEED_FORWARD, WIDTH], 0.0);
            add("ffn_up", &[FEED_FORWARD, WIDTH], 0.0);
            add("ffn_down", &[WIDTH, FEED_FORWARD], 0.0);
            add("post_ffw_norm", &[WIDTH], 1.0);
        }
        fixture
    }

    /// Adds the vocabulary to the metadata and returns its size.
    fn add_vocabulary(&mut self) -> usize {
        let mut pieces: Vec<(String, i32)> = ["<pad>", "<eos>", "<bos>", "<unk>"]
            .iter()
            .map(|piece| ((*piece).to_owned(), 3))
            .collect();
        pieces.extend((0..=255).map(|byte| (format!("<0x{byte:02X}>"), 6)));
        pieces.extend(USER_DEFINED.iter().map(|piece| ((*piece).to_owned(), 4)));
        pieces.extend(NORMAL.iter().map(|piece| ((*piece).to_owned(), 1)));
        let tokens = pieces.iter().map(|(piece, _)| Value::String(piece.clone()));
        let types = pieces.iter().map(|(_, number)| Value::I32(*number));
        let scores = (0..pieces.len()).map(|index| Value::F32(-(index as f32)));
        self.set("tokenizer.ggml.tokens", Value::Array(tokens.collect()));
        self.set("tokenizer.ggml.token_type", Value::Array(types.collect()));
        self.set("tokenizer.ggml.scores", Value::Array(scores.collect()));
        pieces.len()
    }

    /// Adds normal pieces to the vocabulary, with lower scores than those that are there.
    pub(crate) fn add_pieces(&mut self, pieces: &[&str]) {
        for (key, values) in [
            (
                "tokenizer.ggml.tokens",
                pieces
                    .iter()
                    .map(|&piece| Value::String(piece.to_owned()))
                    .collect(),
            ),
            (
                "tokenizer.ggml.token_type",
                vec![Value::I32(1); pieces.len()],
            ),
            (
                "tokenizer.ggml.scores",
                (0..pieces.len())
                    .map(|index| Value::F32(-500.0 - index as f32))
                    .collect::<Vec<_>>(),
            ),
        ] {
            let (_, array) = self
                .metadata
                .iter_mut()
                .find(|(other, _)| other == key)
                .unwrap();
            let Value::Array(array) = array else {
                unreachable!("{key} is an array")
            };
            array.extend(values);
        }
    }

    /// Makes the last piece one of another kind.
    pub(crate) fn set_last_type(&mut self, number: i32) {
        for (key, value) in &mut self.metadata {
            if let ("tokenizer.ggml.token_type", Value::Array(types)) = (key.as_str(), value) {
                *types.last_mut().unwrap() = Value::I32(number);
            }
        }
    }

    /// Sets or replaces a metadata value.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.metadata.retain(|(other, _)| other != key);
        self.metadata.push((key.to_owned(), value));
    }

    /// Leaves a metadata value out.
    pub(crate) fn unset(&mut self, key: &str) {
        self.metadata.retain(|(other, _)| other != key);
    }

    /// Leaves a tensor out.
    pub(crate) fn remove_tensor(&mut self, name: &str) {
        self.tensors.retain(|(other, _)| other != name);
    }

    /// The weights of a tensor, as f32.
    pub(crate) fn weights(&self, name: &str) -> Vec<f32> {
        let (_, tensor) = self
            .tensors
            .iter()
            .find(|(other, _)| other == name)
            .unwrap();
        let tensor = tensor.dequantize(&Device::Cpu).unwrap();
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Writes the file and opens it.
    pub(crate) fn open(&self) -> GgufFile {
        GgufFile::open(self.write().path()).unwrap()
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        let metadata: Vec<_> = self
            .metadata
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        let tensors: Vec<_> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
            .collect();
        gguf_file::write(&mut BufWriter::new(file.as_file()), &metadata, &tensors).unwrap();
        file
    }
}

fn metadata() -> Vec<(String, Value)> {
    let size = |value: usize| Value::U32(u32::try_from(value).unwrap());
    [
        ("general.architecture", Value::String("gemma3".to_owned())),
        ("gemma3.context_length", Value::U32(CONTEXT)),
        ("gemma3.embedding_length", size(WIDTH)),
        ("gemma3.block_count", size(LAYERS)),
        ("gemma3.feed_forward_length", size(FEED_FORWARD)),
        ("gemma3.attention.head_count", size(HEADS)),
        ("gemma3.attention.head_count_kv", size(KEY_HEADS)),
        ("gemma3.attention.key_length", size(HEAD_DIM)),
        ("gemma3.attention.value_length", size(HEAD_DIM)),
        ("gemma3.attention.sliding_window", size(WINDOW)),
        (
            "gemma3.attention.layer_norm_rms_epsilon",
            Value::F32(EPSILON),
        ),
        ("gemma3.rope.freq_base", Value::F32(1_000_000.0)),
        ("tokenizer.ggml.model", Value::String("llama".to_owned())),
        ("tokenizer.ggml.bos_token_id", Value::U32(2)),
        ("tokenizer.ggml.eos_token_id", Value::U32(1)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(true)),
        ("tokenizer.ggml.add_space_prefix", Value::Bool(false)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// The tokenizer of the tiny model.
pub(crate) fn tokenizer() -> Tokenizer {
    Tokenizer::load(&mut Fixture::new(GgmlDType::F32).open()).unwrap()
}

/// A small model with its real weights, if there is one on this machine: the file that
/// `SKINFLINT_TEST_MODEL` names, or what `skinflint models pull` has fetched. Says so where not.
pub(crate) fn real_model() -> Option<std::path::PathBuf> {
    if let Some(path) = variable("SKINFLINT_TEST_MODEL") {
        return Some(path.into());
    }
    let found = pulled(&crate::CATALOG[0]);
    if found.is_none() {
        eprintln!("skipped: SKINFLINT_TEST_MODEL names no model");
    }
    found
}

/// The folder of a sentence encoder with its real weights, if `skinflint models pull` has fetched
/// it. Says so where not.
pub(crate) fn real_embedder() -> Option<std::path::PathBuf> {
    pulled(crate::CatalogEntry::named("all-minilm-l6-v2").unwrap())
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells a test where a model lies; no secret"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where a catalogued model lies, if it is all there.
fn pulled(entry: &crate::CatalogEntry) -> Option<std::path::PathBuf> {
    let data = variable("XDG_DATA_HOME")
        .or_else(|| variable("HOME").map(|home| format!("{home}/.local/share")))
        .unwrap_or_default();
    let folder = Path::new(&data).join("skinflint/models");
    let mut files = entry.files.iter();
    let missing = files.find(|file| !entry.file_in(&folder, file).is_file());
    let Some(missing) = missing else {
        return Some(entry.path_in(&folder));
    };
    let path = entry.file_in(&folder, missing);
    eprintln!("skipped: {} is not there", path.display());
    None
}
