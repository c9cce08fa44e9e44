//! Reading one call.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::request::ToolCall;
use crate::tool_syntax::ToolSyntax;

/// What ends a call in the Hermes syntax.
const CLOSING: &str = "</tool_call>";

/// What tells a call in Llama's syntax from other JSON, after its opening brace.
const NAME: &str = "\"name\"";

/// How far a call has been read. Each byte is looked at once.
#[derive(Debug)]
pub(super) struct CallScan {
    syntax: ToolSyntax,
    stage: Stage,
    /// The next byte to look at.
    at: usize,
    /// Where the object begins.
    start: usize,
    /// Where it ends, once it has.
    end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// White space, then the brace.
    Brace,
    /// White space, then the first name, of which so many bytes have come.
    Name(usize),
    /// The object's inside.
    Object {
        depth: u32,
        in_string: bool,
        is_escaped: bool,
    },
    /// White space, then the closing mark, of which so many bytes have come.
    Closing(usize),
}

/// What is known of a call.
#[derive(Debug)]
pub(super) enum Progress {
    /// It is not complete yet.
    Open,
    /// A call, and the byte after it.
    Call(ToolCall, usize),
    /// There is none, and none that begins before this byte.
    None(usize),
}

impl CallScan {
    /// A call whose object comes from the byte `at` on.
    pub(super) fn new(syntax: ToolSyntax, at: usize) -> Self {
        Self {
            syntax,
            stage: Stage::Brace,
            at,
            start: at,
            end: at,
        }
    }

    /// Reads on. `text` is all there is, from the byte on that the call was counted from.
    pub(super) fn advance(&mut self, text: &str) -> Progress {
        while let Some(&byte) = text.as_bytes().get(self.at) {
            self.at += 1;
            match self.stage {
                Stage::Brace | Stage::Name(0) | Stage::Closing(0) if byte.is_ascii_whitespace() => {
                }
                Stage::Brace if byte == b'{' => {
                    self.start = self.at - 1;
                    self.stage = match self.syntax {
                        ToolSyntax::Hermes => Stage::inside(),
                        ToolSyntax::Llama => Stage::Name(0),
                    };
                }
                Stage::Name(seen) if byte == NAME.as_bytes()[seen] => {
                    self.stage = if seen + 1 == NAME.len() {
                        Stage::inside()
                    } else {
                        Stage::Name(seen + 1)
                    };
                }
                Stage::Object { .. } => {
                    self.stage = self.stage.within(byte);
                    if self.stage == Stage::Closing(0) {
                        self.end = self.at;
                        if self.syntax == ToolSyntax::Llama {
                            return self.read(text);
                        }
                    }
                }
                Stage::Closing(seen) if byte == CLOSING.as_bytes()[seen] => {
                    if seen + 1 == CLOSING.len() {
                        return self.read(text);
                    }
                    self.stage = Stage::Closing(seen + 1);
                }
                // What was taken for the closing mark may be an opening one, after white space.
                Stage::Closing(_) => return Progress::None(self.end),
                Stage::Brace | Stage::Name(_) => return Progress::None(self.start),
            }
        }
        Progress::Open
    }

    fn read(&self, text: &str) -> Progress {
        match read(self.syntax, &text[self.start..self.end]) {
            Some(call) => Progress::Call(call, self.at),
            None => Progress::None(self.at),
        }
    }
}

impl Stage {
    fn inside() -> Self {
        Self::Object {
            depth: 1,
            in_string: false,
            is_escaped: false,
        }
    }

    /// The stage after one more byte of the object.
    fn within(self, byte: u8) -> Self {
        let Self::Object {
            mut depth,
            mut in_string,
            is_escaped,
        } = self
        else {
            return self;
        };
        let mut escapes = false;
        match byte {
            _ if is_escaped => {}
            b'\\' => escapes = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Self::Closing(0);
        }
        Self::Object {
            depth,
            in_string,
            is_escaped: escapes,
        }
    }
}

#[derive(Deserialize)]
struct Hermes<'a> {
    name: String,
    #[serde(borrow)]
    arguments: &'a RawValue,
}

#[derive(Deserialize)]
struct Llama<'a> {
    name: String,
    #[serde(borrow)]
    parameters: &'a RawValue,
}

/// Reads a call's object. The arguments stay as they are written.
fn read(syntax: ToolSyntax, object: &str) -> Option<ToolCall> {
    let (name, arguments) = match syntax {
        ToolSyntax::Hermes => {
            let call: Hermes<'_> = serde_json::from_str(object).ok()?;
            (call.name, call.arguments.get())
        }
        ToolSyntax::Llama => {
            let call: Llama<'_> = serde_json::from_str(object).ok()?;
            (call.name, call.parameters.get())
        }
    };
    arguments.starts_with('{').then(|| ToolCall {
        name,
        arguments: arguments.to_owned(),
    })
}
