//! llama.cpp behind a few plain functions: [`Llama`].

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::{BatchAddError, LlamaBatch};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::{DecodeError, LlamaContextLoadError, LlamaCppError, LlamaModelLoadError};
use thiserror::Error;

use crate::logits::{argmax, logprob, logprobs};

/// The most tokens that llama.cpp computes at once; its own default.
const BATCH: usize = 512;

/// Tokens whose logits are kept at the same time while scoring: at a megabyte each for Gemma 3.
const SCORED_AT_ONCE: usize = 128;

/// What llama.cpp refuses or fails at.
#[derive(Debug, Error)]
pub enum LlamaError {
    /// It cannot be started.
    #[error("cannot start llama.cpp")]
    Start(#[source] LlamaCppError),
    /// It does not take the file.
    #[error("llama.cpp cannot load the model")]
    Load(#[source] LlamaModelLoadError),
    /// It has no room for the keys and values.
    #[error("llama.cpp cannot make a context")]
    Context(#[source] LlamaContextLoadError),
    /// More tokens than were announced.
    #[error("too many tokens in a batch")]
    Batch(#[source] BatchAddError),
    /// The computation failed.
    #[error("llama.cpp cannot compute")]
    Decode(#[source] DecodeError),
}

/// A model in llama.cpp.
#[derive(Debug)]
pub struct Llama {
    backend: Arc<LlamaBackend>,
    model: LlamaModel,
    threads: i32,
}

impl Llama {
    /// Loads a GGUF file as llama.cpp does by default: mapped into memory, weights repacked where it has a better layout.
    pub fn load(path: &Path, threads: usize) -> Result<Self, LlamaError> {
        let mut backend = LlamaBackend::init().map_err(LlamaError::Start)?;
        backend.void_logs();
        Self::load_with(Arc::new(backend), path, threads)
    }

    /// Loads another file: llama.cpp is started once in a process.
    pub fn load_another(&self, path: &Path, threads: usize) -> Result<Self, LlamaError> {
        Self::load_with(Arc::clone(&self.backend), path, threads)
    }

    fn load_with(
        backend: Arc<LlamaBackend>,
        path: &Path,
        threads: usize,
    ) -> Result<Self, LlamaError> {
        let parameters = LlamaModelParams::default();
        let model =
            LlamaModel::load_from_file(&backend, path, &parameters).map_err(LlamaError::Load)?;
        Ok(Self {
            backend,
            model,
            threads: i32::try_from(threads).unwrap_or(i32::MAX),
        })
    }

    /// The tokens of a text: what starts a text first, where the model has that; text that spells a control token is text.
    pub fn tokenize(&self, text: &str) -> Vec<u32> {
        let tokens = self.model.vocab().tokenize(text.as_bytes(), true, false);
        tokens.into_iter().map(id).collect()
    }

    /// The bytes that a token stands for; none for a control token.
    pub fn piece(&self, token: u32) -> Vec<u8> {
        self.model
            .vocab()
            .token_to_piece(llama_token(token), false, None)
    }

    /// The bytes that tokens stand for, as text.
    pub fn text(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&token| self.piece(token)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// All tokens that stand for these bytes.
    pub fn tokens_of(&self, bytes: &[u8]) -> Vec<u32> {
        let vocabulary = self.model.vocab();
        let spells = |&token: &LlamaToken| vocabulary.token_to_piece(token, false, None) == bytes;
        vocabulary.tokens().filter(spells).map(id).collect()
    }

    /// Whether a token ends an answer.
    pub fn is_end(&self, token: u32) -> bool {
        self.model.vocab().is_eog(llama_token(token))
    }

    /// All tokens that end an answer.
    pub fn ends(&self) -> Vec<u32> {
        let vocabulary = self.model.vocab();
        vocabulary
            .tokens()
            .filter(|&token| vocabulary.is_eog(token))
            .map(id)
            .collect()
    }

    /// Keys and values for so many tokens: their type, the attention and the rest are llama.cpp's defaults.
    pub fn session(&self, context: u32) -> Result<Session<'_>, LlamaError> {
        let parameters = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(context))
            .with_n_threads(self.threads)
            .with_n_threads_batch(self.threads);
        let context = self
            .model
            .new_context(&self.backend, parameters)
            .map_err(LlamaError::Context)?;
        Ok(Session {
            llama: self,
            context,
            batch: LlamaBatch::new(BATCH, 1),
            length: 0,
        })
    }
}

/// A text being read.
#[derive(Debug)]
pub struct Session<'a> {
    llama: &'a Llama,
    context: LlamaContext<'a>,
    batch: LlamaBatch<'a>,
    /// Tokens read.
    length: i32,
}

impl Session<'_> {
    /// Forgets what was read.
    pub fn clear(&mut self) {
        self.context.clear_kv_cache();
        self.length = 0;
    }

    /// Reads tokens after those read before; returns the logits after the last one.
    pub fn read(&mut self, tokens: &[u32]) -> Result<&[f32], LlamaError> {
        let mut last = 0;
        for chunk in tokens.chunks(BATCH) {
            last = self.compute(chunk, false)?;
        }
        Ok(self.context.get_logits_ith(last))
    }

    /// The tokens that follow `tokens` when the likeliest one is always taken: at most `count`, none of which ends the text.
    pub fn greedy(&mut self, tokens: &[u32], count: usize) -> Result<Vec<u32>, LlamaError> {
        self.clear();
        let mut chosen = Vec::with_capacity(count);
        let mut next = argmax(self.read(tokens)?);
        while chosen.len() < count && !self.llama.is_end(next) {
            chosen.push(next);
            if chosen.len() < count {
                next = argmax(self.read(&[next])?);
            }
        }
        Ok(chosen)
    }

    /// The log-probabilities of all tokens after `tokens`.
    pub fn next_logprobs(&mut self, tokens: &[u32]) -> Result<Vec<f32>, LlamaError> {
        self.clear();
        Ok(logprobs(self.read(tokens)?))
    }

    /// The log-probability of each token but the first, after those before it.
    pub fn score(&mut self, tokens: &[u32]) -> Result<Vec<f32>, LlamaError> {
        self.clear();
        let threads = usize::try_from(self.llama.threads).unwrap_or(1);
        let mut scores = vec![0.0; tokens.len().saturating_sub(1)];
        let mut from = 0;
        for slots in scores.chunks_mut(SCORED_AT_ONCE) {
            let chunk = &tokens[from..from + slots.len()];
            let targets = &tokens[from + 1..=from + slots.len()];
            from += slots.len();
            self.compute(chunk, true)?;
            let rows: Vec<&[f32]> = (0..)
                .take(slots.len())
                .map(|row| self.context.get_logits_ith(row))
                .collect();
            let share = slots.len().div_ceil(threads);
            thread::scope(|scope| {
                let shares = slots
                    .chunks_mut(share)
                    .zip(rows.chunks(share))
                    .zip(targets.chunks(share));
                for ((slots, rows), targets) in shares {
                    scope.spawn(move || {
                        for ((slot, logits), &target) in slots.iter_mut().zip(rows).zip(targets) {
                            *slot = logprob(logits, target);
                        }
                    });
                }
            });
        }
        Ok(scores)
    }

    /// Reads at most [`BATCH`] tokens; returns the place of the last one in the batch.
    fn compute(&mut self, tokens: &[u32], all_logits: bool) -> Result<i32, LlamaError> {
        self.batch.clear();
        let last = tokens.len() - 1;
        for (place, &token) in tokens.iter().enumerate() {
            self.batch
                .add(
                    llama_token(token),
                    self.length,
                    &[0],
                    all_logits || place == last,
                )
                .map_err(LlamaError::Batch)?;
            self.length += 1;
        }
        self.context
            .decode(&mut self.batch)
            .map_err(LlamaError::Decode)?;
        Ok(self.batch.n_tokens() - 1)
    }
}

fn id(token: LlamaToken) -> u32 {
    // llama.cpp's token numbers are places in the vocabulary, or -1 for none, which a text has not.
    u32::try_from(token.0).unwrap_or(u32::MAX)
}

fn llama_token(token: u32) -> LlamaToken {
    LlamaToken::new(i32::try_from(token).unwrap_or(i32::MAX))
}
