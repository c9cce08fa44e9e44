//! The engine: one model, its worker, and the queue of calls before it.

mod generation;
mod queue;
mod worker;

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;

use skinflint_kernels::Team;
use tokio::sync::mpsc;

pub use generation::{Event, Finish, Generation, TokenLogprob, TokenUsage};
use queue::{Job, Queue};
use worker::Worker;

use crate::error::{GenerateError, LoadError, LoadFault};
use crate::gguf::GgufFile;
use crate::model::{Architecture, Model};
use crate::request::{GenerateRequest, Prompt};
use crate::sampler::Sampler;
use crate::stop::StopFilter;
use crate::tokenizer::Tokenizer;
use crate::transcript::{self, transcript};

/// The most tokens that are generated for a call that names no number. Base models often do not
/// come to an end by themselves, and at some 40 tokens per second on two cores this many take about
/// as long as a client waits.
pub const DEFAULT_MAX_TOKENS: u32 = 1024;

/// How an engine is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Threads that compute. candle's own pool is sized by the environment: see the README.
    pub threads: NonZeroUsize,
    /// Calls that may wait besides the one that is served.
    pub max_queue: usize,
    /// Fewer positions than the model was trained for, to save memory.
    pub context_limit: Option<NonZeroU32>,
    /// What the model is called in [`ModelInfo`].
    pub name: String,
}

/// What is known about a loaded model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// The name given in [`EngineOptions`].
    pub name: String,
    /// The file's architecture, such as `gemma3`.
    pub architecture: String,
    /// Tokens that prompt and answer may have together.
    pub context_length: u32,
    /// Weights.
    pub parameter_count: u64,
    /// Size of the file.
    pub file_bytes: u64,
    /// Whether the file has no chat template of its own.
    pub base_model: bool,
}

/// A loaded model that answers calls, one at a time, on its own threads. Clones share it; the
/// threads end when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    info: ModelInfo,
    tokenizer: Arc<Tokenizer>,
    queue: Arc<Queue>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.stop();
    }
}

impl Engine {
    /// Reads the file and starts the threads. Blocks: about a second for the default model.
    pub fn load(path: &Path, options: EngineOptions) -> Result<Self, LoadError> {
        Self::load_file(path, options).map_err(|fault| LoadError::new(path, fault))
    }

    fn load_file(path: &Path, options: EngineOptions) -> Result<Self, LoadFault> {
        let mut gguf = GgufFile::open(path)?;
        let architecture = Architecture::of(&gguf)?;
        let tokenizer = Tokenizer::load(&mut gguf)?;
        let model = architecture.load(&mut gguf, tokenizer.size())?;
        let limit = options.context_limit.map_or(u32::MAX, NonZeroU32::get);
        let info = ModelInfo {
            context_length: model.context_length().min(limit),
            name: options.name,
            architecture: architecture.name().to_owned(),
            parameter_count: gguf.parameter_count(),
            file_bytes: gguf.file_bytes(),
            base_model: !gguf.has("tokenizer.chat_template"),
        };
        Self::start(info, tokenizer, model, options.threads, options.max_queue)
    }

    fn start(
        info: ModelInfo,
        tokenizer: Tokenizer,
        model: Box<dyn Model>,
        threads: NonZeroUsize,
        max_queue: usize,
    ) -> Result<Self, LoadFault> {
        let tokenizer = Arc::new(tokenizer);
        let queue = Arc::new(Queue::new(max_queue));
        let team = Team::new(threads).map_err(LoadFault::Team)?;
        let worker = Worker::new(
            Arc::new(team),
            model,
            Arc::clone(&tokenizer),
            Arc::clone(&queue),
        );
        worker.start(threads)?;
        Ok(Self {
            shared: Arc::new(Shared {
                info,
                tokenizer,
                queue,
            }),
        })
    }

    /// What is known about the model.
    pub fn info(&self) -> &ModelInfo {
        &self.shared.info
    }

    /// Tokens of a prompt, template included. Takes 0.2 to 0.3 ms per kilobyte on the calling thread.
    pub fn count_tokens(&self, prompt: &Prompt) -> Result<usize, GenerateError> {
        Ok(self.encode(prompt)?.len())
    }

    /// Queues a call and returns without waiting for it. The prompt is tokenized on the calling
    /// thread, at 0.2 to 0.3 ms per kilobyte: long ones are better placed from a blocking task.
    pub fn generate(&self, request: GenerateRequest) -> Result<Generation, GenerateError> {
        let prompt = self.encode(&request.prompt)?;
        let (prompt_tokens, max_tokens) = self.budget(prompt.len(), request.max_tokens)?;
        let is_chat = matches!(request.prompt, Prompt::Chat(_));
        let template_stops = transcript::STOPS
            .iter()
            .filter(|_| is_chat)
            .map(|&stop| (stop.to_owned(), Finish::EndOfTurn));
        let stops = request
            .stop
            .into_iter()
            .map(|stop| (stop.clone(), Finish::StopSequence(stop)))
            .chain(template_stops);
        let (events, receiver) = mpsc::unbounded_channel();
        let ticket = self.shared.queue.push(Job {
            prompt,
            prompt_tokens,
            max_tokens,
            sampler: Sampler::new(&request.sampling, None, None),
            filter: StopFilter::new(stops, is_chat),
            events,
        })?;
        Ok(Generation::new(prompt_tokens, receiver, ticket))
    }

    /// Refuses new calls and gives up those that wait; the one that is served goes on to its end.
    pub fn stop(&self) {
        self.shared.queue.stop();
    }

    fn encode(&self, prompt: &Prompt) -> Result<Vec<u32>, GenerateError> {
        let tokenizer = &self.shared.tokenizer;
        match prompt {
            Prompt::Text(text) if text.is_empty() => Err(GenerateError::EmptyPrompt),
            Prompt::Text(text) => Ok(tokenizer.encode_prompt(text)),
            Prompt::Chat(chat) => transcript(&chat.turns)
                .map(|text| tokenizer.encode_prompt(&text))
                .ok_or(GenerateError::EmptyPrompt),
        }
    }

    /// Tokens of the prompt, and the most that the answer may have.
    fn budget(
        &self,
        prompt_length: usize,
        requested: Option<u32>,
    ) -> Result<(u32, u32), GenerateError> {
        let limit = self.shared.info.context_length;
        let prompt_tokens = u32::try_from(prompt_length).unwrap_or(u32::MAX);
        let left = limit.saturating_sub(prompt_tokens);
        let needed = requested.unwrap_or(1);
        if needed > left || prompt_tokens > limit {
            return Err(GenerateError::ContextOverflow {
                prompt_tokens,
                requested: needed,
                limit,
            });
        }
        let max_tokens = requested.unwrap_or_else(|| left.min(DEFAULT_MAX_TOKENS));
        Ok((prompt_tokens, max_tokens))
    }
}

#[cfg(test)]
mod tests;
