//! Messages.

use bytes::{Bytes, BytesMut};
use serde::Serialize;

use super::{Meta, Stop};
use crate::json::encode;
use crate::sse::encode_event;
use crate::usage::Usage;

#[derive(Debug)]
pub(crate) struct Writer {
    id: String,
    meta: Meta,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: &'a [Text<'a>],
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'a str>,
    usage: MessageUsage,
}

#[derive(Serialize)]
struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct MessageUsage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    /// Only in a message; a delta tells the sum alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation: Option<CacheCreation>,
    output_tokens: u64,
}

#[derive(Serialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    MessageStart {
        message: Message<'a>,
    },
    ContentBlockStart {
        index: u32,
        content_block: Text<'a>,
    },
    ContentBlockDelta {
        index: u32,
        delta: Text<'a>,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: StopDelta<'a>,
        usage: MessageUsage,
    },
    MessageStop,
}

#[derive(Serialize)]
struct StopDelta<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
}

impl Event<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        }
    }

    fn encode(&self) -> Bytes {
        encode_event(Some(self.name()), &encode(self))
    }
}

impl From<&Usage> for MessageUsage {
    fn from(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.fresh_input,
            cache_creation_input_tokens: usage.cache_write(),
            cache_read_input_tokens: usage.cache_read,
            cache_creation: Some(CacheCreation {
                ephemeral_5m_input_tokens: usage.cache_write_5m,
                ephemeral_1h_input_tokens: usage.cache_write_1h,
            }),
            output_tokens: usage.output,
        }
    }
}

const fn stop_reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::EndTurn => "end_turn",
        Stop::MaxTokens => "max_tokens",
        Stop::StopSequence(_) => "stop_sequence",
    }
}

fn stop_sequence(stop: &Stop) -> Option<&str> {
    match stop {
        Stop::StopSequence(sequence) => Some(sequence),
        Stop::EndTurn | Stop::MaxTokens => None,
    }
}

/// The end of a block.
pub(crate) fn close(index: u64) -> Bytes {
    Event::ContentBlockStop { index }.encode()
}

/// The stop of a message that is cut at the limit on output.
pub(crate) fn cut(usage: &Usage) -> Bytes {
    stop_event(&Stop::MaxTokens, usage)
}

/// The last event.
pub(crate) fn end() -> Bytes {
    Event::MessageStop.encode()
}

/// Tells why the message ended and what it used.
fn stop_event(stop: &Stop, usage: &Usage) -> Bytes {
    Event::MessageDelta {
        delta: StopDelta {
            stop_reason: stop_reason(stop),
            stop_sequence: stop_sequence(stop),
        },
        usage: MessageUsage {
            cache_creation: None,
            ..usage.into()
        },
    }
    .encode()
}

impl Writer {
    pub(crate) fn new(meta: Meta) -> Self {
        Self {
            id: format!("msg_{}", meta.id),
            meta,
        }
    }

    fn message<'a>(
        &'a self,
        content: &'a [Text<'a>],
        stop: Option<&'a Stop>,
        usage: &Usage,
    ) -> Message<'a> {
        Message {
            id: &self.id,
            r#type: "message",
            role: "assistant",
            model: &self.meta.model,
            content,
            stop_reason: stop.map(stop_reason),
            stop_sequence: stop.and_then(stop_sequence),
            usage: usage.into(),
        }
    }

    pub(super) fn start(&self, prompt_tokens: u64) -> Bytes {
        let usage = Usage {
            fresh_input: prompt_tokens,
            ..Usage::default()
        };
        let block = Event::ContentBlockStart {
            index: 0,
            content_block: Text {
                r#type: "text",
                text: "",
            },
        };
        let mut events = BytesMut::from(self.begin(&usage));
        events.extend_from_slice(&block.encode());
        events.freeze()
    }

    #[expect(clippy::unused_self, reason = "the three writers are called alike")]
    pub(super) fn delta(&self, text: &str) -> Bytes {
        Event::ContentBlockDelta {
            index: 0,
            delta: Text {
                r#type: "text_delta",
                text,
            },
        }
        .encode()
    }

    #[expect(clippy::unused_self, reason = "the three writers are called alike")]
    pub(super) fn finish(&self, stop: &Stop, usage: &Usage) -> Bytes {
        let mut events = BytesMut::from(close(0));
        events.extend_from_slice(&stop_event(stop, usage));
        events.extend_from_slice(&end());
        events.freeze()
    }

    /// The event before the first block.
    pub(crate) fn begin(&self, usage: &Usage) -> Bytes {
        Event::MessageStart {
            message: self.message(&[], None, usage),
        }
        .encode()
    }

    pub(super) fn body(&self, text: &str, stop: &Stop, usage: &Usage) -> Bytes {
        let content = [Text {
            r#type: "text",
            text,
        }];
        Bytes::from(encode(&self.message(&content, Some(stop), usage)))
    }
}
