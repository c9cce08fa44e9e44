//! What the model says, apart from any protocol. See [`Answer`].

use serde::Deserialize;
use serde_json::Value;

/// Text, thinking, tool calls and usage; each protocol renders them in its own way.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// What is said; empty for the default text, or for nothing when there are tool calls.
    pub text: String,
    /// In place of `text`: a text of this many tokens (events, when streamed).
    pub tokens: Option<usize>,
    /// A thinking block (messages) or reasoning item (responses) before the text.
    pub thinking: Option<Thinking>,
    /// Tool calls after the text.
    pub tool_calls: Vec<ToolCall>,
    /// Reported usage.
    pub usage: Usage,
}

/// Visible thinking with the signature that must come back unchanged in the next turn.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thinking {
    /// The thoughts.
    pub text: String,
    /// Opaque.
    pub signature: String,
}

/// One call of a tool that the request offered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// Name of the tool.
    pub name: String,
    /// Arguments as a JSON object.
    pub arguments: Value,
}

/// Reported token counts; the protocols' own sums are made from them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// In which way they are reported.
    pub shape: UsageShape,
    /// Prompt tokens neither read from nor written to the provider's cache; 25 by default.
    pub input: Option<u64>,
    /// Output tokens; by default the number of tokens said.
    pub output: Option<u64>,
    /// Prompt tokens read from the provider's cache.
    pub cached: u64,
    /// Prompt tokens written to the cache for five minutes (messages).
    pub write_5m: u64,
    /// Prompt tokens written to the cache for an hour (messages).
    pub write_1h: u64,
    /// Output tokens that were reasoning.
    pub reasoning: u64,
    /// Prompt tokens that were audio (chat completions).
    pub audio_input: u64,
    /// Output tokens that were audio (chat completions).
    pub audio_output: u64,
}

/// In which way usage is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageShape {
    /// As the provider documents it.
    #[default]
    Documented,
    /// Not at all.
    Missing,
    /// All counts zero.
    Zero,
    /// `"usage": null`.
    Null,
    /// The final report comes twice.
    Twice,
    /// Growing reports all through the stream.
    Cumulative,
    /// After the terminal event.
    AfterDone,
}
