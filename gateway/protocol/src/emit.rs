//! Answers made by the gateway itself, as the providers write them.

pub(crate) mod chat;
mod embeddings;
mod logprobs;
pub(crate) mod messages;
mod models;
pub(crate) mod responses;

use bytes::Bytes;
use serde::Serialize;

use crate::conversation::ToolCall;
use crate::endpoint::Endpoint;
use crate::json::encode;
use crate::request::RequestView;
use crate::usage::Usage;

pub use embeddings::{Embeddings, embeddings_body};
pub use logprobs::TokenLogprob;
pub use models::{ModelEntry, models_body};

/// What an answer says about itself from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Names the answer; the protocol's prefix (`chatcmpl-`, `resp_`, `msg_`) is put before it.
    pub id: String,
    /// The model that answers.
    pub model: String,
    /// When the answer began, in seconds since 1970.
    pub created_unix: u64,
    /// Whether a chat stream ends with usage; the other protocols always tell.
    pub include_usage: bool,
}

/// Why an answer that we made ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The model was done.
    EndTurn,
    /// The limit on output was reached.
    MaxTokens,
    /// This stop sequence of the request came up.
    StopSequence(String),
    /// The model called tools and waits for their results.
    ToolCalls,
}

/// What an answer in one piece says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// The tokens of the text; none where log-probabilities were not asked for.
    pub tokens: Vec<TokenLogprob>,
    /// The calls after it.
    pub calls: Vec<ToolCall>,
}

/// Writes one answer: [`start`](Self::start), any number of [`text`](Self::text)s and
/// [`call`](Self::call)s and [`finish`](Self::finish) for a stream, or [`body`](Self::body) alone.
///
/// Calls have ids made from the answer's and their place in it.
#[derive(Debug)]
pub struct Emitter(Protocol);

#[derive(Debug)]
enum Protocol {
    Chat(chat::Writer),
    Responses(Box<responses::Writer>),
    Messages(messages::Writer),
}

/// An endpoint that answers with something else than text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not answer with text")]
pub struct NotGenerated(pub Endpoint);

impl Emitter {
    /// A writer for an answer in the endpoint's protocol.
    pub fn new(endpoint: Endpoint, meta: Meta) -> Result<Self, NotGenerated> {
        match endpoint {
            Endpoint::ChatCompletions => Ok(Protocol::Chat(chat::Writer::new(meta))),
            Endpoint::Responses => Ok(Protocol::Responses(Box::new(responses::Writer::new(meta)))),
            Endpoint::Messages => Ok(Protocol::Messages(messages::Writer::new(meta))),
            Endpoint::CountTokens | Endpoint::Embeddings => Err(NotGenerated(endpoint)),
        }
        .map(Self)
    }

    /// The events before the first text. Anthropic's tell the length of the prompt.
    pub fn start(&mut self, prompt_tokens: u64) -> Bytes {
        match &mut self.0 {
            Protocol::Chat(writer) => writer.start(),
            Protocol::Responses(writer) => writer.start(),
            Protocol::Messages(writer) => writer.start(prompt_tokens),
        }
    }

    /// Repeats in the answer what the request says of tools, as responses do.
    #[must_use]
    pub fn repeating(mut self, view: &RequestView, body: &[u8]) -> Self {
        if let Protocol::Responses(writer) = &mut self.0 {
            writer.repeat(view, body);
        }
        self
    }

    /// The events of a piece of text, with its tokens where log-probabilities were asked for.
    pub fn text(&mut self, text: &str, tokens: &[TokenLogprob]) -> Bytes {
        match &mut self.0 {
            Protocol::Chat(writer) => writer.text(text, tokens),
            Protocol::Responses(writer) => writer.text(text, tokens),
            Protocol::Messages(writer) => writer.text(text),
        }
    }

    /// The events of a call.
    pub fn call(&mut self, call: &ToolCall) -> Bytes {
        match &mut self.0 {
            Protocol::Chat(writer) => writer.call(call),
            Protocol::Responses(writer) => writer.call(call),
            Protocol::Messages(writer) => writer.call(call),
        }
    }

    /// The events after the last text or call, up to the end of the stream.
    pub fn finish(&mut self, stop: &Stop, usage: &Usage) -> Bytes {
        match &mut self.0 {
            Protocol::Chat(writer) => writer.finish(stop, usage),
            Protocol::Responses(writer) => writer.finish(stop, usage),
            Protocol::Messages(writer) => writer.finish(stop, usage),
        }
    }

    /// The whole answer as one body.
    pub fn body(&self, answer: &Answer, stop: &Stop, usage: &Usage) -> Bytes {
        match &self.0 {
            Protocol::Chat(writer) => writer.body(answer, stop, usage),
            Protocol::Responses(writer) => writer.body(answer, stop, usage),
            Protocol::Messages(writer) => writer.body(answer, stop, usage),
        }
    }
}

/// What `count_tokens` answers.
pub fn count_tokens_body(input_tokens: u64) -> Bytes {
    #[derive(Serialize)]
    struct Body {
        input_tokens: u64,
    }
    Bytes::from(encode(&Body { input_tokens }))
}

#[cfg(test)]
mod tests;
