//! The grammar of an answer: free text or a form, tool calls, or either.
//!
//! llguidance takes a list of grammars. The first is written in its dialect of Lark and stands for
//! the whole answer; it refers to the others, one for each JSON schema.

use std::fmt::Write as _;

use llguidance::api::{GrammarWithLexer, TopLevelGrammar};
use serde_json::{Value, json};

use super::schema;
use crate::error::StructureError;
use crate::request::{Format, Tool, ToolChoice};
use crate::tool_syntax::ToolSyntax;

/// The most calls in one answer where any number is allowed: a weak model that does not find an end
/// repeats itself.
const MAX_CALLS: usize = 16;

/// Terminals that every grammar may use. White space is bounded everywhere for the same reason.
const TERMINALS: &str = r#"
ANY: /(?s:.*)/
SPACE: /[ \n]{0,2}/
OPENING: "<tool_call>"
FORM_SPACE: /[ \n]/
"#;

/// What an answer must look like; at least one of the two is there.
pub(super) struct Form<'a> {
    format: Option<&'a Format>,
    calls: Option<Calls<'a>>,
}

struct Calls<'a> {
    syntax: ToolSyntax,
    tools: Vec<&'a Tool>,
    /// Whether there may be text instead.
    is_optional: bool,
    most: usize,
}

/// What a schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// The whole answer.
    Format,
    /// The arguments of the tool of this name.
    Arguments(&'a str),
}

impl<'a> Form<'a> {
    /// Puts together what a call asks for; `None` where the answer is free.
    pub(super) fn new(
        format: &'a Format,
        tools: &'a [Tool],
        choice: &ToolChoice,
        syntax: ToolSyntax,
    ) -> Result<Option<Self>, StructureError> {
        let format = Some(format).filter(|&format| *format != Format::Text);
        let any: Vec<&Tool> = tools.iter().collect();
        let (tools, is_optional, most) = match choice {
            ToolChoice::None => (Vec::new(), true, 0),
            ToolChoice::Auto => (any, true, MAX_CALLS),
            ToolChoice::Required if any.is_empty() => return Err(StructureError::NoTools),
            ToolChoice::Required => (any, false, MAX_CALLS),
            ToolChoice::Named(name) => {
                let named: Vec<&Tool> = any.into_iter().filter(|tool| tool.name == *name).collect();
                if named.is_empty() {
                    return Err(StructureError::UnknownTool { name: name.clone() });
                }
                (named, false, 1)
            }
        };
        let calls = (!tools.is_empty()).then_some(Calls {
            syntax,
            tools,
            is_optional,
            most,
        });
        Ok((format.is_some() || calls.is_some()).then_some(Self { format, calls }))
    }

    /// Ends the answer after its first call.
    pub(super) fn allow_one_call(&mut self) {
        if let Some(calls) = &mut self.calls {
            calls.most = 1;
        }
    }

    /// The schemas, and what each is for.
    pub(super) fn schemas(&self) -> Vec<(Place<'a>, Value)> {
        let mut schemas = Vec::new();
        match self.used_format() {
            Some(Format::JsonObject) => schemas.push((Place::Format, json!({"type": "object"}))),
            Some(Format::JsonSchema(schema)) => schemas.push((Place::Format, schema.clone())),
            Some(Format::Regex(_) | Format::Text) | None => {}
        }
        let tools = self.calls.iter().flat_map(|calls| &calls.tools);
        schemas.extend(tools.map(|tool| {
            let arguments = schema::of_arguments(&tool.parameters);
            (Place::Arguments(&tool.name), arguments)
        }));
        schemas
    }

