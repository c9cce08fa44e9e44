//! A request as a plain text model can answer it.

use std::fmt;

use crate::endpoint::Endpoint;
use crate::json::{Document, JsonLimits, Span, Value};
use crate::request::{Block, BlockKind, RequestView, ResponseFormat, Role, Sampling, ToolChoice};

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

/// What one speaker says before another does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Speaker,
    /// What is said; paragraphs stand apart by a line feed.
    pub text: String,
}

/// Turns of text, and how the next one is to be made.
///
/// Earlier tool calls and their results become text. Tools on offer are left out, as a model that
/// may call one may also answer without.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// What has been said, the oldest first.
    pub turns: Vec<Turn>,
    /// How tokens are chosen, and the texts that end the answer.
    pub sampling: Sampling,
    /// The limit on output tokens.
    pub max_output_tokens: Option<u64>,
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

impl Unsupported {
    fn new(path: impl fmt::Display, what: &'static str) -> Self {
        Self {
            path: path.to_string(),
            what,
        }
    }
}

impl Conversation {
    /// Decodes the turns of a request from the body that its view was read from.
    ///
    /// A model that leaves something out answers another question, so whatever it cannot take in is
    /// an error; only reasoning of earlier turns, which is not part of what was said, and definitions of
    /// tools are passed over.
    pub fn from_view(view: &RequestView, body: &[u8]) -> Result<Self, Unsupported> {
        check_options(view)?;
        let mut turns: Vec<Turn> = Vec::new();
        for block in &view.blocks {
            let Some(text) = render(block, body)? else {
                continue;
            };
            let role = speaker(block)?;
            match turns.last_mut() {
                Some(last) if last.role == role => {
                    last.text.push('\n');
                    last.text.push_str(&text);
                }
                _ => turns.push(Turn { role, text }),
            }
        }
        Ok(Self {
            turns,
            sampling: view.sampling.clone(),
            max_output_tokens: view.max_output_tokens.as_ref().map(|limit| limit.value),
        })
    }
}

fn check_options(view: &RequestView) -> Result<(), Unsupported> {
    let found = if view.endpoint == Endpoint::Embeddings {
        Some(("input", "an embedding"))
    } else if view.sampling.n.is_some_and(|n| n > 1) {
        Some(("n", "more than one answer"))
    } else if matches!(view.tool_choice, ToolChoice::Required | ToolChoice::Named) {
        Some(("tool_choice", "a forced tool call"))
    } else if view.response_format != ResponseFormat::Text {
        Some((format_path(view.endpoint), "a format other than text"))
    } else if view.previous_response_id.is_some() {
        Some(("previous_response_id", "an earlier response by reference"))
    } else if view.conversation.is_some() {
        Some(("conversation", "a stored conversation"))
    } else if view.background == Some(true) {
        Some(("background", "an answer in the background"))
    } else {
        None
    };
    match found {
        Some((path, what)) => Err(Unsupported::new(path, what)),
        None => Ok(()),
    }
}

const fn format_path(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Responses => "text.format",
        Endpoint::Messages | Endpoint::CountTokens => "output_config.format",
        Endpoint::ChatCompletions | Endpoint::Embeddings => "response_format",
    }
}

fn speaker(block: &Block) -> Result<Speaker, Unsupported> {
    match block.role {
        Role::System => Ok(Speaker::System),
        Role::User => Ok(Speaker::User),
        Role::Assistant => Ok(Speaker::Assistant),
        Role::Tool => Ok(Speaker::Tool),
        Role::Other => Err(Unsupported::new(block.place(), "a message of unknown role")),
    }
}

/// The block as text; none where there is nothing to say.
fn render(block: &Block, body: &[u8]) -> Result<Option<String>, Unsupported> {
    let unsupported = |what| Err(Unsupported::new(block.place(), what));
    match block.kind {
        BlockKind::Text | BlockKind::Refusal => Ok(literal(body, block.text.as_ref())),
        BlockKind::ToolResult => match literal(body, block.text.as_ref()) {
            Some(text) => Ok(Some(text)),
            None => Ok(raw_output(body, &block.span)),
        },
        BlockKind::ToolUse => match tool_call(body, &block.span) {
            Some(call) => Ok(Some(call)),
            None => unsupported("a call without a name"),
        },
        BlockKind::Thinking | BlockKind::RedactedThinking | BlockKind::Tools => Ok(None),
        BlockKind::Tokens => unsupported("text given as tokens"),
        BlockKind::Image => unsupported("an image"),
        BlockKind::Document => unsupported("a document"),
        BlockKind::Audio => unsupported("audio"),
        BlockKind::ServerTool => unsupported("a tool of the provider"),
        BlockKind::Reference => unsupported("content by reference"),
        BlockKind::Other => unsupported("content of unknown kind"),
    }
}

/// The spans were checked when the view was read, against the limits of that time.
const ANY: JsonLimits = JsonLimits {
    max_depth: usize::MAX,
    max_values: usize::MAX,
    kept_depth: usize::MAX,
};

fn with_value<T>(body: &[u8], span: &Span, read: impl FnOnce(Value<'_>) -> Option<T>) -> Option<T> {
    let bytes = body.get(span.clone())?;
    let document = Document::parse(bytes, ANY).ok()?;
    read(document.root())
}

fn literal(body: &[u8], span: Option<&Span>) -> Option<String> {
    with_value(body, span?, |value| value.as_str().map(String::from))
}

/// A result that is no text: its JSON, or nothing when the tool gave none.
fn raw_output(body: &[u8], block: &Span) -> Option<String> {
    with_value(body, block, |result| {
        result
            .non_null("output")
            .map(|output| output.raw().to_owned())
    })
}

/// A call in the manner of `name(arguments)`, which models know from code.
fn tool_call(body: &[u8], block: &Span) -> Option<String> {
    with_value(body, block, |call| {
        let called = ["function", "custom"]
            .iter()
            .find_map(|key| call.non_null(key))
            .unwrap_or(call);
        let name = ["name", "type"]
            .iter()
            .find_map(|key| called.get(key)?.as_str())?;
        let namespace = called.get("namespace").and_then(|value| value.as_str());
        let arguments = ["arguments", "input", "action", "operation"]
            .iter()
            .find_map(|key| called.non_null(key));
        let arguments = match arguments {
            Some(value) => value.as_str().unwrap_or_else(|| value.raw().into()),
            None => "".into(),
        };
        Some(match namespace {
            Some(namespace) => format!("{namespace}.{name}({arguments})"),
            None => format!("{name}({arguments})"),
        })
    })
}

#[cfg(test)]
mod tests;
