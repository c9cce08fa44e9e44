//! What a request asks for, as spans into its body.

mod block;
mod chat;
mod content;
mod embeddings;
mod error;
mod messages;
mod node;
mod responses;
mod terms;

use crate::edit::Shift;
use crate::endpoint::Endpoint;
use crate::json::{Document, JsonLimits, Span};

pub use block::{Block, BlockKind, Role, Source};
pub use error::ViewError;
pub(crate) use node::Node;
pub(crate) use terms::runs_at_provider;
pub use terms::{CacheTtl, Reasoning};

/// A decoded value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the body.
    pub span: Span,
}

/// A tool on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name, or its type where the provider runs it and it has no name.
    pub name: String,
    /// Its definition's bytes.
    pub span: Span,
    /// Whether a cache breakpoint stands on it.
    pub cache_control: bool,
}

/// Whether the model may, must or must not call tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// No calls.
    None,
    /// At least one call.
    Required,
    /// A call of one named tool.
    Named,
}

/// What form the answer must have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ResponseFormat {
    /// Any text.
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema,
    /// A form that this version does not know.
    Other,
}

/// How the next token is chosen. Ranges are the provider's to check.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Softmax temperature.
    pub temperature: Option<f64>,
    /// Nucleus sampling's probability mass.
    pub top_p: Option<f64>,
    /// The number of candidates; some servers take -1 as no limit.
    pub top_k: Option<i64>,
    /// The seed of the random choice.
    pub seed: Option<i64>,
    /// How many answers.
    pub n: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
}

/// What the gateway reads of a request. The body itself is neither kept nor copied.
///
/// Fields and blocks of unknown kind are let through. Optional members that are `null` count as
/// absent.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an answer to a question of its own"
)]
pub struct RequestView {
    /// The protocol.
    pub endpoint: Endpoint,
    /// The outermost object.
    pub body: Span,
    /// The model asked for; the span is its string literal.
    pub model: Spanned<String>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The value of `stream_options`, if it is an object.
    pub stream_options: Option<Span>,
    /// Whether the client asked for usage in a chat stream.
    pub include_usage: bool,
    /// The limit on output tokens, however it is spelled.
    pub max_output_tokens: Option<Spanned<u64>>,
    /// The tools on offer.
    pub tools: Vec<Tool>,
    /// Whether tools may or must be called.
    pub tool_choice: ToolChoice,
    /// System prompt, messages and their parts, in the order in which the model reads them.
    pub blocks: Vec<Block>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// What form the answer must have.
    pub response_format: ResponseFormat,
    /// Anthropic's `thinking.budget_tokens`.
    pub thinking_budget: Option<u64>,
    /// Whether the model is to reason.
    pub reasoning: Reasoning,
    /// The longest term of any cache breakpoint: on tools, system, messages or the request itself, or
    /// in OpenAI's `prompt_cache_options`; none without one. What a provider writes unasked has its
    /// short term.
    pub cache_ttl: Option<CacheTtl>,
    /// Whether tools are on offer that the provider runs and bills apart: web search, code
    /// interpreter, remote MCP servers.
    pub server_tools: bool,
    /// Whether the answer may hold sound or pictures.
    pub media_output: bool,
    /// The `service_tier` asked for, as it is spelled.
    pub service_tier: Option<String>,
    /// Anthropic's `speed`, as it is spelled.
    pub speed: Option<String>,
    /// The members of `metadata` that are strings.
    pub metadata: Vec<(String, String)>,
    /// The members of Codex's `client_metadata` that are strings.
    pub client_metadata: Vec<(String, String)>,
    /// OpenAI's `user`.
    pub user: Option<String>,
    /// OpenAI's `safety_identifier`.
    pub safety_identifier: Option<String>,
    /// OpenAI's `prompt_cache_key`.
    pub prompt_cache_key: Option<String>,
    /// The earlier response that this one goes on from.
    pub previous_response_id: Option<String>,
    /// The id of the stored conversation that this request belongs to.
    pub conversation: Option<String>,
    /// Whether the provider is to keep the answer.
    pub store: Option<bool>,
    /// Whether the provider is to answer later.
    pub background: Option<bool>,
    /// Optional members that stand there without saying anything (`null`, or a `false` that is the
    /// default), where an amendment has to put its value: a second one could not be added.
    pub(crate) blanks: Vec<(&'static str, Span)>,
}

impl RequestView {
    /// Reads a body. Every member that is read must be there once and have the right type.
    pub fn parse(endpoint: Endpoint, body: &[u8], limits: JsonLimits) -> Result<Self, ViewError> {
        let document = Document::parse(body, limits)?;
        let root = Node::root(document.root());
        let mut view = match endpoint {
            Endpoint::ChatCompletions => chat::read(&root),
            Endpoint::Responses => responses::read(&root),
            Endpoint::Messages | Endpoint::CountTokens => messages::read(endpoint, &root),
            Endpoint::Embeddings => embeddings::read(&root),
        }?;
        terms::read(&mut view, &root)?;
        Ok(view)
    }

