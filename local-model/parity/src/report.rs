//! What is said while and after comparing: [`Report`].

use std::io::{self, Write};

use crate::figure::Figure;

/// Writes lines and figures to standard output, and remembers whether a goal was missed.
#[derive(Debug, Default)]
pub struct Report {
    short: bool,
}

impl Report {
    /// Writes a line.
    pub fn line(&self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "{text}")
    }

    /// Writes a figure.
    pub fn figure(&mut self, figure: &Figure) -> io::Result<()> {
        self.short |= !figure.is_met();
        self.line(&figure.to_string())
    }

    /// Whether no figure was short of its goal.
    pub fn is_met(&self) -> bool {
        !self.short
    }
}

/// An error with all that led to it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
