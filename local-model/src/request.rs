//! What a call asks for.

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
}

/// What the model reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// A conversation, put through the transcript template; the answer is trimmed.
    Chat(Vec<Turn>),
    /// Text to go on with, as it is.
    Text(String),
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
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
    /// Makes tokens of the answer less likely to come again; 1 does nothing.
    pub repetition_penalty: Option<f32>,
    /// The same seed gives the same answer to the same call.
    pub seed: Option<u64>,
}