    /// The regular expression that the answer must match.
    pub(super) fn regex(&self) -> Option<&'a str> {
        match self.used_format() {
            Some(Format::Regex(regex)) => Some(regex),
            _ => None,
        }
    }

    /// The format, unless it cannot come up because a tool must be called.
    fn used_format(&self) -> Option<&'a Format> {
        self.format
            .filter(|_| self.calls.as_ref().is_none_or(|calls| calls.is_optional))
    }

    /// The grammar of the whole answer.
    pub(super) fn grammar(&self) -> TopLevelGrammar {
        let mut lark = TERMINALS.to_owned();
        let mut options = Vec::new();
        if self.used_format().is_some() {
            options.push("form".to_owned());
            lark.push_str(&form(self.regex()));
        }
        if let Some(calls) = &self.calls {
            let has_text = calls.is_optional && self.format.is_none();
            options.extend(calls.write(has_text, &mut lark));
        }
        let _ = writeln!(lark, "start: {}", options.join(" | "));
        let mut grammars = vec![GrammarWithLexer {
            name: Some("answer".to_owned()),
            lark_grammar: Some(lark),
            json_schema: None,
        }];
        let mut number = 0;
        grammars.extend(self.schemas().into_iter().map(|(place, schema)| {
            let name = match place {
                Place::Format => "form".to_owned(),
                Place::Arguments(_) => {
                    number += 1;
                    format!("arguments_{}", number - 1)
                }
            };
            GrammarWithLexer {
                name: Some(name),
                lark_grammar: None,
                json_schema: Some(schema::with_options(schema)),
            }
        }));
        TopLevelGrammar {
            grammars,
            max_tokens: None,
        }
    }
}

/// The grammar of a regular expression alone.
pub(super) fn of_regex(regex: &str) -> TopLevelGrammar {
    TopLevelGrammar::from_lark(format!("start: form\n{}", form(Some(regex))))
}

fn form(regex: Option<&str>) -> String {
    match regex {
        Some(regex) => format!(
            "form: FORM\nFORM: /(?:{})/\n",
            llguidance::regex_to_lark(without_anchors(regex), "")
        ),
        None => "form: FORM_SPACE? @form\n".to_owned(),
    }
}

/// Takes `^` off the start and `$` off the end: the whole text has to match anyway.
fn without_anchors(regex: &str) -> &str {
    let regex = regex.strip_prefix('^').unwrap_or(regex);
    let Some(body) = regex.strip_suffix('$') else {
        return regex;
    };
    let escapes = body.len() - body.trim_end_matches('\\').len();
    if escapes % 2 == 0 { body } else { regex }
}

impl Calls<'_> {
    /// Adds the rules, and returns the ways in which an answer with calls, or with text instead,
    /// may go on from its start.
    ///
    /// The text is a terminal that no opening mark is part of, and the mark is the end of another
    /// that is otherwise like it: as soon as the mark is complete, only a call can follow.
    fn write(&self, has_text: bool, lark: &mut String) -> Vec<String> {
        let (arguments, closing, opened) = match self.syntax {
            ToolSyntax::Hermes => (
                "arguments",
                r#"SPACE "</tool_call>""#,
                r"/(?s:.*)<tool_call>(?s:.*)/",
            ),
            ToolSyntax::Llama => (
                "parameters",
                r#""""#,
                r#"/[ \t\r\n]*\{[ \t\r\n]*"name"(?s:.*)/"#,
            ),
        };
        for (number, tool) in self.tools.iter().enumerate() {
            // The literals are JSON twice over: the text is JSON, and Lark writes strings as JSON.
            let name = json!(json!(tool.name).to_string());
            let _ = writeln!(
                lark,
                r#"HEAD_{number}: SPACE "{{" SPACE "\"name\"" SPACE ":" SPACE {name} SPACE "," SPACE "\"{arguments}\"" SPACE ":" SPACE
call_{number}: HEAD_{number} @arguments_{number} TAIL"#
            );
        }
        let alternatives: Vec<String> =
            (0..self.tools.len()).map(|i| format!("call_{i}")).collect();
        let _ = writeln!(
            lark,
            "call: {}\nTAIL: SPACE \"}}\" {closing}",
            alternatives.join(" | ")
        );
        let mut options = Vec::new();
        if has_text {
            let _ = writeln!(lark, "TEXT: ANY & ~{opened}");
            options.push("TEXT".to_owned());
        }
        match self.syntax {
            ToolSyntax::Llama => options.push("call".to_owned()),
            ToolSyntax::Hermes => {
                let first = if has_text {
                    lark.push_str("FIRST: TEXT OPENING\n");
                    "FIRST"
                } else {
                    "NEXT"
                };
                lark.push_str("NEXT: SPACE OPENING\n");
                let more = self.most - 1;
                options.push(if more == 0 {
                    format!("{first} call")
                } else {
                    format!("{first} call (NEXT call){{0,{more}}}")
                });
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_at_the_ends_say_nothing() {
        assert_eq!(without_anchors("^a|b$"), "a|b");
        assert_eq!(without_anchors(r"a\$"), r"a\$");
        assert_eq!(without_anchors(r"a\\$"), r"a\\");
        assert_eq!(without_anchors("$"), "");
    }
}
