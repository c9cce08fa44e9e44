//! The wire formats of the LLM APIs as views over the request bytes; see [`RequestView`].
#![doc = include_str!("../README.md")]

mod conversation;
#[cfg(test)]
mod corpus;
mod edit;
mod emit;
mod endpoint;
mod error;
pub mod json;
mod request;
pub mod sse;
mod tap;
mod usage;

pub use conversation::{Conversation, Speaker, Turn, Unsupported};
pub use edit::{EditError, EditList};
pub use emit::{Emitter, Meta, ModelEntry, NotGenerated, Stop, count_tokens_body, models_body};
pub use endpoint::{Dialect, Endpoint};
pub use error::{ErrorBody, ErrorKind, keep_alive};
pub use json::{JsonError, JsonLimits, Span};
pub use request::{
    Block, BlockKind, RequestView, ResponseFormat, Role, Sampling, Source, Spanned, Tool,
    ToolChoice, ViewError,
};
pub use tap::{Outcome, Progress, StopReason, StreamTap, TapError, body_tap};
pub use usage::{Usage, UsageReport};
