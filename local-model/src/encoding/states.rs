//! A vector for each token of a text: [`TokenEncoder`].

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Batcher, EncoderOptions, Files};
use crate::error::{EncodeFault, EngineFault, LoadError, LoadFault};
use crate::tokenizer::encoder::TextEncoder;

/// An encoder that gives the final hidden state of each token, which a head can be trained on. Clones share
/// it.
#[derive(Clone)]
pub struct TokenEncoder {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    tokenizer: TextEncoder,
    max_tokens: usize,
    width: usize,
    batcher: Batcher,
}

/// A text's tokens and their vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenStates {
    /// Where each token's text is, in bytes, without the special ones around them.
    pub ranges: Vec<Range<usize>>,
    /// The vector of each, of [`TokenEncoder::width`] values.
    pub states: Vec<Vec<f32>>,
    /// Tokens at the end that did not fit and have none.
    pub cut: usize,
}

impl TokenEncoder {
    /// Reads a folder with `config.json`, `tokenizer.json` and safetensors, and starts its thread. Blocks:
    /// some tenths of a second.
    pub fn load(folder: &Path, options: EncoderOptions) -> Result<Self, LoadError> {
        Self::load_folder(folder, options).map_err(|fault| LoadError::new(folder, fault))
    }

    fn load_folder(folder: &Path, options: EncoderOptions) -> Result<Self, LoadFault> {
        let files = Files::open(folder)?;
        let (encoder, _, tokenizer) = files.encoder(&options.team)?;
        let width = encoder.width();
        let max_tokens = encoder.max_length();
        let batcher = Batcher::start(
            options.team,
            Arc::new(encoder),
            Box::new(move |_, _, hidden, texts| {
                let values = hidden.flatten_all()?.to_vec1::<f32>()?;
                let mut rest = values.as_slice();
                let mut results = Vec::with_capacity(texts.len());
                for text in texts {
                    let (own, others) = rest.split_at(text.len() * width);
                    results.push(own.to_vec());
                    rest = others;
                }
                Ok(results)
            }),
            &options.name,
            options.max_texts.get(),
        )?;
        Ok(Self {
            shared: Arc::new(Shared {
                name: options.name,
                tokenizer,
                max_tokens,
                width,
                batcher,
            }),
        })
    }

    /// What the model is called.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.shared.width
    }

    /// Tokens of a text that get a vector, special ones included.
    pub fn max_tokens(&self) -> usize {
        self.shared.max_tokens
    }

    /// The vectors of texts' tokens. Texts are tokenized on the calling thread.
    pub async fn states<T: AsRef<str>>(
        &self,
        texts: &[T],
    ) -> Result<Vec<TokenStates>, EncodeFault> {
        let shared = &self.shared;
        let mut encoded = Vec::with_capacity(texts.len());
        for text in texts {
            encoded.push(shared.tokenizer.encode(text.as_ref(), shared.max_tokens)?);
        }
        let tokens = encoded.iter().map(|text| text.ids.clone()).collect();
        let pending = shared.batcher.submit(tokens)?;
        let mut results = Vec::with_capacity(texts.len());
        for (text, pending) in encoded.into_iter().zip(pending) {
            let values = pending
                .await
                .unwrap_or(Err(EngineFault::Stopped))
                .map_err(EncodeFault::Engine)?;
            let vectors = values.chunks_exact(shared.width);
            let tokens = text.offsets.into_iter().zip(text.special).zip(vectors);
            let tokens = tokens.filter(|((_, special), _)| !special);
            let (ranges, states) = tokens
                .map(|((range, _), vector)| (range, vector.to_vec()))
                .unzip();
            results.push(TokenStates {
                ranges,
                states,
                cut: text.cut,
            });
        }
        Ok(results)
    }

    /// Refuses new texts and gives up those that wait.
    pub fn stop(&self) {
        self.shared.batcher.stop();
    }
}

impl std::fmt::Debug for TokenEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenEncoder")
            .field("name", &self.shared.name)
            .field("width", &self.shared.width)
            .finish_non_exhaustive()
    }
}
