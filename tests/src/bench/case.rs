//! What is measured: a size, a mode and a number of connections. See [`Case`].

use std::fmt;

/// A request body's size, and with it the API that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// A chat completion of 1 KB: a title, a classification.
    Small,
    /// A messages request of 50 KB: the first turns of a coding agent, with its system prompt and tools.
    Agent,
    /// A messages request of 400 KB: a long session of a coding agent.
    Session,
}

/// How the answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// As one JSON object.
    Whole,
    /// As server-sent events.
    Stream,
}

/// One combination; displayed as its name, such as `1KB/whole/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) size: Size,
    pub(super) mode: Mode,
    /// Kept-alive HTTP/1.1 connections, each with one request at a time.
    pub(super) connections: usize,
}

/// An API of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/messages`
    Messages,
}

// === impl Case ===

impl Case {
    /// Every combination.
    pub(super) fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for size in [Size::Small, Size::Agent, Size::Session] {
            for mode in [Mode::Whole, Mode::Stream] {
                for connections in [1, 32] {
                    cases.push(Self {
                        size,
                        mode,
                        connections,
                    });
                }
            }
        }
        cases
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            Mode::Whole => "whole",
            Mode::Stream => "stream",
        };
        write!(f, "{}KB/{mode}/{}", self.size.kilobytes(), self.connections)
    }
}

// === impl Size ===

impl Size {
    /// Length of the body, in KB of 1,024 bytes.
    pub(super) fn kilobytes(self) -> usize {
        match self {
            Self::Small => 1,
            Self::Agent => 50,
            Self::Session => 400,
        }
    }

    /// The API that requests of this size go to.
    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::Small => Protocol::Chat,
            Self::Agent | Self::Session => Protocol::Messages,
        }
    }
}

// === impl Mode ===

impl Mode {
    /// Tells the origin what is wanted, so that it need not search the body.
    pub(super) fn query(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Stream => "?answer=stream",
        }
    }
}

// === impl Protocol ===

impl Protocol {
    /// Path of the API.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
        }
    }
}
