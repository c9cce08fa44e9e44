//! A conversation as the text that a model goes on with: by the model's own chat template, or, for
//! a base model, which has none, as a transcript.

mod adapt;
mod jinja;
mod tools;
mod transcript;
mod values;

use std::borrow::Cow;

use crate::error::{GenerateError, LoadFault};
use crate::gguf::GgufFile;
use crate::request::{Chat, ToolChoice, Turn};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::settings::CheckpointSettings;
use crate::tool_syntax::ToolSyntax;
use jinja::{Failure, Jinja};

/// Ends of turns that templates write. Where the vocabulary has no such token, the model spells it.
const TURN_ENDS: [&str; 4] = ["<|im_end|>", "<end_of_turn>", "<|eot_id|>", "<|end|>"];

/// The text that a conversation comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// What the model goes on with, for
    /// [`encode_rendered`](crate::tokenizer::Tokenizer::encode_rendered).
    pub(crate) text: String,
    /// Texts at which the answer ends, besides the tokenizer's end tokens.
    pub(crate) stops: Vec<String>,
    /// Whether special tokens in the text are special tokens, and spellings of others are guarded.
    pub(crate) has_specials: bool,
}

/// How conversations are put to a model.
#[derive(Debug)]
pub(crate) enum Template {
    /// As a transcript: see the module's own description.
    Transcript,
    /// By the model's own templates.
    Jinja {
        /// For conversations without tools, and with them where there is no other.
        default: Box<Dialect>,
        /// For conversations with tools.
        tool_use: Option<Box<Dialect>>,
    },
}

/// A template, and what can be told from its text.
#[derive(Debug)]
pub(crate) struct Dialect {
    jinja: Jinja,
    tool_syntax: ToolSyntax,
    /// Whether it tells the model of tools, and how to call them in a syntax that is known here.
    knows_tools: bool,
    /// The ends of turns that it writes.
    turn_ends: Vec<&'static str>,
}

impl Dialect {
    fn new(source: &str) -> Result<Self, LoadFault> {
        let has = |mark: &str| source.contains(mark);
        let is_llama = has("<|python_tag|>") || has("<|start_header_id|>") && has("\"parameters\"");
        Ok(Self {
            jinja: Jinja::compile(source)?,
            tool_syntax: if is_llama {
                ToolSyntax::Llama
            } else {
                ToolSyntax::Hermes
            },
            knows_tools: has("tools") && (is_llama || has("<tool_call>")),
            turn_ends: TURN_ENDS.into_iter().filter(|end| has(end)).collect(),
        })
    }

    fn render(
        &self,
        chat: &Chat,
        tokenizer: &Tokenizer,
        today: Option<&str>,
    ) -> Result<String, GenerateError> {
        let tools = match chat.tool_choice {
            ToolChoice::None => &[],
            _ => chat.tools.as_slice(),
        };
        let (turns, tools): (Cow<'_, [Turn]>, _) = match self.tool_syntax {
            _ if !self.knows_tools => (adapt::without_tools(&chat.turns, tools).into(), &[][..]),
            ToolSyntax::Llama => (adapt::one_call_a_turn(&chat.turns).into(), tools),
            ToolSyntax::Hermes => (chat.turns.as_slice().into(), tools),
        };
        let render = |turns: &[Turn]| self.jinja.render(turns, tools, tokenizer, today);
        let failure = match render(&turns) {
            Ok(text) => return Ok(text),
            Err(Failure::Raised(message)) => {
                // Some templates take no system text, some only turns that alternate.
                let merged = adapt::merged(&turns);
                if merged == *turns {
                    Failure::Raised(message)
                } else {
                    match render(&merged) {
                        Ok(text) => return Ok(text),
                        Err(failure) => failure,
                    }
                }
            }
            Err(failure) => failure,
        };
        Err(match failure {
            Failure::Raised(message) => GenerateError::Refused { message },
            Failure::Fault(reason) => GenerateError::Template { reason },
        })
    }
}

impl Template {
    /// The template that a GGUF file carries, or the transcript.
    pub(crate) fn from_gguf(gguf: &GgufFile) -> Result<Self, LoadFault> {
        let mut sources = Vec::new();
        for name in gguf.strings_if_given("tokenizer.chat_templates")? {
            let key = format!("tokenizer.chat_template.{name}");
            if let Some(source) = gguf.string_if_given(&key)? {
                sources.push((name, source));
            }
        }
        if let Some(source) = gguf.string_if_given("tokenizer.chat_template")? {
            sources.insert(0, ("default", source));
        }
        Self::from_sources(&sources)
    }

    /// The template in the settings of a checkpoint's folder, or the transcript.
    pub(crate) fn from_settings(settings: &CheckpointSettings) -> Result<Self, LoadFault> {
        let sources: Vec<(&str, &str)> = settings
            .templates
            .iter()
            .map(|(name, source)| (name.as_str(), source.as_str()))
            .collect();
        Self::from_sources(&sources)
    }

    /// Takes templates by name: `default`, else the first, and `tool_use`.
    fn from_sources(sources: &[(&str, &str)]) -> Result<Self, LoadFault> {
        let named = |wanted: &str| {
            let found = sources.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, source)| *source)
        };
        let first = sources.first().map(|(_, source)| *source);
        let default = named("default").or(first);
        let Some(default) = default.filter(|source| !source.trim().is_empty()) else {
            return Ok(Self::Transcript);
        };
        Ok(Self::Jinja {
            default: Box::new(Dialect::new(default)?),
            tool_use: match named("tool_use") {
                Some(source) => Some(Box::new(Dialect::new(source)?)),
                None => None,
            },
        })
    }

    /// Whether the model has no template of its own.
    pub(crate) fn is_transcript(&self) -> bool {
        matches!(self, Self::Transcript)
    }

    /// How the model is told to call tools.
    pub(crate) fn tool_syntax(&self) -> ToolSyntax {
        match self {
            Self::Transcript => ToolSyntax::Hermes,
            Self::Jinja { default, tool_use } => tool_use.as_ref().unwrap_or(default).tool_syntax,
        }
    }

    /// The text of a conversation up to where the assistant's answer starts. `today` is the date as
    /// the model should read it; without it, templates go without or take one of their own.
    pub(crate) fn render(
        &self,
        chat: &Chat,
        tokenizer: &Tokenizer,
        today: Option<&str>,
    ) -> Result<Rendered, GenerateError> {
        let is_silent = |turn: &Turn| turn.text.trim().is_empty() && turn.calls.is_empty();
        if chat.turns.iter().all(is_silent) {
            return Err(GenerateError::EmptyPrompt);
        }
        let has_tools = !chat.tools.is_empty() && chat.tool_choice != ToolChoice::None;
        let dialect = match self {
            Self::Transcript => {
                let tools = if has_tools {
                    chat.tools.as_slice()
                } else {
                    &[]
                };
                return Ok(Rendered {
                    text: transcript::transcript(&chat.turns, tools),
                    stops: transcript::STOPS.map(ToOwned::to_owned).into(),
                    has_specials: false,
                });
            }
            Self::Jinja {
                tool_use: Some(dialect),
                ..
            } if has_tools => dialect,
            Self::Jinja { default, .. } => default,
        };
        let spelled = |end: &&&str| tokenizer.id_of_special(end).is_none();
        Ok(Rendered {
            text: dialect.render(chat, tokenizer, today)?,
            stops: dialect
                .turn_ends
                .iter()
                .filter(spelled)
                .map(|&end| end.to_owned())
                .collect(),
            has_specials: true,
        })
    }
}

#[cfg(test)]
mod tests;
