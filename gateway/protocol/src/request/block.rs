//! The pieces of a prompt.

use std::fmt;

use crate::json::Span;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator: `system`, `developer`, top-level instructions.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool's result, whoever carries it.
    Tool,
    /// A role that this version does not know.
    Other,
}

impl Role {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "system" | "developer" => Self::System,
            "user" => Self::User,
            "assistant" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::Other,
        }
    }
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// Text.
    Text,
    /// Text that is already tokens, as embeddings take it.
    Tokens,
    /// A picture.
    Image,
    /// A file, a document or a search result.
    Document,
    /// Sound.
    Audio,
    /// A call of a tool that the client runs.
    ToolUse,
    /// What such a call gave, or a text in it.
    ToolResult,
    /// Reasoning, which a signature may cover.
    Thinking,
    /// Reasoning that only the provider can read.
    RedactedThinking,
    /// A call of a tool that the provider runs, or its result.
    ServerTool,
    /// The model's refusal.
    Refusal,
    /// Definitions of tools that are on offer from here on.
    Tools,
    /// Content that the provider keeps and the request only names.
    Reference,
    /// A kind that this version does not know.
    Other,
}

/// The member of the request that a block comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// `system`
    System,
    /// `instructions`
    Instructions,
    /// `messages`
    Messages,
    /// `input`
    Input,
}

impl Source {
    /// The member's key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Instructions => "instructions",
            Self::Messages => "messages",
            Self::Input => "input",
        }
    }
}

/// A piece of the prompt: a string, a content part, a tool call, an item. Blocks do not overlap.
///
/// A tool result that is a list is one block per part, each with [`Role::Tool`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Who speaks.
    pub role: Role,
    /// What it holds.
    pub kind: BlockKind,
    /// The bytes of the block's JSON value.
    pub span: Span,
    /// The string literal, quotes included, with the text to be read: text, reasoning, refusal, a
    /// call's arguments, a result.
    pub text: Option<Span>,
    /// The member that the block stands in.
    pub source: Source,
    /// The message or item in that member, from 0; 0 where the member is a string.
    pub message: usize,
    /// The part within the message's content, where that is a list.
    pub part: Option<usize>,
    /// Whether a cache breakpoint stands at the end of the block.
    pub cache_control: bool,
}

impl Block {
    /// Where the block stands, such as `messages[3].content[0]`.
    pub fn place(&self) -> impl fmt::Display {
        let Self {
            source,
            message,
            part,
            ..
        } = *self;
        fmt::from_fn(move |f| match (source, part) {
            (Source::System | Source::Instructions, None) => f.write_str(source.as_str()),
            (Source::System | Source::Instructions, Some(part)) => {
                write!(f, "{}[{part}]", source.as_str())
            }
            (_, None) => write!(f, "{}[{message}]", source.as_str()),
            (_, Some(part)) => write!(f, "{}[{message}].content[{part}]", source.as_str()),
        })
    }
}
