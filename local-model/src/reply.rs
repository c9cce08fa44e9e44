//! The parts of an answer: its text, and the tools that it calls.

mod call;

use std::mem;

use crate::request::ToolCall;
use crate::tool_syntax::ToolSyntax;
use call::{CallScan, Progress};

/// What opens a call in the Hermes syntax.
const OPENING: &str = "<tool_call>";

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text, never empty.
    Text(String),
    /// A complete call.
    Call(ToolCall),
}

/// Finds the calls in a text that comes in pieces. Text goes out at once, but for what may turn out
/// to open a call, and white space that may turn out to stand before one: white space around calls
/// is left out. A call that is cut off or malformed is text. How the text is cut into pieces makes
/// no difference to the parts, joined.
#[derive(Debug)]
pub(crate) struct Reply {
    syntax: ToolSyntax,
    state: State,
    /// What has not gone out yet.
    pending: String,
    /// Whether nothing but white space came since the last call.
    is_after_call: bool,
    has_calls: bool,
}

#[derive(Debug)]
enum State {
    /// No call can come.
    Plain,
    /// A call may begin.
    Text,
    /// `pending` begins with white space and a call, or what looks like one.
    Call(CallScan),
}

impl Reply {
    /// `has_tools` says whether any call may come.
    pub(crate) fn new(syntax: ToolSyntax, has_tools: bool) -> Self {
        Self {
            syntax,
            state: match (has_tools, syntax) {
                (false, _) => State::Plain,
                (true, ToolSyntax::Hermes) => State::Text,
                (true, ToolSyntax::Llama) => State::Call(CallScan::new(syntax, 0)),
            },
            pending: String::new(),
            is_after_call: false,
            has_calls: false,
        }
    }

    /// Takes the next piece, and returns what it settles.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Part> {
        self.pending.push_str(text);
        let mut parts = Vec::new();
        while self.advance(&mut parts) {}
        parts
    }

    /// Returns what is left when no more comes.
    pub(crate) fn finish(mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        self.say(self.pending.len(), &mut parts);
        parts
    }

    /// Whether a call has gone out.
    pub(crate) fn has_calls(&self) -> bool {
        self.has_calls
    }

    /// Takes one step; returns whether another may be possible without more text.
    fn advance(&mut self, parts: &mut Vec<Part>) -> bool {
        match &mut self.state {
            State::Plain => {
                if !self.is_after_call || !self.pending.trim_start().is_empty() {
                    self.say(self.pending.len(), parts);
                }
                false
            }
            State::Text => {
                let Some(at) = self.pending.find(OPENING) else {
                    let ready = self.pending.len() - begun(&self.pending, OPENING);
                    let ready = self.pending[..ready].trim_end().len();
                    self.say(ready, parts);
                    return false;
                };
                let text = self.pending[..at].trim_end().len();
                self.say(text, parts);
                let body = at - text + OPENING.len();
                self.state = State::Call(CallScan::new(self.syntax, body));
                true
            }
            State::Call(scan) => {
                let progress = scan.advance(&self.pending);
                match progress {
                    Progress::Open => return false,
                    Progress::Call(call, end) => {
                        self.pending.drain(..end);
                        parts.push(Part::Call(call));
                        self.is_after_call = true;
                        self.has_calls = true;
                    }
                    Progress::None(end) => self.say(end, parts),
                }
                self.state = match self.syntax {
                    ToolSyntax::Hermes => State::Text,
                    ToolSyntax::Llama => State::Plain,
                };
                true
            }
        }
    }

    /// Lets the first `length` bytes of what is pending out as text.
    fn say(&mut self, length: usize, parts: &mut Vec<Part>) {
        let rest = self.pending.split_off(length);
        let mut text = mem::replace(&mut self.pending, rest);
        if self.is_after_call {
            text.drain(..text.len() - text.trim_start().len());
        }
        if text.is_empty() {
            return;
        }
        self.is_after_call = false;
        match parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(&text),
            _ => parts.push(Part::Text(text)),
        }
    }
}

/// Bytes at the end of `text` that begin `mark`, which is ASCII.
fn begun(text: &str, mark: &str) -> usize {
    let longest = text.len().min(mark.len() - 1);
    (1..=longest)
        .rev()
        .find(|&length| text.as_bytes().ends_with(&mark.as_bytes()[..length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
