//! Responses: messages of one text each, and calls of functions.

mod shape;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use self::shape::{
    Asked, Call, Event, IncompleteDetails, Item, Message, Part, Response, ResponseUsage,
};
use super::logprobs::{self, TokenLogprob};
use super::{Answer, Meta, Stop};
use crate::conversation::ToolCall;
use crate::json::encode;
use crate::request::RequestView;
use crate::sse::encode_event;
use crate::usage::Usage;

#[derive(Debug)]
pub(crate) struct Writer {
    about: About,
    /// The items that the stream has had, which its last event repeats.
    output: Vec<Item>,
    /// The message that is open.
    open: Option<Open>,
    stream: Numbered,
}

/// What every event of a response says of it.
#[derive(Debug)]
struct About {
    id: String,
    meta: Meta,
    asked: Asked,
}

#[derive(Debug)]
struct Open {
    id: String,
    part: Part,
}

/// Events on their way out, each with the next number.
#[derive(Debug, Default)]
struct Numbered {
    next: u64,
    bytes: BytesMut,
}

impl Numbered {
    fn push(&mut self, event: Event<'_>) {
        let event = Event {
            sequence_number: self.next,
            ..event
        };
        self.next += 1;
        let event = encode_event(Some(event.r#type), &encode(&event));
        self.bytes.extend_from_slice(&event);
    }

    fn take(&mut self) -> Bytes {
        self.bytes.split().freeze()
    }
}

const fn status(stop: &Stop) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::StopSequence(_) | Stop::ToolCalls => "completed",
        Stop::MaxTokens => "incomplete",
    }
}

/// The `usage` member of a response.
pub(crate) fn usage_member(usage: &Usage) -> String {
    encode(&ResponseUsage::from(usage))
}

impl About {
    fn response<'a>(
        &'a self,
        output: &'a [Item],
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
            asked: &self.asked,
            usage: usage.map(Into::into),
        }
    }

    /// The id of a message; the first one has the answer's own.
    fn message_id(&self, index: usize) -> String {
        match index {
            0 => format!("msg_{}", self.meta.id),
            _ => format!("msg_{}_{index}", self.meta.id),
        }
    }

    fn message(id: String, status: &'static str, content: Vec<Part>) -> Item {
        Item::Message(Message {
            id,
            r#type: "message",
            status,
            role: "assistant",
            content,
        })
    }

    fn call(&self, index: usize, call: &ToolCall) -> Call {
        Call {
            id: format!("fc_{}_{index}", self.meta.id),
            r#type: "function_call",
            status: "completed",
            call_id: format!("call_{}_{index}", self.meta.id),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        }
    }
}

impl Writer {
    pub(crate) fn new(meta: Meta) -> Self {
        Self {
            about: About {
                id: format!("resp_{}", meta.id),
                meta,
                asked: Asked::default(),
            },
            output: Vec::new(),
            open: None,
            stream: Numbered::default(),
        }
    }

    /// Takes in what the request says of tools.
    pub(super) fn repeat(&mut self, view: &RequestView, body: &[u8]) {
        let body = body.get(view.body.clone()).unwrap_or_default();
        let Ok(Value::Object(mut body)) = serde_json::from_slice(body) else {
            return;
        };
        let asked = &mut self.about.asked;
        let mut said = |key| body.remove(key).filter(|value: &Value| !value.is_null());
        if let Some(tools) = said("tools") {
            asked.tools = tools;
        }
        if let Some(choice) = said("tool_choice") {
            asked.tool_choice = choice;
        }
        if let Some(Value::Bool(parallel)) = said("parallel_tool_calls") {
            asked.parallel_tool_calls = parallel;
        }
    }

    /// The response as it is told before its first item.
    pub(crate) fn begun(&self) -> String {
        encode(&self.about.response(&[], None, None))
    }

    pub(super) fn start(&mut self) -> Bytes {
        for kind in ["response.created", "response.in_progress"] {
            let response = self.about.response(&[], None, None);
            self.stream.push(Event::of_response(kind, response));
        }
        self.stream.take()
    }

