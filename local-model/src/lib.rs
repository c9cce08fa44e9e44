#![doc = include_str!("../README.md")]
#![cfg_attr(
    test,
    expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers in tests are small"
    )
)]

mod catalog;
mod checkpoint;
mod checksum;
mod encoding;
mod engine;
mod error;
#[cfg(test)]
mod fixture;
mod gguf;
mod load;
mod model;
mod pull;
mod request;
pub mod sampler;
mod stop;
mod store;
mod template;
mod tokenizer;
mod tool_syntax;

pub use catalog::{CATALOG, CatalogEntry, Package};
pub use encoding::{
    Classified, ClassifiedToken, DEFAULT_MAX_TEXTS, DEFAULT_MEMO_BYTES, Embedder, Embeddings,
    EncoderOptions, TokenClassifier,
};
pub use engine::{
    DEFAULT_CACHE_LIMIT_BYTES, DEFAULT_MAX_SEQUENCES, DEFAULT_MAX_TOKENS, Engine, EngineOptions,
    EngineStats, Event, Finish, Generation, Histogram, ModelInfo, Prefix, ScoreRequest, Scores, TTFT_BUCKETS,
    TokenLogprob, TokenUsage,
};
pub use error::{EngineFault, GenerateError, LoadError, LoadFault, ScoreError};
pub use pull::{Progress, PullError, pull};
pub use request::{
    Chat, Format, GenerateRequest, Prompt, Role, Sampling, Tool, ToolCall, ToolChoice, Turn,
};
pub use skinflint_kernels::Team;
pub use store::{StoreError, locate, verify};
