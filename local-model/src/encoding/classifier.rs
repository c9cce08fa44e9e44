//! A class for each token of a text: [`TokenClassifier`].

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Batcher, EncoderOptions, Files};
use crate::error::{EncodeFault, EngineFault, LoadError, LoadFault};
use crate::tokenizer::encoder::TextEncoder;

/// An encoder with a head that tells how likely each class is for each token, such as whether
/// `LLMLingua`-2 (Pan et al., 2024) would keep it. Clones share it.
#[derive(Clone)]
pub struct TokenClassifier {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    labels: Vec<String>,
    tokenizer: TextEncoder,
    max_tokens: usize,
    batcher: Batcher,
}

/// A text's tokens and their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    /// The text's tokens, without the special ones around them.
    pub tokens: Vec<ClassifiedToken>,
    /// Tokens at the end that did not fit and have no class.
    pub cut: usize,
}

/// One token of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifiedToken {
    /// Where its text is, in bytes; tokens that share a character all have the whole of it.
    pub range: Range<usize>,
    /// How likely each class is, in the order of [`TokenClassifier::labels`]; they add up to 1.
    pub probabilities: Vec<f32>,
}

impl TokenClassifier {
    /// Reads a folder with `config.json` (whose `id2label` names the classes), `tokenizer.json` and
    /// safetensors, and starts its thread. Blocks: some tenths of a second.
    pub fn load(folder: &Path, options: EncoderOptions) -> Result<Self, LoadError> {
        Self::load_folder(folder, options).map_err(|fault| LoadError::new(folder, fault))
    }

    fn load_folder(folder: &Path, options: EncoderOptions) -> Result<Self, LoadFault> {
        let files = Files::open(folder)?;
        let labels = files.shape.labels.clone();
        if labels.is_empty() {
            return Err(LoadFault::Shape {
                reason: "config.json names no classes in id2label".to_owned(),
            });
        }
        let (encoder, mut checkpoint, tokenizer) = files.encoder(&options.team)?;
        let head = encoder.load_head(&options.team, labels.len(), &mut checkpoint)?;
        let count = labels.len();
        let max_tokens = encoder.max_length();
        let batcher = Batcher::start(
            options.team,
            Arc::new(encoder),
            Box::new(move |encoder, lead, hidden, texts| {
                let logits = encoder.classify(lead, &head, hidden)?;
                let logits = logits.flatten_all()?.to_vec1::<f32>()?;
                let mut rest = logits.as_slice();
                let mut results = Vec::with_capacity(texts.len());
                for text in texts {
                    let (own, others) = rest.split_at(text.len() * count);
                    results.push(own.chunks_exact(count).flat_map(softmax).collect());
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
                labels,
                tokenizer,
                max_tokens,
                batcher,
            }),
        })
    }

    /// What the model is called.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What the classes are called.
    pub fn labels(&self) -> &[String] {
        &self.shared.labels
    }

    /// Tokens of a text that get a class, special ones included.
    pub fn max_tokens(&self) -> usize {
        self.shared.max_tokens
    }

    /// Where the tokens of a text are, in bytes, without the special ones: all of them, however many. To
    /// cut a long text into parts that fit.
    pub fn ranges(&self, text: &str) -> Result<Vec<Range<usize>>, EncodeFault> {
        let encoded = self.shared.tokenizer.encode(text, usize::MAX)?;
        let ranges = encoded.offsets.into_iter().zip(encoded.special);
        Ok(ranges
            .filter(|(_, special)| !special)
            .map(|(range, _)| range)
            .collect())
    }

    /// The classes of texts' tokens. Texts are tokenized on the calling thread.
    pub async fn classify<T: AsRef<str>>(
        &self,
        texts: &[T],
    ) -> Result<Vec<Classified>, EncodeFault> {
        let shared = &self.shared;
        let mut encoded = Vec::with_capacity(texts.len());
        for text in texts {
            encoded.push(shared.tokenizer.encode(text.as_ref(), shared.max_tokens)?);
        }
        let tokens = encoded.iter().map(|text| text.ids.clone()).collect();
        let pending = shared.batcher.submit(tokens)?;
        let mut classified = Vec::with_capacity(texts.len());
        for (text, pending) in encoded.into_iter().zip(pending) {
            let probabilities = pending
                .await
                .unwrap_or(Err(EngineFault::Stopped))
                .map_err(EncodeFault::Engine)?;
            let classes = probabilities.chunks_exact(shared.labels.len());
            let tokens = text.offsets.into_iter().zip(text.special).zip(classes);
            let tokens = tokens.filter(|((_, special), _)| !special);
            classified.push(Classified {
                tokens: tokens
                    .map(|((range, _), classes)| ClassifiedToken {
                        range,
                        probabilities: classes.to_vec(),
                    })
                    .collect(),
                cut: text.cut,
            });
        }
        Ok(classified)
    }

    /// Refuses new texts and gives up those that wait.
    pub fn stop(&self) {
        self.shared.batcher.stop();
    }
}

impl std::fmt::Debug for TokenClassifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenClassifier")
            .field("name", &self.shared.name)
            .field("labels", &self.shared.labels)
            .finish_non_exhaustive()
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let total: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}
