//! The blocks of a message that are open.

use bytes::Bytes;

use crate::emit::Meta;
use crate::emit::messages::{Writer, close, cut, end};
use crate::json::Value;
use crate::tap::StreamTap;
use crate::usage::Usage;

/// Anthropic opens one block at a time; more than this is no message.
const MAX_OPEN: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Blocks {
    has_started: bool,
    open: Vec<u64>,
}

impl Blocks {
    pub(super) fn observe(&mut self, event: Value<'_>) {
        let kind = event.get("type").and_then(|kind| kind.as_str());
        let index = event.get("index").and_then(|index| index.as_u64());
        match (kind.as_deref(), index) {
            (Some("message_start"), _) => self.has_started = true,
            (Some("content_block_start"), Some(index)) if self.open.len() < MAX_OPEN => {
                self.open.push(index);
            }
            (Some("content_block_stop"), Some(index)) => self.open.retain(|open| *open != index),
            _ => {}
        }
    }

    /// A call whose block is closed here has arguments that do not parse, as it has where the provider
    /// itself stops.
    pub(super) fn finish(&self, tap: &StreamTap, meta: &Meta, usage: Option<&Usage>) -> Bytes {
        let usage = usage.copied().unwrap_or_default();
        let mut events = Vec::new();
        if !self.has_started {
            events.extend_from_slice(&Writer::new(meta.clone()).begin(&usage));
        }
        for index in &self.open {
            events.extend_from_slice(&close(*index));
        }
        if tap.stop_reason().is_none() {
            events.extend_from_slice(&cut(&usage));
        }
        events.extend_from_slice(&end());
        Bytes::from(events)
    }
}
