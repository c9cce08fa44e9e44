//! Errors of the gateway itself, in the shape that the client's SDK expects.

use bytes::Bytes;
use serde::Serialize;

use crate::endpoint::{Dialect, Endpoint};
use crate::json::encode;
use crate::sse::{encode_comment, encode_event};

/// What sort of error it is. HTTP statuses are not decided here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request cannot be understood or asks for what cannot be done.
    InvalidRequest,
    /// No key, or not a known one.
    Authentication,
    /// A known key that may not do this.
    Permission,
    /// A known key that may not use this model.
    ModelNotAllowed,
    /// No such path or model.
    NotFound,
    /// The body is over the limit.
    RequestTooLarge,
    /// Too many requests or tokens for now.
    RateLimit,
    /// A budget has no room.
    BudgetExceeded,
    /// Whether a budget has room cannot be found out.
    BudgetStoreUnavailable,
    /// What the call would cost is not known.
    UnknownPrice,
    /// The gateway or the provider is full.
    Overloaded,
    /// The provider did not answer in time.
    Timeout,
    /// The gateway failed.
    Api,
    /// The provider could not be reached or broke off.
    Upstream,
}

impl ErrorKind {
    /// A stable label for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::NotFound => "not_found",
            Self::RequestTooLarge => "request_too_large",
            Self::RateLimit => "rate_limit",
            Self::BudgetExceeded => "budget_exceeded",
            Self::BudgetStoreUnavailable => "budget_store_unavailable",
            Self::UnknownPrice => "unknown_price",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Api => "api",
            Self::Upstream => "upstream",
        }
    }

    /// The `code` of an error that says no other. Errors that only a gateway makes have one, so that
    /// programs tell them from the provider's of the same type.
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::RateLimit => Some("rate_limit_exceeded"),
            Self::ModelNotAllowed
            | Self::BudgetExceeded
            | Self::BudgetStoreUnavailable
            | Self::UnknownPrice => Some(self.as_str()),
            _ => None,
        }
    }

    /// The `type` member. Clients choose by it whether to try again, so each dialect keeps to the
    /// names that its provider uses; a budget has one name in both.
    pub const fn wire_type(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::InvalidRequest | Self::UnknownPrice, _)
            | (Self::RequestTooLarge, Dialect::OpenAi) => "invalid_request_error",
            (Self::Authentication, _) => "authentication_error",
            (Self::Permission | Self::ModelNotAllowed, _) => "permission_error",
            (Self::NotFound, _) => "not_found_error",
            (Self::RequestTooLarge, Dialect::Anthropic) => "request_too_large",
            (Self::RateLimit, _) => "rate_limit_error",
            (Self::BudgetExceeded, _) => "budget_exceeded",
            (Self::BudgetStoreUnavailable, _) => "budget_store_unavailable",
            (Self::Overloaded, Dialect::Anthropic) => "overloaded_error",
            (Self::Timeout, _) => "timeout_error",
            (Self::Api | Self::Upstream, Dialect::Anthropic) => "api_error",
            (Self::Overloaded | Self::Api, Dialect::OpenAi) => "server_error",
            (Self::Upstream, Dialect::OpenAi) => "upstream_error",
        }
    }
}

/// Which budget had no room, in amounts that the client can show. All amounts are in US dollars, as
/// decimal numbers in strings: a JSON number would lose digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BudgetFacts {
    /// Whose money, such as `task:fix-login`.
    pub scope: String,
    /// The time that the limit is for, such as `month`.
    pub window: String,
    /// The limit.
    pub limit_usd: String,
    /// What has been spent of it.
    pub spent_usd: String,
    /// What calls in flight may still spend of it.
    pub reserved_usd: String,
    /// What this call was expected to cost.
    pub estimate_usd: String,
    /// When the window ends, in RFC 3339; none if it does not end by itself.
    pub resets_at: Option<String>,
}

