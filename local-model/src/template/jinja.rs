//! Chat templates in Jinja, as `transformers` runs them.

use std::error::Error as _;
use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use super::values;
use crate::error::LoadFault;
use crate::request::{Tool, Turn};
use crate::tokenizer::Tokenizer;

/// What a template may do whatever the conversation, in minijinja's fuel: one per instruction, and
/// one per 64 bytes made. Real templates need some thousand.
const FUEL: u64 = 500_000;

/// What it may do besides for each turn.
const FUEL_PER_TURN: u64 = 5_000;

/// What it may do besides for each byte of the conversation: writing JSON takes a quarter.
const FUEL_PER_BYTE: u64 = 2;

/// How deep macros may call each other. Each level takes some kilobytes of the thread's stack.
const RECURSION_LIMIT: usize = 64;

/// The name under which the one template is kept.
const NAME: &str = "chat template";

/// A template, compiled.
#[derive(Debug)]
pub(super) struct Jinja {
    environment: Environment<'static>,
}

/// Why a template gave no text.
#[derive(Debug)]
pub(super) enum Failure {
    /// It refuses the conversation, and says why.
    Raised(String),
    /// It is wrong.
    Fault(String),
}

/// What a template said when it refused.
#[derive(Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

impl Jinja {
    pub(super) fn compile(source: &str) -> Result<Self, LoadFault> {
        let fault = |error: &Error| LoadFault::Template {
            reason: describe(error),
        };
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| fault(&error))?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax);
        environment.set_recursion_limit(RECURSION_LIMIT);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function(
            "raise_exception",
            |message: String| -> Result<Value, Error> {
                let error = Error::new(ErrorKind::InvalidOperation, "the template refuses");
                Err(error.with_source(Raised(message)))
            },
        );
        environment
            .add_template_owned(NAME, without_generation_marks(source))
            .map_err(|error| fault(&error))?;
        Ok(Self { environment })
    }

    /// The text up to where the assistant's answer starts. `today` is what `strftime_now` gives;
    /// without it the function is not there, as templates expect.
    pub(super) fn render(
        &self,
        turns: &[Turn],
        tools: &[Tool],
        tokenizer: &Tokenizer,
        today: Option<&str>,
    ) -> Result<String, Failure> {
        let (bos, eos) = tokenizer.marks();
        let spellings = tokenizer.spellings();
        let today = today.map(ToOwned::to_owned);
        let optional = |value: Option<Value>| value.unwrap_or(Value::UNDEFINED);
        let context = context! {
            messages => values::messages(turns, spellings),
            tools => values::tools(tools, spellings),
            documents => (),
            add_generation_prompt => true,
            enable_thinking => false,
            bos_token => optional(bos.map(Value::from)),
            eos_token => optional(eos.map(Value::from)),
            strftime_now => optional(today.map(|day| {
                Value::from_function(move |_format: String| day.clone())
            })),
        };
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(fuel(turns, tools)));
        environment
            .get_template(NAME)
            .and_then(|template| template.render(context))
            .map_err(|error| failure(&error))
    }
}

fn fuel(turns: &[Turn], tools: &[Tool]) -> u64 {
    let said = turns.iter().map(|turn| {
        let calls = turn.calls.iter();
        turn.text.len() + calls.map(|call| call.arguments.len()).sum::<usize>()
    });
    let described = tools.iter().map(|tool| {
        tool.description.as_ref().map_or(0, String::len) + tool.parameters.to_string().len()
    });
    let bytes: usize = said.chain(described).sum();
    FUEL + FUEL_PER_TURN * turns.len() as u64 + FUEL_PER_BYTE * bytes as u64
}

fn failure(error: &Error) -> Failure {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(Raised(message)) = inner.downcast_ref() {
            return Failure::Raised(message.clone());
        }
        source = inner.source();
    }
    Failure::Fault(describe(error))
}

fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// `transformers` marks what the assistant says with `{% generation %}`, for training. Here the
/// marks mean nothing: each becomes a condition that always holds.
fn without_generation_marks(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        text.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end + "%}".len());
        let name = tag.trim_matches(|c: char| "{%}+-".contains(c) || c.is_whitespace());
        match name {
            "generation" => text.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => text.push_str(&tag.replace("endgeneration", "endif")),
            _ => text.push_str(tag),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// JSON as Python writes it: `", "` and `": "` between, nothing escaped that need not be.
/// `transformers` puts this in the place of Jinja's filter, which escapes HTML.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the form of a filter's arguments"
)]
fn to_json(value: &Value, indent: Option<usize>, options: Kwargs) -> Result<String, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get("indent")?,
    };
    let _escaped: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut json = Vec::new();
    let written = match indent {
        Some(indent) => {
            let indent = " ".repeat(indent.min(16));
            let formatter = PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut json, formatter))
        }
        None => value.serialize(&mut Serializer::with_formatter(&mut json, Spaced)),
    };
    let invalid = |error: String| Error::new(ErrorKind::InvalidOperation, error);
    written.map_err(|error| invalid(error.to_string()))?;
    String::from_utf8(json).map_err(|error| invalid(error.to_string()))
}

/// A space after each comma and colon.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}
