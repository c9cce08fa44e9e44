//! The three generating endpoints, for tests that hold for each of them.

use serde_json::{Value, json};

/// A generating endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Chat,
    Responses,
    Messages,
}

impl Api {
    pub(crate) const ALL: [Self; 3] = [Self::Chat, Self::Responses, Self::Messages];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
        }
    }

    /// A model that the harness routes to the protocol's upstream.
    pub(crate) fn model(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses => "gpt-fake-1",
            Self::Messages => "claude-fake-1",
        }
    }

    /// A small request.
    pub(crate) fn body(self, stream: bool) -> Value {
        let mut body = match self {
            Self::Responses => json!({ "model": self.model(), "input": "hello" }),
            Self::Chat => {
                json!({ "model": self.model(), "messages": [{ "role": "user", "content": "hello" }] })
            }
            Self::Messages => json!({
                "model": self.model(),
                "max_tokens": 100,
                "messages": [{ "role": "user", "content": "hello" }],
            }),
        };
        if stream {
            body["stream"] = true.into();
            if self == Self::Chat {
                body["stream_options"] = json!({ "include_usage": true });
            }
        }
        body
    }

    /// A small request as text.
    pub(crate) fn text(self, stream: bool) -> String {
        self.body(stream).to_string()
    }

    /// True of an event with which the protocol ends a stream well.
    pub(crate) fn is_terminal(self, event: &skinflint_tests::sse::Event) -> bool {
        match self {
            Self::Chat => event.data == "[DONE]",
            Self::Responses => event.name == "response.completed",
            Self::Messages => event.name == "message_stop",
        }
    }
}
