//! Texts to vectors: [`Embedder`].

use std::path::Path;
use std::sync::Arc;

use moka::sync::Cache;

use super::pooling::{self, Pooling};
use super::{Batcher, EncoderOptions, Files};
use crate::error::{EncodeFault, EngineFault, LoadError, LoadFault};
use crate::tokenizer::encoder::TextEncoder;

/// Bytes that a remembered vector takes besides its values, about.
const MEMO_OVERHEAD: usize = 128;

/// An encoder that turns texts into vectors of length 1, whose dot products tell how alike texts
/// are. Clones share it.
///
/// Texts of all callers are computed together, as many at a time as make a good step. Vectors are
/// remembered by their text's hash.
#[derive(Clone)]
pub struct Embedder {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    tokenizer: TextEncoder,
    max_tokens: usize,
    dimensions: usize,
    batcher: Batcher,
    memo: Cache<[u8; 32], Memo>,
}

/// A remembered text.
#[derive(Clone)]
struct Memo {
    vector: Arc<[f32]>,
    tokens: usize,
    cut: usize,
}

/// The vectors of some texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// One a text, in their order.
    pub vectors: Vec<Arc<[f32]>>,
    /// Tokens of all texts, special ones included.
    pub tokens: u64,
    /// Tokens that did not fit and were left out.
    pub cut: u64,
}

impl Embedder {
    /// Reads a folder with `config.json`, `tokenizer.json` and safetensors, and starts its thread.
    /// Blocks: some tenths of a second.
    pub fn load(folder: &Path, options: EncoderOptions) -> Result<Self, LoadError> {
        Self::load_folder(folder, options).map_err(|fault| LoadError::new(folder, fault))
    }

    fn load_folder(folder: &Path, options: EncoderOptions) -> Result<Self, LoadFault> {
        let pooling = Pooling::of_folder(folder)?;
        let max_tokens = pooling::max_tokens(folder)?;
        let files = Files::open(folder)?;
        let (encoder, _, tokenizer) = files.encoder(&options.team)?;
        let encoder = Arc::new(encoder);
        let dimensions = encoder.width();
        let max_tokens = max_tokens.unwrap_or(usize::MAX).min(encoder.max_length());
        let batcher = Batcher::start(
            options.team,
            encoder,
            Box::new(move |encoder, _, hidden, texts| {
                let values = hidden.flatten_all()?.to_vec1::<f32>()?;
                let mut rest = values.as_slice();
                let mut vectors = Vec::with_capacity(texts.len());
                for text in texts {
                    let (own, others) = rest.split_at(text.len() * encoder.width());
                    vectors.push(pooling.pool(own, encoder.width()));
                    rest = others;
                }
                Ok(vectors)
            }),
            &options.name,
            options.max_texts.get(),
        )?;
        let weigh = |_: &[u8; 32], memo: &Memo| {
            let bytes = memo.vector.len() * size_of::<f32>() + MEMO_OVERHEAD;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Ok(Self {
            shared: Arc::new(Shared {
                name: options.name,
                tokenizer,
                max_tokens,
                dimensions,
                batcher,
                memo: Cache::builder()
                    .weigher(weigh)
                    .max_capacity(options.memo_bytes)
                    .build(),
            }),
        })
    }

    /// What the model is called.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Values of a vector.
    pub fn dimensions(&self) -> usize {
        self.shared.dimensions
    }

    /// Tokens of a text that are read; what is over is left out, and told.
    pub fn max_tokens(&self) -> usize {
        self.shared.max_tokens
    }

    /// The vectors of texts. Texts are tokenized on the calling thread, at some microseconds for each
    /// hundred bytes: many are better placed from a blocking task. Dropping the future gives the
    /// texts up that wait.
    pub async fn embed<T: AsRef<str>>(&self, texts: &[T]) -> Result<Embeddings, EncodeFault> {
        let shared = &self.shared;
        let mut memos: Vec<Option<Memo>> = Vec::with_capacity(texts.len());
        let mut missing = Vec::new();
        let mut encoded = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let key = *blake3::hash(text.as_ref().as_bytes()).as_bytes();
            let memo = shared.memo.get(&key);
            if memo.is_none() {
                let text = shared.tokenizer.encode(text.as_ref(), shared.max_tokens)?;
                missing.push((index, key, text.ids.len(), text.cut));
                encoded.push(text.ids);
            }
            memos.push(memo);
        }
        if !encoded.is_empty() {
            let pending = shared.batcher.submit(encoded)?;
            for ((index, key, tokens, cut), pending) in missing.into_iter().zip(pending) {
                let vector = pending
                    .await
                    .unwrap_or(Err(EngineFault::Stopped))
                    .map_err(EncodeFault::Engine)?;
                let memo = Memo {
                    vector: vector.into(),
                    tokens,
                    cut,
                };
                shared.memo.insert(key, memo.clone());
                memos[index] = Some(memo);
            }
        }
        let memos: Vec<Memo> = memos.into_iter().flatten().collect();
        Ok(Embeddings {
            tokens: memos.iter().map(|memo| memo.tokens as u64).sum(),
            cut: memos.iter().map(|memo| memo.cut as u64).sum(),
            vectors: memos.into_iter().map(|memo| memo.vector).collect(),
        })
    }

    /// Refuses new texts and gives up those that wait.
    pub fn stop(&self) {
        self.shared.batcher.stop();
    }
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedder")
            .field("name", &self.shared.name)
            .field("dimensions", &self.shared.dimensions)
            .finish_non_exhaustive()
    }
}
