//! The members of responses and their events.

use serde::Serialize;
use serde_json::Value;

use super::super::logprobs::Entry;
use crate::usage::Usage;

#[derive(Serialize)]
pub(super) struct Response<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created_at: u64,
    pub(super) status: &'static str,
    pub(super) error: (),
    pub(super) incomplete_details: Option<IncompleteDetails>,
    pub(super) model: &'a str,
    pub(super) output: &'a [Item],
    #[serde(flatten)]
    pub(super) asked: &'a Asked,
    pub(super) usage: Option<ResponseUsage>,
}

#[derive(Serialize)]
pub(super) struct IncompleteDetails {
    pub(super) reason: &'static str,
}

/// What the request says of tools, which a response repeats.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    pub(super) parallel_tool_calls: bool,
    pub(super) tool_choice: Value,
    pub(super) tools: Value,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            parallel_tool_calls: true,
            tool_choice: Value::from("auto"),
            tools: Value::Array(Vec::new()),
        }
    }
}

/// An item of the output.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Item {
    Message(Message),
    Call(Call),
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) r#type: &'static str,
    pub(super) status: &'static str,
    pub(super) role: &'static str,
    pub(super) content: Vec<Part>,
}

#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "the protocol's own name")]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) r#type: &'static str,
    pub(super) status: &'static str,
    pub(super) call_id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Part {
    r#type: &'static str,
    pub(super) text: String,
    annotations: [(); 0],
    pub(super) logprobs: Vec<Entry>,
}

impl Part {
    pub(super) fn new(text: String, logprobs: Vec<Entry>) -> Self {
        Self {
            r#type: "output_text",
            text,
            annotations: [],
            logprobs,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ResponseUsage {
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
pub(super) struct Event<'a> {
    pub(super) r#type: &'static str,
    pub(super) sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Response<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<&'a Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<&'a Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<&'a [Entry]>,
}

impl<'a> Event<'a> {
    pub(super) fn of_response(r#type: &'static str, response: Response<'a>) -> Self {
        Self {
            r#type,
            response: Some(response),
            ..Self::default()
        }
    }

    pub(super) fn of_item(r#type: &'static str, output_index: usize, item: &'a Item) -> Self {
        Self {
            r#type,
            output_index: Some(output_index),
            item: Some(item),
            ..Self::default()
        }
    }

    /// An event within an item.
    pub(super) fn within(r#type: &'static str, output_index: usize, item_id: &'a str) -> Self {
        Self {
            r#type,
            item_id: Some(item_id),
            output_index: Some(output_index),
            ..Self::default()
        }
    }
}
