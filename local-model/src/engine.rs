//! The engine: one model, the scheduler that runs calls on it, and the queue before that.

mod answer;
mod clock;
mod fair;
mod generation;
mod job;
mod queue;
mod scheduler;
mod score;
mod sequence;
mod stats;
mod step;

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use skinflint_kernels::{Precision, Team};
use tokio::sync::{mpsc, oneshot};

use answer::{Answer, Making};
use clock::Clock;
pub use generation::{Event, Finish, Generation, TokenLogprob, TokenUsage};
use job::{Job, Work};
use queue::{Limits, Queue, Ticket};
use scheduler::Scheduler;
use score::Scoring;
pub use score::{Prefix, ScoreRequest, Scores};
use stats::{Counters, add};
pub use stats::{EngineStats, Histogram, TTFT_BUCKETS};

use crate::error::{EngineFault, GenerateError, LoadError, LoadFault, ScoreError};
use crate::load::{Loaded, load};
use crate::model::{Compute, Model};
use crate::reply::Reply;
use crate::request::{GenerateRequest, Prompt, ToolChoice};
use crate::sampler::Sampler;
use crate::stop::StopFilter;
use crate::structure::StructureFactory;
use crate::template::Template;
use crate::tokenizer::pieces::TextPiece;
use crate::tokenizer::{TokenId, Tokenizer};

/// The most tokens that are generated for a call that names no number. Base models often do not
/// come to an end by themselves, and at some 40 tokens per second on two cores this many take about
/// as long as a client waits.
pub const DEFAULT_MAX_TOKENS: u32 = 1024;

/// Calls that run together where nothing else is said. Up to here a step takes little longer for
/// each: its time goes into fetching the weights. Beyond, every call slows the others down.
pub const DEFAULT_MAX_SEQUENCES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

/// What keys and values may take where nothing else is said: [`DEFAULT_MAX_SEQUENCES`] calls of
/// 8,192 tokens each to the default model, at 33 MiB a call, and some to spare.
pub const DEFAULT_CACHE_LIMIT_BYTES: usize = 384 << 20;

/// How an engine is run.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The threads that compute, shared by all engines of the process; their calls take turns, step
    /// by step.
    pub team: Arc<Team>,
    /// To how many bits the model rounds activations before it multiplies them with quantized weights.
    pub precision: Precision,
    /// Calls that run together. They share the price of each step.
    pub max_sequences: NonZeroUsize,
    /// Calls that may wait besides those that run.
    pub max_queue: usize,
    /// The most bytes that keys and values of running calls may take together. A call runs once
    /// there is room for its prompt and all that it may generate.
    pub cache_limit_bytes: usize,
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

/// A result of scoring that is to come.
type PendingScores = oneshot::Receiver<Result<Scores, EngineFault>>;

