//! The line that each call leaves in the log.

use std::{borrow::Cow, io::Write};

use serde::Serialize;
use skinflint_money::NanoUsd;
use tracing::Level;

use super::sink::Sink;
use crate::clock;

/// Where the lines of calls go; cheap to clone.
///
/// They are the bulk of the log, and the general way through `tracing` costs ten times what a line does, so JSON lines are written straight to the sink.
#[derive(Debug, Clone)]
pub(crate) enum CallLog {
    /// As JSON objects, beside the other lines.
    Json(Sink),
    /// As events, for people to read.
    Events,
}

/// What the line of a call says. A field that the call did not come to is left out.
#[derive(Debug, Serialize)]
pub(crate) struct CallRecord<'a> {
    pub request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<String>,
    pub endpoint: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<&'a str>,
    pub route: &'a str,
    pub stream: bool,
    pub status: u16,
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<NanoUsd>,
    /// Tokens.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Tokens>,
    pub bytes_in: usize,
    pub bytes_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<f64>,
    pub duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_detail: Option<&'a str>,
}

/// Usage in its normal form, as the line has it.
#[derive(Debug, Serialize)]
pub(crate) struct Tokens {
    pub fresh_input: u64,
    pub cache_read: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    pub output: u64,
    pub reasoning: u64,
}

/// The members that every line of the log begins with.
#[derive(Serialize)]
struct Line<'a, 'b> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    #[serde(flatten)]
    record: &'b CallRecord<'a>,
    target: &'static str,
}

/// What `--log` filters these lines by.
const TARGET: &str = "skinflint::call";

// === impl CallLog ===

impl CallLog {
    /// Writes the line of a call, unless the log's filter leaves it out.
    pub(crate) fn write(&self, record: &CallRecord<'_>) {
        if !tracing::enabled!(target: TARGET, Level::INFO) {
            return;
        }
        match self {
            Self::Events => {
                let record = serde_json::to_string(record)
                    .map_or_else(|error| error.to_string().into(), Cow::from);
                tracing::info!(target: TARGET, %record, "call");
            }
            Self::Json(sink) => {
                let line = Line {
                    timestamp: clock::timestamp(),
                    level: "INFO",
                    message: "call",
                    record,
                    target: TARGET,
                };
                if let Ok(mut line) = serde_json::to_vec(&line) {
                    line.push(b'\n');
                    // The sink takes every line, or counts it as dropped.
                    let _taken = sink.clone().write_all(&line);
                }
            }
        }
    }
}
