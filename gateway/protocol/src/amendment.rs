//! What the gateway adds to a request on its way to a provider, as edits of the original bytes.

use crate::edit::{EditError, EditList};
use crate::endpoint::Endpoint;
use crate::request::RequestView;

/// How a chat completion server spells the limit on output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum LimitSpelling {
    /// `max_tokens`, which every compatible server takes.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which OpenAI's reasoning models insist on.
    MaxCompletionTokens,
}

impl LimitSpelling {
    /// The member's key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

/// Lowers the limit on output tokens to `limit`; a lower one stays. True if that takes an edit.
///
/// A limit that the request has keeps its spelling; `spelling` is for a chat completion that has none.
/// The limit is one for each of the `n` choices, a thinking budget counts towards it, and providers
/// refuse very low ones (OpenAI's responses below 16): whether `limit` is one to send is the caller's to
/// see. An endpoint that generates nothing has no limit.
pub fn clamp_output(
    view: &RequestView,
    body: &[u8],
    limit: u64,
    spelling: LimitSpelling,
    edits: &mut EditList,
) -> Result<bool, EditError> {
    if let Some(known) = &view.max_output_tokens {
        if known.value <= limit {
            return Ok(false);
        }
        edits.replace(known.span.clone(), limit.to_string());
        return Ok(true);
    }
    let key = match view.endpoint {
        Endpoint::ChatCompletions => spelling.as_str(),
        Endpoint::Responses => "max_output_tokens",
        Endpoint::Messages => "max_tokens",
        Endpoint::CountTokens | Endpoint::Embeddings => return Ok(false),
    };
    put(view, body, key, &limit.to_string(), edits)?;
    Ok(true)
}

/// Asks a chat stream for its usage, where the client did not. True if that takes an edit: then the
/// chunk that has nothing but usage was not asked for by the client.
pub fn ask_for_usage(
    view: &RequestView,
    body: &[u8],
    edits: &mut EditList,
) -> Result<bool, EditError> {
    if view.endpoint != Endpoint::ChatCompletions || !view.stream || view.include_usage {
        return Ok(false);
    }
    match &view.stream_options {
        Some(options) => match view.blank("include_usage") {
            Some(span) => edits.replace(span, "true"),
            None => edits.insert_member(body, options, "include_usage", "true")?,
        },
        None => put(
            view,
            body,
            "stream_options",
            r#"{"include_usage":true}"#,
            edits,
        )?,
    }
    Ok(true)
}

/// Gives a top-level member that the request does not have, or has as `null`, a value.
fn put(
    view: &RequestView,
    body: &[u8],
    key: &str,
    json: &str,
    edits: &mut EditList,
) -> Result<(), EditError> {
    match view.blank(key) {
        Some(span) => {
            edits.replace(span, json.to_owned());
            Ok(())
        }
        None => edits.insert_member(body, &view.body, key, json),
    }
}

#[cfg(test)]
mod tests;
