//! The local model behind a few plain functions: [`Ours`], and [`encoders`].

pub mod encoders;

use std::error::Error;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skinflint_local_model::{
    Engine, EngineFault, EngineOptions, Event, Finish, GenerateError, GenerateRequest, Generation,
    LoadError, Precision, Prompt, Sampling, ScoreError, ScoreRequest, Team, TokenLogprob,
};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

/// Calls that may be placed at once, running or waiting.
const MAX_CALLS: usize = 64;

/// What keys and values may take: enough for whatever is compared or measured here.
const CACHE_LIMIT_BYTES: usize = 1 << 30;

/// What the local model refuses or fails at.
#[derive(Debug, Error)]
pub enum OursError {
    /// The threads cannot be started.
    #[error("cannot start threads")]
    Threads(#[source] io::Error),
    /// The model cannot be loaded.
    #[error("the local model cannot be loaded")]
    Load(#[source] LoadError),
    /// A call was refused.
    #[error("the local model refuses a call")]
    Refused(#[source] GenerateError),
    /// A call failed.
    #[error("the local model fails")]
    Failed(#[source] EngineFault),
    /// A text was not scored.
    #[error("the local model does not score a text")]
    Score(#[source] ScoreError),
    /// A text was not encoded.
    #[error("the local model does not encode a text")]
    Encode(#[source] Box<dyn Error + Send + Sync>),
    /// An answer ended without a last word.
    #[error("an answer has no end")]
    Endless,
}

/// A model in our engine.
#[derive(Debug)]
pub struct Ours {
    engine: Engine,
    runtime: Runtime,
}

/// A greedy answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was said.
    pub text: String,
    /// The tokens that it is made of, if they were asked for.
    pub tokens: Vec<TokenLogprob>,
    /// Whether the model ended it, and not the most tokens that were allowed.
    pub ended: bool,
    /// Tokens generated.
    pub token_count: u32,
    /// From the call to the first text.
    pub until_first: Duration,
    /// From the call to the end.
    pub until_end: Duration,
}

impl Ours {
    /// Loads a GGUF file or a folder as Hugging Face lays it out.
    pub fn load(
        path: &Path,
        precision: Precision,
        threads: NonZeroUsize,
        max_sequences: NonZeroUsize,
    ) -> Result<Self, OursError> {
        let team = Team::new(threads).map_err(OursError::Threads)?;
        let options = EngineOptions {
            team: Arc::new(team),
            precision,
            max_sequences,
            max_queue: MAX_CALLS,
            cache_limit_bytes: CACHE_LIMIT_BYTES,
            context_limit: None,
            name: "model".to_owned(),
        };
        let engine = Engine::load(path, options).map_err(OursError::Load)?;
        Ok(Self {
            engine,
            runtime: runtime()?,
        })
    }

    /// The tokens of a text, as a prompt has them.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>, OursError> {
        self.engine
            .tokenize(&Prompt::Text(text.to_owned()))
            .map_err(OursError::Refused)
    }

    /// Goes on with a text by always taking the likeliest token, at most `count` times, without penalties.
    pub fn greedy(&self, text: &str, count: u32, logprobs: bool) -> Result<Answer, OursError> {
        let placed = Instant::now();
        let generation = self.place(text, count, logprobs)?;
        self.runtime.block_on(collect(generation, placed))
    }

    /// As [`Ours::greedy`], with several texts at once.
    pub fn greedy_together(&self, texts: &[&str], count: u32) -> Result<Vec<Answer>, OursError> {
        let placed = Instant::now();
        let generations = texts
            .iter()
            .map(|text| self.place(text, count, false))
            .collect::<Result<Vec<_>, _>>()?;
        self.runtime.block_on(async {
            let mut answers = Vec::with_capacity(generations.len());
            for generation in generations {
                answers.push(collect(generation, placed).await?);
            }
            Ok(answers)
        })
    }

    /// The log-probability of each token but the first, after those before it.
    pub fn score(&self, tokens: &[u32]) -> Result<Vec<f32>, OursError> {
        let request = ScoreRequest {
            tokens: tokens.to_vec(),
            ..ScoreRequest::default()
        };
        let scores = self
            .runtime
            .block_on(self.engine.score(request))
            .map_err(OursError::Score)?;
        Ok(scores.logprobs)
    }

    fn place(&self, text: &str, count: u32, logprobs: bool) -> Result<Generation, OursError> {
        let request = GenerateRequest {
            max_tokens: Some(count),
            sampling: Sampling {
                temperature: Some(0.0),
                repetition_penalty: Some(1.0),
                presence_penalty: Some(0.0),
                frequency_penalty: Some(0.0),
                ..Sampling::default()
            },
            logprobs: logprobs.then_some(0),
            ..GenerateRequest::new(Prompt::Text(text.to_owned()))
        };
        self.engine.generate(request).map_err(OursError::Refused)
    }
}

fn runtime() -> Result<Runtime, OursError> {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(OursError::Threads)
}

async fn collect(mut generation: Generation, placed: Instant) -> Result<Answer, OursError> {
    let mut text = String::new();
    let mut tokens = Vec::new();
    let mut until_first = None;
    while let Some(event) = generation.next().await {
        match event {
            Event::Text {
                text: piece,
                tokens: of_piece,
            } => {
                until_first.get_or_insert_with(|| placed.elapsed());
                text.push_str(&piece);
                tokens.extend(of_piece);
            }
            Event::Call(_) => {}
            Event::Done { finish, usage } => {
                let until_end = placed.elapsed();
                // What ends the answer is none of its tokens. It has no bytes, as other control tokens have none.
                let ended = finish != Finish::MaxTokens;
                tokens.pop_if(|token: &mut TokenLogprob| ended && token.bytes.is_empty());
                return Ok(Answer {
                    text,
                    tokens,
                    ended,
                    token_count: usage.completion_tokens,
                    until_first: until_first.unwrap_or(until_end),
                    until_end,
                });
            }
            Event::Failed(fault) => return Err(OursError::Failed(fault)),
        }
    }
    Err(OursError::Endless)
}
