//! Where log lines go and how they look.

mod calls;
mod sink;

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

pub(crate) use self::calls::{CallLog, CallRecord, Tokens};
use self::sink::{Flushed, Sink};

/// The look of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// JSON where the log is read by a program, text on a terminal.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Sends log lines to standard error from a thread of their own. What is still waiting is written when the guard is dropped.
pub(crate) fn init(format: LogFormat, filter: EnvFilter) -> io::Result<(Flushed, CallLog)> {
    let (writer, flushed) = Sink::start(io::stderr())?;
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !io::stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    let calls = if json {
        CallLog::Json(writer.clone())
    } else {
        CallLog::Events
    };
    if json {
        let layer = fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(writer);
        registry.with(layer).init();
    } else {
        let ansi = io::stderr().is_terminal();
        registry
            .with(fmt::layer().with_ansi(ansi).with_writer(writer))
            .init();
    }
    Ok((flushed, calls))
}
