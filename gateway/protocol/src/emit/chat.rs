//! Chat completions.

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
struct Answer<'a, C: Serialize> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [C],
    #[serde(skip_serializing_if = "Report::is_omitted")]
    usage: Report,
}

/// The `usage` member.
#[derive(Serialize)]
#[serde(untagged)]
enum Report {
    /// Not there, as it was not asked for.
    Omitted,
    /// `null`, in the chunks before the last.
    Pending,
    /// The counts.
    Counted(ChatUsage),
}

impl Report {
    const fn is_omitted(&self) -> bool {
        matches!(self, Self::Omitted)
    }
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    refusal: (),
    annotations: [(); 0],
}

#[derive(Serialize)]
struct ChatUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    audio_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
}

impl From<&Usage> for ChatUsage {
    fn from(usage: &Usage) -> Self {
        Self {
            prompt_tokens: usage.input(),
            completion_tokens: usage.output,
            total_tokens: usage.input().saturating_add(usage.output),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cache_read,
                audio_tokens: usage.audio_input,
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
                audio_tokens: usage.audio_output,
            },
        }
    }
}

const fn finish_reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::StopSequence(_) => "stop",
        Stop::MaxTokens => "length",
    }
}

impl Writer {
    pub(super) fn new(meta: Meta) -> Self {
        Self {
            id: format!("chatcmpl-{}", meta.id),
            meta,
        }
    }

    /// A writer that goes on with the answer of that id, or begins one.
    pub(crate) fn resumed(id: Option<&str>, meta: Meta) -> Self {
        match id {
            Some(id) => Self {
                id: id.to_owned(),
                meta,
            },
            None => Self::new(meta),
        }
    }

    fn answer<C: Serialize>(&self, object: &'static str, choices: &[C], usage: Report) -> String {
        encode(&Answer {
            id: &self.id,
            object,
            created: self.meta.created_unix,
            model: &self.meta.model,
            choices,
            usage,
        })
    }

    fn chunk(&self, choices: &[ChunkChoice<'_>], usage: Report) -> Bytes {
        encode_event(None, &self.answer("chat.completion.chunk", choices, usage))
    }

    fn choice(&self, index: u32, delta: Delta<'_>, finish_reason: Option<&'static str>) -> Bytes {
        let choice = ChunkChoice {
            index,
            delta,
            logprobs: (),
            finish_reason,
        };
        let usage = if self.meta.include_usage {
            Report::Pending
        } else {
            Report::Omitted
        };
        self.chunk(&[choice], usage)
    }

    pub(crate) fn start(&self) -> Bytes {
        let delta = Delta {
            role: Some("assistant"),
            content: Some(""),
        };
        self.choice(0, delta, None)
    }

    pub(super) fn delta(&self, text: &str) -> Bytes {
        let delta = Delta {
            role: None,
            content: Some(text),
        };
        self.choice(0, delta, None)
    }

    pub(super) fn finish(&self, stop: &Stop, usage: &Usage) -> Bytes {
        let mut events = BytesMut::from(self.stop(0, stop));
        events.extend_from_slice(&self.end(Some(usage).filter(|_| self.meta.include_usage)));
        events.freeze()
    }

    fn stop(&self, index: u32, stop: &Stop) -> Bytes {
        let delta = Delta {
            role: None,
            content: None,
        };
        self.choice(index, delta, Some(finish_reason(stop)))
    }

    /// The last chunk of a choice that is cut at the limit on output.
    pub(crate) fn cut(&self, index: u32) -> Bytes {
        self.stop(index, &Stop::MaxTokens)
    }

    /// What stands after the last choice.
    pub(crate) fn end(&self, usage: Option<&Usage>) -> Bytes {
        let mut events = BytesMut::new();
        if let Some(usage) = usage {
            events.extend_from_slice(&self.chunk(&[], Report::Counted(usage.into())));
        }
        events.extend_from_slice(b"data: [DONE]\n\n");
        events.freeze()
    }

    pub(super) fn body(&self, text: &str, stop: &Stop, usage: &Usage) -> Bytes {
        let choice = Choice {
            index: 0,
            message: Message {
                role: "assistant",
                content: text,
                refusal: (),
                annotations: [],
            },
            logprobs: (),
            finish_reason: finish_reason(stop),
        };
        Bytes::from(self.answer("chat.completion", &[choice], Report::Counted(usage.into())))
    }
}