/// A loaded model that answers several calls at once, on a thread of its own and those of the team.
/// Clones share it; the thread ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    info: ModelInfo,
    tokenizer: Arc<Tokenizer>,
    template: Template,
    structures: StructureFactory,
    model: Arc<dyn Model>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.stop();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads the file and starts the thread. Blocks: about a second for the default model.
    pub fn load(path: &Path, options: EngineOptions) -> Result<Self, LoadError> {
        Self::load_file(path, options).map_err(|fault| LoadError::new(path, fault))
    }

    fn load_file(path: &Path, options: EngineOptions) -> Result<Self, LoadFault> {
        let clock = Clock::system();
        let began = clock.now();
        let compute = Compute {
            team: &options.team,
            precision: options.precision,
        };
        let loaded = load(compute, path)?;
        let took = clock.now().saturating_duration_since(began);
        Self::start(loaded, options, clock, took)
    }

    /// Starts the thread; reading the file took so long.
    fn start(
        loaded: Loaded,
        options: EngineOptions,
        clock: Clock,
        took: Duration,
    ) -> Result<Self, LoadFault> {
        let limit = options.context_limit.map_or(u32::MAX, NonZeroU32::get);
        let info = ModelInfo {
            context_length: loaded.model.context_length().min(limit),
            name: options.name,
            architecture: loaded.architecture.to_owned(),
            parameter_count: loaded.parameter_count,
            file_bytes: loaded.file_bytes,
            base_model: loaded.template.is_transcript(),
        };
        let tokenizer = Arc::new(loaded.tokenizer);
        let model: Arc<dyn Model> = loaded.model.into();
        let counters = Arc::new(Counters::new(took));
        let limits = Limits {
            waiting: options.max_queue,
            running: options.max_sequences.get(),
            cache_bytes: options.cache_limit_bytes,
        };
        let queue = Arc::new(Queue::new(limits, clock, Arc::clone(&counters)));
        let scheduler = Scheduler {
            team: options.team,
            model: Arc::clone(&model),
            tokenizer: Arc::clone(&tokenizer),
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
        };
        scheduler.start()?;
        Ok(Self {
            shared: Arc::new(Shared {
                info,
                structures: structures(&tokenizer),
                tokenizer,
                template: loaded.template,
                model,
                queue,
                counters,
            }),
        })
    }

    /// What is known about the model.
    pub fn info(&self) -> &ModelInfo {
        &self.shared.info
    }

    /// Tokens of a prompt, template included. Takes 0.2 to 0.3 ms per kilobyte on the calling thread
    /// with a `SentencePiece` vocabulary, some 2 ms with a byte-level one.
    pub fn count_tokens(&self, prompt: &Prompt) -> Result<usize, GenerateError> {
        Ok(self.encode(prompt)?.0.len())
    }

    /// The tokens of a prompt, template included, as [`Engine::score`] takes them. Costs as much as
    /// counting them.
    pub fn tokenize(&self, prompt: &Prompt) -> Result<Vec<u32>, GenerateError> {
        Ok(self.encode(prompt)?.0)
    }

    /// The tokens of a text that goes on with another, and where in it they are: without the start
    /// token, which is [`Engine::start_token`]. Costs as much as counting them.
    pub fn pieces(&self, text: &str) -> Vec<TextPiece> {
        self.shared.tokenizer.pieces(text)
    }

    /// The token that every prompt starts with, if the model wants one.
    pub fn start_token(&self) -> Option<u32> {
        self.shared.tokenizer.start()
    }

    /// Queues a call and returns without waiting for it. The prompt is tokenized on the calling
    /// thread (see [`Engine::count_tokens`]), and the grammar of a form compiled, which takes some
    /// milliseconds and about a second the first time: better placed from a blocking task.
    pub fn generate(&self, request: GenerateRequest) -> Result<Generation, GenerateError> {
        self.place_generation(request)
            .inspect_err(|_| self.count_refused())
    }

    fn place_generation(&self, request: GenerateRequest) -> Result<Generation, GenerateError> {
        let (prompt, template_stops) = self.encode(&request.prompt)?;
        let (prompt_tokens, max_tokens) = self.budget(prompt.len(), request.max_tokens)?;
        let is_chat = matches!(request.prompt, Prompt::Chat(_));
        let template_stops = template_stops
            .into_iter()
            .map(|stop| (stop, Finish::EndOfTurn));
        let stops = request
            .stop
            .into_iter()
            .map(|stop| (stop.clone(), Finish::StopSequence(stop)))
            .chain(template_stops);
        let (events, receiver) = mpsc::unbounded_channel();
        let (tools, tool_choice, one_call) = match &request.prompt {
            Prompt::Chat(chat) => (chat.tools.as_slice(), &chat.tool_choice, chat.one_call),
            Prompt::Text(_) => (&[][..], &ToolChoice::None, false),
        };
        let syntax = self.shared.template.tool_syntax();
        let structure =
            self.shared
                .structures
                .build(&request.format, tools, tool_choice, syntax, one_call)?;
        let may_call = !tools.is_empty() && *tool_choice != ToolChoice::None;
        let answer = Answer::new(
            Making {
                sampler: Sampler::new(&request.sampling, request.logprobs, structure),
                filter: StopFilter::new(stops, is_chat),
                reply: Reply::new(syntax, may_call),
            },
            prompt_tokens,
            max_tokens,
            events,
            self.shared.queue.clock().now(),
        );
        let positions = prompt.len() + max_tokens as usize;
        let ticket = self.shared.queue.push(Job {
            tokens: prompt,
            before: None,
            max_tokens,
            cache_bytes: self.shared.model.cache_bytes(positions),
            tenant: request.tenant.map(Into::into),
            deadline: request.deadline,
            work: Work::Generate(Box::new(answer)),
        })?;
        Ok(Generation::new(prompt_tokens, receiver, ticket))
    }

    /// How likely a text is, token by token. Shares steps, places and the queue with other calls.
    /// Dropping the future gives the call up.
    pub async fn score(&self, request: ScoreRequest) -> Result<Scores, ScoreError> {
        let (receiver, ticket) = self
            .place_scoring(request)
            .inspect_err(|_| self.count_refused())?;
        // The scheduler lets go of a call without a last word only when the engine is stopped.
        let scores = receiver.await.unwrap_or(Err(EngineFault::Stopped));
        drop(ticket);
        Ok(scores?)
    }

    fn place_scoring(
        &self,
        request: ScoreRequest,
    ) -> Result<(PendingScores, Ticket), GenerateError> {
        let ScoreRequest {
            tokens,
            after,
            keep,
            tenant,
            deadline,
        } = request;
        let before = after.as_ref().map_or(0, |prefix| prefix.tokens().len());
        let length = before + tokens.len();
        self.check_tokens(&tokens)?;
        self.budget(length, Some(0))?;
        let (result, receiver) = oneshot::channel();
        let scored = tokens.len() + usize::from(before > 0);
        let ticket = self.shared.queue.push(Job {
            max_tokens: 0,
            cache_bytes: if keep || before > 0 {
                self.shared.model.cache_bytes_keeping_all(length)
            } else {
                self.shared.model.cache_bytes(length)
            },
            tokens,
            before: after,
            tenant: tenant.map(Into::into),
            deadline,
            work: Work::Score(Scoring::new(scored, keep, result)),
        })?;
        Ok((receiver, ticket))
    }

    /// What the engine has done since it was loaded, and what it is at. Cheap.
    pub fn stats(&self) -> EngineStats {
        self.shared.queue.stats()
    }

    /// Refuses new calls and gives up those that wait; those that run go on to their end.
    pub fn stop(&self) {
        self.shared.queue.stop();
    }

    fn count_refused(&self) {
        add(&self.shared.counters.refused, 1);
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), GenerateError> {
        let size = self.shared.tokenizer.size();
        if tokens.is_empty() {
            return Err(GenerateError::EmptyPrompt);
        }
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= size) {
            return Err(GenerateError::UnknownToken { token, size });
        }
        Ok(())
    }

    /// Tokens of a prompt, and where its template says that the answer ends.
    fn encode(&self, prompt: &Prompt) -> Result<(Vec<u32>, Vec<String>), GenerateError> {
        let tokenizer = &self.shared.tokenizer;
        match prompt {
            Prompt::Text(text) if text.is_empty() => Err(GenerateError::EmptyPrompt),
            Prompt::Text(text) => Ok((tokenizer.encode_prompt(text), Vec::new())),
            Prompt::Chat(chat) => {
                let rendered = self.shared.template.render(chat, tokenizer, None)?;
                Ok((tokenizer.encode_rendered(&rendered), rendered.stops))
            }
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

/// What forms answers can be held to, by the tokens of the vocabulary.
fn structures(tokenizer: &Arc<Tokenizer>) -> StructureFactory {
    let ends = tokenizer.end_ids().to_vec();
    let tokenizer = Arc::clone(tokenizer);
    StructureFactory::new(
        move || {
            let tokenizer = Arc::clone(&tokenizer);
            let ids = (0..).take(tokenizer.size());
            ids.map(move |id: TokenId| (tokenizer.token_bytes(id), tokenizer.is_special(id)))
        },
        ends,
    )
}

#[cfg(test)]
mod tests;
