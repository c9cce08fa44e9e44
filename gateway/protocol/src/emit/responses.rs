//! Responses: one message of one text.

use bytes::{Bytes, BytesMut};
use serde::Serialize;

use super::{Meta, Stop};
use crate::json::encode;
use crate::sse::encode_event;
use crate::usage::Usage;

#[derive(Debug)]
pub(crate) struct Writer {
    id: String,
    item_id: String,
    meta: Meta,
    /// What the stream has said, which its last events repeat.
    said: String,
    sequence: u64,
}

#[derive(Serialize)]
struct Response<'a> {
    id: &'a str,
    object: &'static str,
    created_at: u64,
    status: &'static str,
    error: (),
    incomplete_details: Option<IncompleteDetails>,
    model: &'a str,
    output: &'a [Item<'a>],
    parallel_tool_calls: bool,
    tool_choice: &'static str,
    tools: [(); 0],
    usage: Option<ResponseUsage>,
}

#[derive(Serialize)]
struct IncompleteDetails {
    reason: &'static str,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    r#type: &'static str,
    status: &'static str,
    role: &'static str,
    content: &'a [Part<'a>],
}

#[derive(Serialize)]
struct Part<'a> {
    r#type: &'static str,
    text: &'a str,
    annotations: [(); 0],
    logprobs: [(); 0],
}

impl<'a> Part<'a> {
    const fn new(text: &'a str) -> Self {
        Self {
            r#type: "output_text",
            text,
            annotations: [],
            logprobs: [],
        }
    }
}

#[derive(Serialize)]
struct ResponseUsage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl From<&Usage> for ResponseUsage {
    fn from(usage: &Usage) -> Self {
        Self {
            input_tokens: usage.input(),
            input_tokens_details: InputDetails {
                cached_tokens: usage.cache_read,
                cache_write_tokens: usage.cache_write(),
            },
            output_tokens: usage.output,
            output_tokens_details: OutputDetails {
                reasoning_tokens: usage.reasoning,
            },
            total_tokens: usage.input().saturating_add(usage.output),
        }
    }
}

/// An event; members that a kind of event does not have are left out.
#[derive(Serialize, Default)]
struct Event<'a> {
    r#type: &'static str,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Response<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Item<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<[(); 0]>,
}

impl<'a> Event<'a> {
    fn of_response(r#type: &'static str, response: Response<'a>) -> Self {
        Self {
            r#type,
            response: Some(response),
            ..Self::default()
        }
    }

    fn of_item(r#type: &'static str, item: Item<'a>) -> Self {
        Self {
            r#type,
            output_index: Some(0),
            item: Some(item),
            ..Self::default()
        }
    }

    fn of_text(r#type: &'static str, item_id: &'a str) -> Self {
        Self {
            r#type,
            item_id: Some(item_id),
            output_index: Some(0),
            content_index: Some(0),
            ..Self::default()
        }
    }
}

const fn status(stop: &Stop) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::StopSequence(_) => "completed",
        Stop::MaxTokens => "incomplete",
    }
}

/// The `usage` member of a response.
pub(crate) fn usage_member(usage: &Usage) -> String {
    encode(&ResponseUsage::from(usage))
}

impl Writer {
    pub(crate) fn new(meta: Meta) -> Self {
        Self {
            id: format!("resp_{}", meta.id),
            item_id: format!("msg_{}", meta.id),
            meta,
            said: String::new(),
            sequence: 0,
        }
    }

    fn response<'a>(
        &'a self,
        output: &'a [Item<'a>],
        stop: Option<&Stop>,
        usage: Option<&Usage>,
    ) -> Response<'a> {
        Response {
            id: &self.id,
            object: "response",
            created_at: self.meta.created_unix,
            status: stop.map_or("in_progress", status),
            error: (),
            incomplete_details: match stop {
                Some(Stop::MaxTokens) => Some(IncompleteDetails {
                    reason: "max_output_tokens",
                }),
                _ => None,
            },
            model: &self.meta.model,
            output,
            parallel_tool_calls: true,
            tool_choice: "auto",
            tools: [],
            usage: usage.map(Into::into),
        }
    }

    /// The response as it is told before its first item.
    pub(crate) fn begun(&self) -> String {
        encode(&self.response(&[], None, None))
    }

    fn item<'a>(&'a self, status: &'static str, content: &'a [Part<'a>]) -> Item<'a> {
        Item {
            id: &self.item_id,
            r#type: "message",
            status,
            role: "assistant",
            content,
        }
    }

    /// Numbers the events from where the stream stands and writes them.
    fn write<const N: usize>(&self, events: [Event<'_>; N]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for (sequence_number, event) in (self.sequence..).zip(events) {
            let event = Event {
                sequence_number,
                ..event
            };
            bytes.extend_from_slice(&encode_event(Some(event.r#type), &encode(&event)));
        }
        bytes
    }

    pub(super) fn start(&mut self) -> Bytes {
        let part = Event {
            part: Some(Part::new("")),
            ..Event::of_text("response.content_part.added", &self.item_id)
        };
        let bytes = self.write([
            Event::of_response("response.created", self.response(&[], None, None)),
            Event::of_response("response.in_progress", self.response(&[], None, None)),
            Event::of_item("response.output_item.added", self.item("in_progress", &[])),
            part,
        ]);
        self.sequence += 4;
        bytes.freeze()
    }

    pub(super) fn delta(&mut self, text: &str) -> Bytes {
        self.said.push_str(text);
        let bytes = self.write([Event {
            delta: Some(text),
            logprobs: Some([]),
            ..Event::of_text("response.output_text.delta", &self.item_id)
        }]);
        self.sequence += 1;
        bytes.freeze()
    }

    pub(super) fn finish(&mut self, stop: &Stop, usage: &Usage) -> Bytes {
        let text = Event {
            text: Some(&self.said),
            logprobs: Some([]),
            ..Event::of_text("response.output_text.done", &self.item_id)
        };
        let part = Event {
            part: Some(Part::new(&self.said)),
            ..Event::of_text("response.content_part.done", &self.item_id)
        };
        let content = [Part::new(&self.said)];
        let output = [self.item(status(stop), &content)];
        let last = match stop {
            Stop::MaxTokens => "response.incomplete",
            Stop::EndTurn | Stop::StopSequence(_) => "response.completed",
        };
        let bytes = self.write([
            text,
            part,
            Event::of_item(
                "response.output_item.done",
                self.item(status(stop), &content),
            ),
            Event::of_response(last, self.response(&output, Some(stop), Some(usage))),
        ]);
        self.sequence += 4;
        bytes.freeze()
    }

    pub(super) fn body(&self, text: &str, stop: &Stop, usage: &Usage) -> Bytes {
        let content = [Part::new(text)];
        let output = [self.item(status(stop), &content)];
        Bytes::from(encode(&self.response(&output, Some(stop), Some(usage))))
    }
}
