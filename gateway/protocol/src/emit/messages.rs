//! Messages.

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Answer, Meta, Stop};
use crate::conversation::{ToolCall, as_object};
use crate::json::encode;
use crate::sse::encode_event;
use crate::usage::Usage;

#[derive(Debug)]
pub(crate) struct Writer {
    id: String,
    meta: Meta,
    /// The place of the block that comes next, or is open.
    index: u64,
    has_open_text: bool,
    /// Calls that the stream has had.
    calls: usize,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: &'a [Block<'a>],
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'a str>,
    usage: MessageUsage,
}

/// A block, or what a stream adds to one.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    ToolUse {
        id: String,
        name: &'a str,
        /// A JSON object.
        input: Box<RawValue>,
    },
    TextDelta {
        text: &'a str,
    },
    InputJsonDelta {
        partial_json: &'a str,
    },
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
        index: u64,
        content_block: Block<'a>,
    },
    ContentBlockDelta {
        index: u64,
        delta: Block<'a>,
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
        Stop::ToolCalls => "tool_use",
    }
}

fn stop_sequence(stop: &Stop) -> Option<&str> {
    match stop {
        Stop::StopSequence(sequence) => Some(sequence),
        Stop::EndTurn | Stop::MaxTokens | Stop::ToolCalls => None,
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
            index: 0,
            has_open_text: false,
            calls: 0,
        }
    }

    fn message<'a>(
        &'a self,
        content: &'a [Block<'a>],
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
        self.begin(&Usage {
            fresh_input: prompt_tokens,
            ..Usage::default()
        })
    }

    pub(super) fn text(&mut self, text: &str) -> Bytes {
        let mut events = BytesMut::new();
        self.open_text(&mut events);
        let delta = Event::ContentBlockDelta {
            index: self.index,
            delta: Block::TextDelta { text },
        };
        events.extend_from_slice(&delta.encode());
        events.freeze()
    }

    fn open_text(&mut self, events: &mut BytesMut) {
        if !self.has_open_text {
            self.has_open_text = true;
            let opening = Event::ContentBlockStart {
                index: self.index,
                content_block: Block::Text { text: "" },
            };
            events.extend_from_slice(&opening.encode());
        }
    }

    fn close_text(&mut self, events: &mut BytesMut) {
        if self.has_open_text {
            self.has_open_text = false;
            events.extend_from_slice(&close(self.index));
            self.index += 1;
        }
    }

    fn call_id(&self, index: usize) -> String {
        format!("toolu_{}_{index}", self.meta.id)
    }

    pub(super) fn call(&mut self, call: &ToolCall) -> Bytes {
        let mut events = BytesMut::new();
        self.close_text(&mut events);
        let opening = Event::ContentBlockStart {
            index: self.index,
            content_block: Block::ToolUse {
                id: self.call_id(self.calls),
                name: &call.name,
                input: input(""),
            },
        };
        let delta = Event::ContentBlockDelta {
            index: self.index,
            delta: Block::InputJsonDelta {
                partial_json: &call.arguments,
            },
        };
        for bytes in [opening.encode(), delta.encode(), close(self.index)] {
            events.extend_from_slice(&bytes);
        }
        self.calls += 1;
        self.index += 1;
        events.freeze()
    }

    pub(super) fn finish(&mut self, stop: &Stop, usage: &Usage) -> Bytes {
        let mut events = BytesMut::new();
        // A message without a block is more than clients are ready for.
        if self.index == 0 {
            self.open_text(&mut events);
        }
        self.close_text(&mut events);
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

    pub(super) fn body(&self, answer: &Answer, stop: &Stop, usage: &Usage) -> Bytes {
        let mut content = Vec::new();
        if !answer.text.is_empty() || answer.calls.is_empty() {
            content.push(Block::Text { text: &answer.text });
        }
        for (index, call) in answer.calls.iter().enumerate() {
            content.push(Block::ToolUse {
                id: self.call_id(index),
                name: &call.name,
                input: input(&call.arguments),
            });
        }
        Bytes::from(encode(&self.message(&content, Some(stop), usage)))
    }
}

/// Arguments as JSON within JSON.
fn input(arguments: &str) -> Box<RawValue> {
    RawValue::from_string(as_object(arguments)).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
