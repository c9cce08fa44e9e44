//! What one request, and all of them together, may take up.

use serde::Deserialize;

use crate::{file::Invalid, units::ByteSize};

/// Upper bounds; whatever goes over one is refused with a precise error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body as it arrives.
    pub body: ByteSize,
    /// Bytes of a request body after decompression.
    pub decompressed: ByteSize,
    /// Bytes of a request's header section.
    pub headers: ByteSize,
    /// Nesting of arrays and objects in a JSON body.
    pub json_depth: usize,
    /// Open client connections.
    pub connections: usize,
    /// Calls from their first byte to the last byte of their answer.
    pub in_flight: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    body: Option<ByteSize>,
    decompressed: Option<ByteSize>,
    headers: Option<ByteSize>,
    json_depth: Option<usize>,
    connections: Option<usize>,
    in_flight: Option<usize>,
}

/// The largest request body that Anthropic's API takes.
const DEFAULT_BODY: ByteSize = ByteSize::mib(32);
/// As much as an uncompressed body may have.
const DEFAULT_DECOMPRESSED: ByteSize = ByteSize::mib(32);
/// Room for long OAuth tokens and `baggage`.
const DEFAULT_HEADERS: ByteSize = ByteSize::kib(32);
/// hyper's HTTP/1 parser reads into a buffer of at least 8 KiB.
const MIN_HEADERS: ByteSize = ByteSize::kib(8);
/// Tool schemas nest about ten deep; 64 leaves room and keeps a scanner's stack small.
const DEFAULT_JSON_DEPTH: usize = 64;
/// Above the usual 1,024 file descriptors nothing is gained: the service file raises both.
const DEFAULT_CONNECTIONS: usize = 10_000;
/// Each call in flight holds its request body; 1,024 of 100 KB are 100 MB.
const DEFAULT_IN_FLIGHT: usize = 1_024;

// === impl Limits ===

impl Limits {
    pub(super) fn validate(raw: &Raw) -> Result<Self, Invalid> {
        let limits = Self {
            body: raw.body.unwrap_or(DEFAULT_BODY),
            decompressed: raw.decompressed.unwrap_or(DEFAULT_DECOMPRESSED),
            headers: raw.headers.unwrap_or(DEFAULT_HEADERS),
            json_depth: raw.json_depth.unwrap_or(DEFAULT_JSON_DEPTH),
            connections: raw.connections.unwrap_or(DEFAULT_CONNECTIONS),
            in_flight: raw.in_flight.unwrap_or(DEFAULT_IN_FLIGHT),
        };
        if limits.headers < MIN_HEADERS {
            return Err(Invalid::new("headers", "expected at least \"8KiB\""));
        }
        let at_least_one = [
            ("body", limits.body.0),
            ("decompressed", limits.decompressed.0),
            ("json_depth", limits.json_depth as u64),
            ("connections", limits.connections as u64),
            ("in_flight", limits.in_flight as u64),
        ];
        for (field, value) in at_least_one {
            if value == 0 {
                return Err(Invalid::new(field, "expected at least 1"));
            }
        }
        Ok(limits)
    }
}
