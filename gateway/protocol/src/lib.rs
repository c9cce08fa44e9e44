//! The wire formats of the LLM APIs as views over the request bytes; see [`RequestView`].
#![doc = include_str!("../README.md")]

mod amendment;
mod aside;
mod breakpoint;
mod conversation;
#[cfg(test)]
mod corpus;
mod edit;
mod embedding;
mod emit;
mod endpoint;
mod error;
pub mod json;
mod request;
pub mod sse;
mod tap;
mod usage;

pub use amendment::{LimitSpelling, ask_for_usage, clamp_output};
pub use aside::{
    Aside, AsideAnswer, AsideCall, AsideError, AsideResult, AsideTool, Heard, NamedAnswer, Said,
    may_offer, named_answers, offer,
};
pub use breakpoint::mark_prefix;
pub use conversation::{
    AnswerFormat, CallChoice, Conversation, ConversationError, Function, Penalties, Speaker,
    ToolCall, ToolResults, Turn, Unsupported,
};
pub use edit::{EditError, EditList, Shift};
pub use embedding::{EmbeddingEncoding, EmbeddingRequest};
pub use emit::{
    Answer, Embeddings, Emitter, Meta, ModelEntry, NotGenerated, Stop, TokenLogprob,
    count_tokens_body, embeddings_body, models_body,
};
pub use endpoint::{Dialect, Endpoint};
pub use error::{BudgetFacts, ErrorBody, ErrorKind, comment, keep_alive};
pub use json::{JsonError, JsonLimits, Span};
pub use request::{
    Block, BlockKind, CacheTtl, Reasoning, RequestView, ResponseFormat, Role, Sampling, Source,
    Spanned, Tool, ToolChoice, ViewError,
};
pub use tap::{Outcome, Progress, StopReason, StreamTap, TakenText, TapError, body_tap};
pub use usage::{Apart, Usage, UsageReport};
