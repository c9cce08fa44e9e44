//! A request as a plain text model can answer it.

mod calls;
mod options;
mod tools;
mod turns;

use std::fmt;

use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::json::{Document, JsonLimits};
use crate::request::{Node, RequestView, Sampling, ViewError};

pub use calls::ToolResults;
pub(crate) use calls::as_object;
pub(crate) use turns::literal;

/// Who speaks in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// The operator.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool that the model called.
    Tool,
}

/// What one speaker says before another does. Each result of a tool is a turn of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Speaker,
    /// What is said; paragraphs stand apart by a line feed.
    pub text: String,
    /// The tools that an assistant's turn calls, after what it says.
    pub calls: Vec<ToolCall>,
    /// The name of the tool whose result this turn is, where the request has its call.
    pub tool: Option<String>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool; with its namespace before a dot, where it has one.
    pub name: String,
    /// Its arguments: a JSON object. Input of another kind stands in its member `input`.
    pub arguments: String,
}

/// A tool on offer that takes a JSON object, so that a text model can call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// What it is called by.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

/// Whether the model is to call a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CallChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It must not.
    None,
    /// It must call one.
    Required,
    /// It must call this one, which is on offer.
    Named(String),
}

/// What form the answer must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AnswerFormat {
    /// Any text.
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema(Value),
}

/// How tokens are chosen, beside [`Sampling`]: members of OpenAI's protocols, and what servers of open
/// models have added to them. Ranges are the model's to check.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Penalties {
    /// The least probability of a token, as a share of the likeliest one's.
    pub min_p: Option<f64>,
    /// Taken off for tokens that the answer has.
    pub presence: Option<f64>,
    /// Taken off for each time that the answer has a token.
    pub frequency: Option<f64>,
    /// Divides the score of tokens that the answer has.
    pub repetition: Option<f64>,
}

/// Turns of text and calls, and how the next one is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// What has been said, the oldest first.
    pub turns: Vec<Turn>,
    /// The functions on offer, no two of one name.
    pub functions: Vec<Function>,
    /// Whether one is to be called.
    pub call_choice: CallChoice,
    /// Whether the answer may have more than one call.
    pub parallel_calls: bool,
    /// What form the answer must have.
    pub format: AnswerFormat,
    /// Tells each token's log-probability, and those of so many others in its place.
    pub logprobs: Option<u8>,
    /// How tokens are chosen, and the texts that end the answer.
    pub sampling: Sampling,
    /// How tokens are chosen, in the words of fewer servers.
    pub penalties: Penalties,
    /// The limit on output tokens.
    pub max_output_tokens: Option<u64>,
    /// What a text model cannot follow, but can answer without: tools on offer that the provider runs or
    /// that are no functions, a bias of tokens. It is for the caller to say whether the request is
    /// answered all the same.
    pub left_out: Vec<Unsupported>,
}

/// Something in a request that a plain text model cannot do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {what} is not supported by a text model")]
pub struct Unsupported {
    /// Where in the request.
    pub path: String,
    /// What it is.
    pub what: &'static str,
}

/// Why a request cannot be put to a text model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversationError {
    /// It asks for what such a model cannot do.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A member that only such a model reads is not as it should be.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl Unsupported {
    pub(crate) fn new(path: impl fmt::Display, what: &'static str) -> Self {
        Self {
            path: path.to_string(),
            what,
        }
    }
}

impl Conversation {
    /// Decodes a request from the body that its view was read from.
    ///
    /// A model that leaves something out answers another question, so whatever it cannot take in is
    /// an error or is named in [`left_out`](Self::left_out). Passed over are reasoning of earlier turns,
    /// which is not part of what was said, and tools within the input that are no functions.
    pub fn from_view(view: &RequestView, body: &[u8]) -> Result<Self, ConversationError> {
        options::check(view)?;
        let document = Document::parse(body, CHECKED).map_err(ViewError::from)?;
        let root = Node::root(document.root());
        let turns = turns::read(view, document.root(), body)?;
        let offer = tools::read(view, &root)?;
        let mut left_out = offer.left_out;
        left_out.extend(options::left_out(view.endpoint, &root)?);
        let mut sampling = view.sampling.clone();
        let (penalties, seed) = options::penalties(&root)?;
        sampling.seed = sampling.seed.or(seed);
        Ok(Self {
            turns,
            functions: offer.functions,
            call_choice: offer.choice,
            parallel_calls: offer.parallel,
            format: options::format(view, &root)?,
            logprobs: options::logprobs(view.endpoint, &root)?,
            sampling,
            penalties,
            max_output_tokens: view.max_output_tokens.as_ref().map(|limit| limit.value),
            left_out,
        })
    }
}

/// For bodies and spans that were checked when the view was read, against the limits of that time.
pub(crate) const CHECKED: JsonLimits = JsonLimits {
    max_depth: usize::MAX,
    max_values: usize::MAX,
    kept_depth: usize::MAX,
};

/// A schema as a value of its own. Its members are not looked at here.
fn schema(node: &Node<'_, '_>) -> Result<Value, ConversationError> {
    if node.value().as_object().is_none() {
        return Err(node.unexpected("a JSON schema, which is an object").into());
    }
    // Nesting and numbers beyond what the reader takes are all that can be wrong with JSON.
    serde_json::from_str(node.raw())
        .map_err(|_| Unsupported::new(node.place(), "a schema of this depth").into())
}

const fn is_messages(endpoint: Endpoint) -> bool {
    matches!(endpoint, Endpoint::Messages | Endpoint::CountTokens)
}

#[cfg(test)]
mod tests;