    pub(super) fn text(&mut self, text: &str, tokens: &[TokenLogprob]) -> Bytes {
        self.open_message();
        if let Some(open) = &mut self.open {
            let logprobs = logprobs::entries(tokens);
            self.stream.push(Event {
                content_index: Some(0),
                delta: Some(text),
                logprobs: Some(&logprobs),
                ..Event::within("response.output_text.delta", self.output.len(), &open.id)
            });
            open.part.text.push_str(text);
            open.part.logprobs.extend(logprobs);
        }
        self.stream.take()
    }

    pub(super) fn call(&mut self, call: &ToolCall) -> Bytes {
        self.close_message("completed");
        let place = self.output.len();
        let calls = self.output.iter();
        let index = calls.filter(|item| matches!(item, Item::Call(_))).count();
        let whole = self.about.call(index, call);
        let begun = Item::Call(Call {
            status: "in_progress",
            arguments: String::new(),
            ..whole.clone()
        });
        self.stream
            .push(Event::of_item("response.output_item.added", place, &begun));
        self.stream.push(Event {
            delta: Some(&whole.arguments),
            ..Event::within("response.function_call_arguments.delta", place, &whole.id)
        });
        self.stream.push(Event {
            name: Some(&whole.name),
            arguments: Some(&whole.arguments),
            ..Event::within("response.function_call_arguments.done", place, &whole.id)
        });
        let item = Item::Call(whole);
        self.stream
            .push(Event::of_item("response.output_item.done", place, &item));
        self.output.push(item);
        self.stream.take()
    }

    pub(super) fn finish(&mut self, stop: &Stop, usage: &Usage) -> Bytes {
        // A response without output is more than clients are ready for.
        if self.output.is_empty() {
            self.open_message();
        }
        self.close_message(status(stop));
        let last = match stop {
            Stop::MaxTokens => "response.incomplete",
            Stop::EndTurn | Stop::StopSequence(_) | Stop::ToolCalls => "response.completed",
        };
        let response = self.about.response(&self.output, Some(stop), Some(usage));
        self.stream.push(Event::of_response(last, response));
        self.stream.take()
    }

    /// Announces a message, unless one is open.
    fn open_message(&mut self) {
        if self.open.is_some() {
            return;
        }
        let place = self.output.len();
        let messages = self.output.iter();
        let messages = messages.filter(|item| matches!(item, Item::Message(_)));
        let id = self.about.message_id(messages.count());
        let part = Part::new(String::new(), Vec::new());
        let item = About::message(id.clone(), "in_progress", Vec::new());
        self.stream
            .push(Event::of_item("response.output_item.added", place, &item));
        self.stream.push(Event {
            content_index: Some(0),
            part: Some(&part),
            ..Event::within("response.content_part.added", place, &id)
        });
        self.open = Some(Open { id, part });
    }

    /// Closes the message that is open.
    fn close_message(&mut self, status: &'static str) {
        let Some(Open { id, part }) = self.open.take() else {
            return;
        };
        let place = self.output.len();
        self.stream.push(Event {
            content_index: Some(0),
            text: Some(&part.text),
            logprobs: Some(&part.logprobs),
            ..Event::within("response.output_text.done", place, &id)
        });
        self.stream.push(Event {
            content_index: Some(0),
            part: Some(&part),
            ..Event::within("response.content_part.done", place, &id)
        });
        let item = About::message(id, status, vec![part]);
        self.stream
            .push(Event::of_item("response.output_item.done", place, &item));
        self.output.push(item);
    }

    pub(super) fn body(&self, answer: &Answer, stop: &Stop, usage: &Usage) -> Bytes {
        let mut output = Vec::new();
        if !answer.text.is_empty() || answer.calls.is_empty() {
            // What calls follow was said to its end.
            let status = if answer.calls.is_empty() {
                status(stop)
            } else {
                "completed"
            };
            let part = Part::new(answer.text.clone(), logprobs::entries(&answer.tokens));
            output.push(About::message(self.about.message_id(0), status, vec![part]));
        }
        for (index, call) in answer.calls.iter().enumerate() {
            output.push(Item::Call(self.about.call(index, call)));
        }
        let response = self.about.response(&output, Some(stop), Some(usage));
        Bytes::from(encode(&response))
    }
}
