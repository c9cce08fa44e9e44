//! What a call asks for.

use serde_json::Value;
use tokio::time::Instant;

/// One call to [`Engine::generate`](crate::Engine::generate).
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// What the model reads.
    pub prompt: Prompt,
    /// The most tokens to generate. Without it, what the context has left, but at most
    /// [`DEFAULT_MAX_TOKENS`](crate::DEFAULT_MAX_TOKENS).
    pub max_tokens: Option<u32>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Texts that end the answer and are not part of it. Empty ones are ignored.
    pub stop: Vec<String>,
    /// What form the answer must have.
    pub format: Format,
    /// Tells each token's log-probability, and those of this many of the likeliest in its place.
    pub logprobs: Option<u8>,
    /// Calls of one tenant wait for each other before those of another do.
    pub tenant: Option<String>,
    /// When the answer is of no use any more.
    pub deadline: Option<Instant>,
}

impl GenerateRequest {
    /// A request for a prompt's answer, with every default.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            max_tokens: None,
            sampling: Sampling::default(),
            stop: Vec::new(),
            format: Format::Text,
            logprobs: None,
            tenant: None,
            deadline: None,
        }
    }
}

/// What form an answer must have. Anything but text is enforced token by token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Format {
    /// Whatever the model says.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema(Value),
    /// Text that this regular expression matches as a whole.
    Regex(String),
}

/// What the model reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// A conversation, put through the model's template; the answer is trimmed.
    Chat(Chat),
    /// Text to go on with, as it is.
    Text(String),
}

/// A conversation, and the tools that the model may call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chat {
    /// What has been said, the oldest first.
    pub turns: Vec<Turn>,
    /// What may be called.
    pub tools: Vec<Tool>,
    /// Whether something must be.
    pub tool_choice: ToolChoice,
    /// Whether the answer ends after its first call.
    pub one_call: bool,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// The tools that an assistant's turn calls.
    pub calls: Vec<ToolCall>,
    /// The name of the tool whose result this turn is, where it is known.
    pub tool: Option<String>,
}

impl Turn {
    /// A turn of text alone.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            text: text.into(),
            calls: Vec::new(),
            tool: None,
        }
    }
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// What it is called by.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments, an object.
    pub parameters: Value,
}

/// Whether the model calls a tool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It must not.
    None,
    /// It must call one.
    Required,
    /// It must call this one.
    Named(String),
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its arguments: a JSON object, as text.
    pub arguments: String,
}

/// Who speaks in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool that the model called.
    Tool,
}

/// How tokens are chosen. What is not given takes a default that suits a small model
/// (see [`sampler`](crate::sampler)).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sampling {
    /// Divides the logits; 0 always takes the likeliest token.
    pub temperature: Option<f32>,
    /// Only the likeliest tokens that together have this probability, in (0, 1].
    pub top_p: Option<f32>,
    /// Only this many of the likeliest tokens; 0 for all.
    pub top_k: Option<u32>,
    /// Only tokens at least this many times as probable as the likeliest, in [0, 1].
    pub min_p: Option<f32>,
    /// Makes tokens of the answer less likely to come again; 1 does nothing.
    pub repetition_penalty: Option<f32>,
    /// Is taken off the logit of each token that the answer has already.
    pub presence_penalty: Option<f32>,
    /// Is taken off the logit of a token for each time that the answer has it already.
    pub frequency_penalty: Option<f32>,
    /// The same seed gives the same answer to the same call.
    pub seed: Option<u64>,
}
