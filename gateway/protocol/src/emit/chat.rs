//! Chat completions.

use bytes::{Bytes, BytesMut};
use serde::Serialize;

use super::logprobs::{self, TokenLogprob};
use super::{Answer, Meta, Stop};
use crate::conversation::ToolCall;
use crate::json::encode;
use crate::sse::encode_event;
use crate::usage::Usage;

#[derive(Debug)]
pub(crate) struct Writer {
    id: String,
    meta: Meta,
    /// Calls that the stream has had.
    calls: usize,
}

#[derive(Serialize)]
struct Completion<'a, C: Serialize> {
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
    logprobs: Option<Logprobs>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallDelta<'a>; 1]>,
}

/// A piece of a call: first who is called, then with what.
#[derive(Serialize)]
struct CallDelta<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionDelta<'a>,
}

#[derive(Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Logprobs {
    content: Vec<logprobs::Entry>,
    refusal: (),
}

impl Logprobs {
    /// None where there are no tokens, as where they were not asked for.
    fn of(tokens: &[TokenLogprob]) -> Option<Self> {
        (!tokens.is_empty()).then(|| Self {
            content: logprobs::entries(tokens),
            refusal: (),
        })
    }
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<Logprobs>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: (),
    annotations: [(); 0],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: String,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
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
        Stop::ToolCalls => "tool_calls",
    }
}

impl Writer {
    pub(super) fn new(meta: Meta) -> Self {
        Self {
            id: format!("chatcmpl-{}", meta.id),
            meta,
            calls: 0,
        }
    }

    /// A writer that goes on with the answer of that id, or begins one.
    pub(crate) fn resumed(id: Option<&str>, meta: Meta) -> Self {
        match id {
            Some(id) => Self {
                id: id.to_owned(),
                meta,
                calls: 0,
            },
            None => Self::new(meta),
        }
    }

    fn completion<C: Serialize>(
        &self,
        object: &'static str,
        choices: &[C],
        usage: Report,
    ) -> String {
        encode(&Completion {
            id: &self.id,
            object,
            created: self.meta.created_unix,
            model: &self.meta.model,
            choices,
            usage,
        })
    }

    fn chunk(&self, choices: &[ChunkChoice<'_>], usage: Report) -> Bytes {
        let chunk = self.completion("chat.completion.chunk", choices, usage);
        encode_event(None, &chunk)
    }

    fn delta(&self, delta: Delta<'_>) -> Bytes {
        self.choice(ChunkChoice {
            index: 0,
            delta,
            logprobs: None,
            finish_reason: None,
        })
    }

    fn choice(&self, choice: ChunkChoice<'_>) -> Bytes {
        let usage = if self.meta.include_usage {
            Report::Pending
        } else {
            Report::Omitted
        };
        self.chunk(&[choice], usage)
    }

    pub(crate) fn start(&self) -> Bytes {
        self.delta(Delta {
            role: Some("assistant"),
            content: Some(""),
            ..Delta::default()
        })
    }

    pub(super) fn text(&self, text: &str, tokens: &[TokenLogprob]) -> Bytes {
        self.choice(ChunkChoice {
            index: 0,
            delta: Delta {
                content: Some(text),
                ..Delta::default()
            },
            logprobs: Logprobs::of(tokens),
            finish_reason: None,
        })
    }

    fn call_id(&self, index: usize) -> String {
        format!("call_{}_{index}", self.meta.id)
    }

    pub(super) fn call(&mut self, call: &ToolCall) -> Bytes {
        let index = self.calls;
        self.calls += 1;
        let who = CallDelta {
            index,
            id: Some(self.call_id(index)),
            r#type: Some("function"),
            function: FunctionDelta {
                name: Some(&call.name),
                arguments: "",
            },
        };
        let with_what = CallDelta {
            index,
            id: None,
            r#type: None,
            function: FunctionDelta {
                name: None,
                arguments: &call.arguments,
            },
        };
        let mut events = BytesMut::new();
        for piece in [who, with_what] {
            events.extend_from_slice(&self.delta(Delta {
                tool_calls: Some([piece]),
                ..Delta::default()
            }));
        }
        events.freeze()
    }

    pub(super) fn finish(&self, stop: &Stop, usage: &Usage) -> Bytes {
        let mut events = BytesMut::from(self.stop(0, stop));
        events.extend_from_slice(&self.end(Some(usage).filter(|_| self.meta.include_usage)));
        events.freeze()
    }

    fn stop(&self, index: u32, stop: &Stop) -> Bytes {
        self.choice(ChunkChoice {
            index,
            delta: Delta::default(),
            logprobs: None,
            finish_reason: Some(finish_reason(stop)),
        })
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

    pub(super) fn body(&self, answer: &Answer, stop: &Stop, usage: &Usage) -> Bytes {
        let calls = answer.calls.iter().enumerate();
        let is_call_alone = answer.text.is_empty() && !answer.calls.is_empty();
        let choice = Choice {
            index: 0,
            message: Message {
                role: "assistant",
                content: (!is_call_alone).then_some(&answer.text),
                refusal: (),
                annotations: [],
                tool_calls: calls
                    .map(|(index, call)| Call {
                        id: self.call_id(index),
                        r#type: "function",
                        function: Function {
                            name: &call.name,
                            arguments: &call.arguments,
                        },
                    })
                    .collect(),
            },
            logprobs: Logprobs::of(&answer.tokens),
            finish_reason: finish_reason(stop),
        };
        let usage = Report::Counted(usage.into());
        Bytes::from(self.completion("chat.completion", &[choice], usage))
    }
}