/// An error to tell the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// What sort of error it is.
    pub kind: ErrorKind,
    /// What went wrong, for a person.
    pub message: String,
    /// The part of the request that is at fault, such as `messages[3].content`.
    pub param: Option<String>,
    /// A stable code for programs, such as `model_not_found`.
    pub code: Option<String>,
    /// The gateway's id of the request.
    pub request_id: Option<String>,
    /// The budget that had no room; boxed, as few errors have one.
    pub budget: Option<Box<BudgetFacts>>,
}

#[derive(Serialize)]
struct OpenAiBody<'a> {
    error: OpenAiError<'a>,
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<&'a BudgetFacts>,
}

#[derive(Serialize)]
struct AnthropicBody<'a> {
    r#type: &'static str,
    error: AnthropicError<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    r#type: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<&'a BudgetFacts>,
}

#[derive(Serialize)]
struct ResponsesError<'a> {
    r#type: &'static str,
    code: &'a str,
    message: &'a str,
    param: Option<&'a str>,
    sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<&'a BudgetFacts>,
}

impl ErrorBody {
    /// An error with a message, and the code that its kind has.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            param: None,
            code: kind.code().map(str::to_owned),
            request_id: None,
            budget: None,
        }
    }

    /// The error as the body of a response.
    pub fn to_body(&self, dialect: Dialect) -> Bytes {
        Bytes::from(self.to_json(dialect))
    }

    fn to_json(&self, dialect: Dialect) -> String {
        let r#type = self.kind.wire_type(dialect);
        match dialect {
            Dialect::OpenAi => encode(&OpenAiBody {
                error: OpenAiError {
                    message: &self.message,
                    r#type,
                    param: self.param.as_deref(),
                    code: self.code.as_deref(),
                    budget: self.budget.as_deref(),
                },
            }),
            Dialect::Anthropic => encode(&AnthropicBody {
                r#type: "error",
                error: AnthropicError {
                    r#type,
                    message: &self.message,
                    budget: self.budget.as_deref(),
                },
                request_id: self.request_id.as_deref(),
            }),
        }
    }

    /// The error as an event in a stream that has begun.
    pub fn to_event(&self, endpoint: Endpoint) -> Bytes {
        self.to_event_at(endpoint, 0)
    }

    /// As [`Self::to_event`], with the number that a responses stream has come to.
    pub fn to_event_at(&self, endpoint: Endpoint, sequence_number: u64) -> Bytes {
        match endpoint {
            Endpoint::ChatCompletions | Endpoint::Embeddings => {
                encode_event(None, &self.to_json(Dialect::OpenAi))
            }
            Endpoint::Messages | Endpoint::CountTokens => {
                encode_event(Some("error"), &self.to_json(Dialect::Anthropic))
            }
            Endpoint::Responses => {
                let code = self.code.as_deref();
                let event = ResponsesError {
                    r#type: "error",
                    code: code.unwrap_or(self.kind.wire_type(Dialect::OpenAi)),
                    message: &self.message,
                    param: self.param.as_deref(),
                    sequence_number,
                    budget: self.budget.as_deref(),
                };
                encode_event(Some("error"), &encode(&event))
            }
        }
    }
}

/// What keeps a silent stream alive without saying anything. Anthropic's clients wait for pings;
/// OpenAI's know no such event and skip comments.
pub const fn keep_alive(endpoint: Endpoint) -> &'static [u8] {
    match endpoint.dialect() {
        Dialect::Anthropic => b"event: ping\ndata: {\"type\": \"ping\"}\n\n",
        Dialect::OpenAi => b": keep-alive\n\n",
    }
}

/// A comment within a stream, on one line whatever the text holds: clients skip it, people and logs
/// read it.
pub fn comment(text: &str) -> Bytes {
    encode_comment(&text.replace(['\r', '\n'], " "))
}

#[cfg(test)]
mod tests;
