//! What is kept of a stream so that it can be ended before its provider ends it.

mod messages;
mod output;
mod responses;

use bytes::Bytes;

use super::StreamTap;
use crate::emit::{self, Meta};
use crate::endpoint::Endpoint;
use crate::json::Value;
use crate::usage::Usage;

#[derive(Debug)]
pub(super) enum Ending {
    Chat(Chat),
    Messages(messages::Blocks),
    Responses(responses::Said),
}

/// What a chat stream says in its chunks beside what the tap keeps anyway.
#[derive(Debug, Default)]
pub(super) struct Chat {
    created: Option<u64>,
    has_usage_chunk: bool,
}

impl Ending {
    /// None for an endpoint that answers with something else than text.
    pub(super) fn new(endpoint: Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::ChatCompletions => Some(Self::Chat(Chat::default())),
            Endpoint::Messages => Some(Self::Messages(messages::Blocks::default())),
            Endpoint::Responses => Some(Self::Responses(responses::Said::default())),
            Endpoint::CountTokens | Endpoint::Embeddings => None,
        }
    }

    pub(super) fn observe(&mut self, event: Value<'_>) {
        match self {
            Self::Chat(chat) => chat.observe(event),
            Self::Messages(blocks) => blocks.observe(event),
            Self::Responses(said) => said.observe(event),
        }
    }

    pub(super) fn finish(&self, tap: &StreamTap, meta: &Meta, usage: Option<&Usage>) -> Bytes {
        match self {
            Self::Chat(chat) => chat.finish(tap, meta, usage),
            Self::Messages(blocks) => blocks.finish(tap, meta, usage),
            Self::Responses(said) => said.finish(tap, meta, usage),
        }
    }
}

impl Chat {
    fn observe(&mut self, chunk: Value<'_>) {
        if self.created.is_none() {
            self.created = chunk.get("created").and_then(|created| created.as_u64());
        }
        let has_choices = chunk
            .get("choices")
            .and_then(|choices| choices.as_array())
            .is_some_and(|mut choices| choices.next().is_some());
        self.has_usage_chunk |= !has_choices && chunk.non_null("usage").is_some();
    }

    fn finish(&self, tap: &StreamTap, meta: &Meta, usage: Option<&Usage>) -> Bytes {
        let mut about = meta.clone();
        if let Some(model) = tap.model() {
            model.clone_into(&mut about.model);
        }
        about.created_unix = self.created.unwrap_or(meta.created_unix);
        let usage = usage.filter(|_| meta.include_usage && !self.has_usage_chunk);
        let writer = emit::chat::Writer::resumed(tap.response_id(), about);
        let mut events = Vec::new();
        if tap.choices.have_begun() {
            for index in tap.choices.open() {
                events.extend_from_slice(&writer.cut(index));
            }
        } else {
            events.extend_from_slice(&writer.start());
            events.extend_from_slice(&writer.cut(0));
        }
        events.extend_from_slice(&writer.end(usage));
        Bytes::from(events)
    }
}

#[cfg(test)]
mod tests;
