//! The strings of a request that stand outside of its blocks and tools.
//!
//! They may still be prompt: a speaker's name, an answer's schema, a member that this version does
//! not know. So that nothing is free by being unknown, every string counts but the protocols' own
//! words.

use memchr::{memchr, memchr2};

/// The strings in a stretch of JSON that neither starts nor ends inside one: what is between the
/// quotes, as it is spelled.
#[derive(Debug)]
pub(crate) struct Words<'b>(pub(crate) &'b [u8]);

impl<'b> Iterator for Words<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        let open = memchr(b'"', self.0)?;
        let inside = &self.0[open + 1..];
        let close = closing_quote(inside).unwrap_or(inside.len());
        self.0 = inside.get(close + 1..).unwrap_or_default();
        Some(&inside[..close])
    }
}

fn closing_quote(inside: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', inside.get(at..)?)?;
        if inside[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// Whether a string is one of the words that requests are made of, and says nothing to the model.
pub(crate) fn is_protocol(word: &[u8]) -> bool {
    is_structure(word) || is_setting(word)
}

/// Whether a member asks the provider to bring more into the prompt than the request holds: the tools
/// of a server, what a search finds.
pub(crate) fn invites_more(word: &[u8]) -> bool {
    matches!(
        word,
        b"mcp_servers" | b"plugins" | b"search_parameters" | b"web_search_options"
    )
}

/// Whether a member of a block of reasoning holds what only the provider can read.
pub(crate) fn is_sealed(word: &[u8]) -> bool {
    matches!(word, b"data" | b"encrypted_content" | b"signature")
}

/// Words of messages, parts and calls. Roles are counted with the message.
fn is_structure(word: &[u8]) -> bool {
    matches!(
        word,
        b"role"
            | b"content"
            | b"user"
            | b"assistant"
            | b"system"
            | b"developer"
            | b"tool"
            | b"type"
            | b"text"
            | b"message"
            | b"messages"
            | b"input"
            | b"input_text"
            | b"output_text"
            | b"refusal"
            | b"annotations"
            | b"logprobs"
            | b"id"
            | b"call_id"
            | b"tool_call_id"
            | b"tool_calls"
            | b"tool_use"
            | b"tool_use_id"
            | b"tool_result"
            | b"is_error"
            | b"function"
            | b"function_call"
            | b"function_call_output"
            | b"arguments"
            | b"output"
            | b"status"
            | b"completed"
            | b"thinking"
            | b"signature"
            | b"redacted_thinking"
            | b"data"
            | b"reasoning"
            | b"reasoning_content"
            | b"summary"
            | b"summary_text"
            | b"encrypted_content"
            | b"cache_control"
            | b"ephemeral"
            | b"ttl"
    )
}

/// Words of the members that say how to answer.
fn is_setting(word: &[u8]) -> bool {
    matches!(
        word,
        b"model"
            | b"instructions"
            | b"tools"
            | b"stream"
            | b"stream_options"
            | b"include_usage"
            | b"temperature"
            | b"top_p"
            | b"top_k"
            | b"n"
            | b"seed"
            | b"stop"
            | b"stop_sequences"
            | b"presence_penalty"
            | b"frequency_penalty"
            | b"max_tokens"
            | b"max_completion_tokens"
            | b"max_output_tokens"
            | b"tool_choice"
            | b"parallel_tool_calls"
            | b"auto"
            | b"none"
            | b"required"
            | b"any"
            | b"reasoning_effort"
            | b"effort"
            | b"verbosity"
            | b"minimal"
            | b"low"
            | b"medium"
            | b"high"
            | b"response_format"
            | b"store"
            | b"metadata"
            | b"service_tier"
            | b"default"
            | b"include"
            | b"reasoning.encrypted_content"
            | b"truncation"
            | b"disabled"
            | b"enabled"
            | b"budget_tokens"
            | b"encoding_format"
            | b"float"
            | b"base64"
            | b"dimensions"
    )
}

#[cfg(test)]
mod tests;
