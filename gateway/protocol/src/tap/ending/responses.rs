//! What a response has said so far.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;

use super::output::{Channel, OpenItem};
use crate::emit::Meta;
use crate::emit::responses::{Writer, usage_member};
use crate::json::{Value, literal, with_members};
use crate::sse::encode_event;
use crate::tap::StreamTap;
use crate::usage::Usage;

/// Bytes of a response that are kept. Of a longer one nothing is, and it ends with an empty output:
/// its text has reached the client anyway.
const MAX_KEPT: usize = 16 << 20;

#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The response object, as the latest event of its life told it.
    response: Option<String>,
    items: BTreeMap<u64, Item>,
    kept_bytes: usize,
    is_too_long: bool,
}

#[derive(Debug)]
enum Item {
    Open(Box<OpenItem>),
    /// As its last event told it.
    Closed(String),
}

impl Said {
    pub(super) fn observe(&mut self, event: Value<'_>) {
        if self.is_too_long {
            return;
        }
        let Some(kind) = event.get("type").and_then(|kind| kind.as_str()) else {
            return;
        };
        match kind.as_ref() {
            "response.created" | "response.queued" | "response.in_progress" => {
                if let Some(response) = event.non_null("response") {
                    self.hear_response(response);
                }
            }
            "response.output_item.added" | "response.output_item.done" => {
                self.hear_item(event, kind.ends_with(".done"));
            }
            _ => self.hear_within(&kind, event),
        }
        if self.kept_bytes > MAX_KEPT {
            self.items.clear();
            self.is_too_long = true;
        }
    }

    /// Counts what is kept in place of something else.
    fn resize(&mut self, before: usize, after: usize) {
        self.kept_bytes = (self.kept_bytes + after).saturating_sub(before);
    }

    fn hear_response(&mut self, response: Value<'_>) {
        let raw = response.raw();
        let known = self.response.replace(raw.to_owned());
        self.resize(known.map_or(0, |known| known.len()), raw.len());
    }

    fn hear_item(&mut self, event: Value<'_>, is_closed: bool) {
        let index = event.get("output_index").and_then(|index| index.as_u64());
        let (Some(index), Some(item)) = (index, event.non_null("item")) else {
            return;
        };
        let heard = if is_closed {
            Item::Closed(item.raw().to_owned())
        } else {
            Item::Open(Box::new(OpenItem::new(item)))
        };
        let after = heard.size();
        let known = self.items.insert(index, heard);
        self.resize(known.map_or(0, |known| known.size()), after);
    }

    /// Takes in what an event says of an item that is open.
    fn hear_within(&mut self, kind: &str, event: Value<'_>) {
        let index = event.get("output_index").and_then(|index| index.as_u64());
        let item = index.and_then(|index| self.items.get_mut(&index));
        if let Some(Item::Open(item)) = item {
            let before = item.size();
            hear_part(item, kind, event);
            let after = item.size();
            self.resize(before, after);
        }
    }

    pub(super) fn finish(&self, tap: &StreamTap, meta: &Meta, usage: Option<&Usage>) -> Bytes {
        let mut events = Events {
            next_number: tap.last_sequence().map_or(0, |last| last + 1),
            bytes: Vec::new(),
        };
        let response = self.response.clone().unwrap_or_else(|| {
            let begun = Writer::new(meta.clone()).begun();
            events.push("response.created", &[("response", begun.clone())]);
            begun
        });
        let mut output = Vec::new();
        for (index, item) in &self.items {
            match item {
                Item::Closed(raw) => output.push(raw.clone()),
                Item::Open(item) => {
                    let (closings, whole) = item.close(*index);
                    for closing in closings {
                        events.push(&closing.kind, &closing.members);
                    }
                    output.push(whole);
                }
            }
        }
        let output = format!("[{}]", output.join(","));
        let usage = usage.map_or_else(|| "null".to_owned(), usage_member);
        let response = with_members(
            &response,
            &[
                ("status", r#""incomplete""#),
                ("incomplete_details", r#"{"reason":"max_output_tokens"}"#),
                ("output", &output),
                ("usage", &usage),
            ],
        );
        events.push("response.incomplete", &[("response", response)]);
        Bytes::from(events.bytes)
    }
}

/// Takes in what an event says of a part of an item.
fn hear_part(item: &mut OpenItem, kind: &str, event: Value<'_>) {
    if let Some((channel, is_whole)) = Channel::of_event(kind) {
        return item.hear(channel, is_whole, event);
    }
    let number = |key| event.get(key).and_then(|number| number.as_u64());
    let content = (false, number("content_index").unwrap_or(0));
    let summary = (true, number("summary_index").unwrap_or(0));
    let (key, is_closed) = match kind {
        "response.content_part.added" => (content, false),
        "response.content_part.done" => (content, true),
        "response.reasoning_summary_part.added" => (summary, false),
        "response.reasoning_summary_part.done" => (summary, true),
        "response.output_text.annotation.added" => {
            if let Some(annotation) = event.non_null("annotation") {
                item.annotate(content.1, annotation);
            }
            return;
        }
        _ => return,
    };
    if let Some(part) = event.non_null("part") {
        item.hear_part(key, part, is_closed);
    }
}

/// What an item costs beside its text.
const ITEM_OVERHEAD: usize = 256;

impl Item {
    /// About how many bytes are kept.
    fn size(&self) -> usize {
        ITEM_OVERHEAD
            + match self {
                Self::Open(item) => item.size(),
                Self::Closed(raw) => raw.len(),
            }
    }
}

/// Events on their way out, numbered.
struct Events {
    next_number: u64,
    bytes: Vec<u8>,
}

impl Events {
    fn push(&mut self, kind: &str, members: &[(&str, String)]) {
        let mut json = format!(
            r#"{{"type":{},"sequence_number":{}"#,
            literal(kind),
            self.next_number
        );
        for (key, value) in members {
            // Writing to a string does not fail.
            let _ = write!(json, ",{}:{value}", literal(key));
        }
        json.push('}');
        self.bytes
            .extend_from_slice(&encode_event(Some(kind), &json));
        self.next_number = self.next_number.saturating_add(1);
    }
}
