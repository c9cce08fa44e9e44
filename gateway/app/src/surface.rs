//! What a request asks for, by its method and path alone.

use http::{HeaderMap, Method};
use skinflint_protocol::{Dialect, Endpoint};

/// A part of the HTTP surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// A `POST` whose body the gateway reads.
    Viewed(Endpoint),
    /// `GET /v1/models`
    Models,
    /// `POST /v1/compress`
    Compress,
    /// A path of the gateway's, with a method that it does not take.
    Misused(Endpoint),
    /// Anything else: passed through where the configuration says so, else refused.
    Other,
}

/// Sent by every client of Anthropic's API and by no other.
const ANTHROPIC_VERSION: &str = "anthropic-version";

/// Where prose is compressed for whoever asks.
pub(crate) const COMPRESS: &str = "/v1/compress";

// === impl Surface ===

impl Surface {
    /// What a request line asks for.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        match Endpoint::from_path(path) {
            Some(endpoint) if method == Method::POST => Self::Viewed(endpoint),
            Some(endpoint) => Self::Misused(endpoint),
            None if method == Method::GET && path == "/v1/models" => Self::Models,
            None if method == Method::POST && path == COMPRESS => Self::Compress,
            _ => Self::Other,
        }
    }

    /// Whose error shape the client understands.
    pub(crate) fn dialect(self, headers: &HeaderMap) -> Dialect {
        match self {
            Self::Viewed(endpoint) | Self::Misused(endpoint) => endpoint.dialect(),
            Self::Models | Self::Compress | Self::Other
                if headers.contains_key(ANTHROPIC_VERSION) =>
            {
                Dialect::Anthropic
            }
            Self::Models | Self::Compress | Self::Other => Dialect::OpenAi,
        }
    }

    /// A stable label for logs and metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Viewed(endpoint) | Self::Misused(endpoint) => endpoint.as_str(),
            Self::Models => "models",
            Self::Compress => "compress",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_and_path_decide() {
        let viewed = Surface::of(&Method::POST, "/v1/messages");
        assert_eq!(viewed, Surface::Viewed(Endpoint::Messages));
        let misused = Surface::of(&Method::GET, "/v1/messages");
        assert_eq!(misused, Surface::Misused(Endpoint::Messages));
        assert_eq!(Surface::of(&Method::GET, "/v1/models"), Surface::Models);
        assert_eq!(Surface::of(&Method::POST, "/v1/models"), Surface::Other);
        assert_eq!(Surface::of(&Method::POST, "/v1/messages/"), Surface::Other);
    }
}
