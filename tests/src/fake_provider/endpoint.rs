//! Which answer a path gets.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Exchange, chat, messages, output::Output, responses, vectors};

/// The calls that the provider knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Responses,
    Messages,
    CountTokens,
    Embeddings,
    Models,
    Unknown,
}

/// A whole body, cut into the parts (events, when streamed) in which it is sent.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) content_type: &'static str,
    pub(super) parts: Vec<Bytes>,
    /// Output tokens that the model has to produce for each part; none for the parts beyond.
    pub(super) tokens: Vec<u64>,
    /// Index of the first part that tells the end.
    pub(super) terminal: usize,
}

/// The parts of a stream as they are written.
#[derive(Debug, Default)]
pub(super) struct Parts {
    bytes: Vec<Bytes>,
    tokens: Vec<u64>,
}

impl Endpoint {
    pub(super) fn of(request: &Exchange) -> Self {
        match (&request.method, request.path()) {
            (&Method::POST, "/v1/chat/completions") => Self::Chat,
            (&Method::POST, "/v1/responses") => Self::Responses,
            (&Method::POST, "/v1/messages") => Self::Messages,
            (&Method::POST, "/v1/messages/count_tokens") => Self::CountTokens,
            (&Method::POST, "/v1/embeddings") => Self::Embeddings,
            (&Method::GET, "/v1/models") => Self::Models,
            _ => Self::Unknown,
        }
    }

    /// Status of the usual answer.
    pub(super) fn status(self) -> StatusCode {
        if self == Self::Unknown {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::OK
        }
    }

    /// True where answers are paid for.
    pub(super) fn is_billed(self) -> bool {
        self.is_generating() || self == Self::Embeddings
    }

    /// True where a model produces token after token.
    pub(super) fn is_generating(self) -> bool {
        matches!(self, Self::Chat | Self::Responses | Self::Messages)
    }

    /// True where errors have Anthropic's shape.
    fn is_anthropic(self) -> bool {
        matches!(self, Self::Messages | Self::CountTokens)
    }

    /// The realistic answer.
    pub(super) fn render(self, request: &Exchange, asked: &Value, output: &Output) -> Rendered {
        match self {
            Self::Chat => chat::render(asked, output),
            Self::Responses => responses::render(asked, output),
            Self::Messages => messages::render(asked, output),
            Self::CountTokens => Rendered::json(&json!({ "input_tokens": request.body.len() / 4 })),
            Self::Embeddings => vectors::render(asked),
            Self::Models => Rendered::json(&models(request)),
            Self::Unknown => self.error(StatusCode::NOT_FOUND),
        }
    }

    /// An error body of the protocol.
    pub(super) fn error(self, status: StatusCode) -> Rendered {
        let message = format!("fake provider says {}", status.as_u16());
        let body = if self.is_anthropic() {
            json!({
                "type": "error",
                "error": { "type": anthropic_error(status), "message": message },
                "request_id": "req_fake0001",
            })
        } else {
            json!({
                "error": { "message": message, "type": openai_error(status), "param": null, "code": null },
            })
        };
        Rendered::json(&body)
    }
}

impl Rendered {
    /// A body in one part.
    pub(super) fn json(body: &Value) -> Self {
        Self {
            content_type: "application/json",
            parts: vec![Bytes::from(body.to_string())],
            tokens: Vec::new(),
            terminal: 0,
        }
    }

    /// An event stream that tells its end from the part `terminal` on. The model reasons before its first other token.
    pub(super) fn events(parts: Parts, terminal: usize, reasoning: u64) -> Self {
        let Parts { bytes, mut tokens } = parts;
        if let Some(first) = tokens.iter_mut().find(|tokens| **tokens > 0) {
            *first += reasoning;
        }
        Self {
            content_type: "text/event-stream; charset=utf-8",
            parts: bytes,
            tokens,
            terminal,
        }
    }
}

impl Parts {
    /// A part that costs no token.
    pub(super) fn push(&mut self, part: Bytes) {
        self.push_tokens(part, 0);
    }

    /// A part for which the model produces so many tokens.
    pub(super) fn push_tokens(&mut self, part: Bytes, tokens: u64) {
        self.bytes.push(part);
        self.tokens.push(tokens);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl Extend<Bytes> for Parts {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, parts: I) {
        for part in parts {
            self.push(part);
        }
    }
}

/// `data: {…}`, as OpenAI's chat completions send it.
pub(super) fn data(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

/// `event: TYPE` and `data: {…}`, as messages and responses send it; the type is the value's own.
pub(super) fn event(value: &Value) -> Bytes {
    let kind = value["type"].as_str().unwrap_or_default();
    Bytes::from(format!("event: {kind}\ndata: {value}\n\n"))
}

/// True when the request asked for a stream.
pub(super) fn wants_stream(asked: &Value) -> bool {
    asked["stream"].as_bool() == Some(true)
}

fn models(request: &Exchange) -> Value {
    if request.headers.contains_key("anthropic-version") {
        return json!({
            "data": [{
                "type": "model",
                "id": "claude-fake-1",
                "display_name": "Claude Fake 1",
                "created_at": "2026-01-01T00:00:00Z",
            }],
            "has_more": false,
            "first_id": "claude-fake-1",
            "last_id": "claude-fake-1",
        });
    }
    json!({
        "object": "list",
        "data": [{ "id": "gpt-fake-1", "object": "model", "created": 1_767_225_600, "owned_by": "fake" }],
    })
}

fn anthropic_error(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    }
}

fn openai_error(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400..=428 => "invalid_request_error",
        429 => "rate_limit_exceeded",
        _ => "server_error",
    }
}