    /// The view of the body after edits of texts within its blocks.
    #[must_use]
    pub fn shifted(&self, shift: &Shift) -> Self {
        let mut view = self.clone();
        let spans = [&mut view.body, &mut view.model.span]
            .into_iter()
            .chain(&mut view.stream_options)
            .chain(view.max_output_tokens.as_mut().map(|limit| &mut limit.span))
            .chain(view.tools.iter_mut().map(|tool| &mut tool.span))
            .chain(view.blocks.iter_mut().flat_map(|block| {
                let Block { span, text, .. } = block;
                std::iter::once(span).chain(text)
            }))
            .chain(view.blanks.iter_mut().map(|(_, span)| span));
        for span in spans {
            *span = shift.of(span);
        }
        view
    }

    /// Where an optional member stands that says nothing.
    pub(crate) fn blank(&self, key: &str) -> Option<Span> {
        let found = self.blanks.iter().find(|(blank, _)| *blank == key);
        found.map(|(_, span)| span.clone())
    }

    /// Remembers where members are `null`.
    fn note_blanks(&mut self, object: &Node<'_, '_>, keys: &[&'static str]) {
        for key in keys {
            if let Some(span) = object.null(key) {
                self.blanks.push((key, span));
            }
        }
    }

    /// A view that has only what every protocol requires.
    fn new(
        endpoint: Endpoint,
        root: &Node<'_, '_>,
        model: Option<Node<'_, '_>>,
    ) -> Result<Self, ViewError> {
        let model = root.require(model, "model", "a model name")?;
        Ok(Self {
            endpoint,
            body: root.span(),
            model: Spanned {
                value: model.non_empty_string()?,
                span: model.span(),
            },
            stream: false,
            stream_options: None,
            include_usage: false,
            max_output_tokens: None,
            tools: Vec::new(),
            tool_choice: ToolChoice::default(),
            blocks: Vec::new(),
            sampling: Sampling::default(),
            response_format: ResponseFormat::default(),
            thinking_budget: None,
            reasoning: Reasoning::default(),
            cache_ttl: None,
            server_tools: false,
            media_output: false,
            service_tier: None,
            speed: None,
            metadata: Vec::new(),
            client_metadata: Vec::new(),
            user: None,
            safety_identifier: None,
            prompt_cache_key: None,
            previous_response_id: None,
            conversation: None,
            store: None,
            background: None,
            blanks: Vec::new(),
        })
    }
}

impl ResponseFormat {
    /// Reads the `type` of a format object.
    fn read(format: &Node<'_, '_>) -> Result<Self, ViewError> {
        let [kind] = format.fields(["type"])?;
        let kind = format.require(kind, "type", "a string")?;
        Ok(match kind.string()?.as_ref() {
            "text" => Self::Text,
            "json_object" => Self::JsonObject,
            "json_schema" => Self::JsonSchema,
            _ => Self::Other,
        })
    }
}

#[cfg(test)]
mod tests;
