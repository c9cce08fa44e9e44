//! By what an answer is known again when the client sends it back.

use crate::json::{Document, JsonLimits, Value};
use crate::request::{Block, BlockKind, RequestView, Role};

/// An answer of the model's in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAnswer {
    /// Its place among the messages.
    pub message: usize,
    /// The first of its blocks.
    pub block: usize,
    /// What it says, as far as clients send that back as it came.
    pub name: Vec<u8>,
}

/// The name of an answer: its text, without space at the ends, and the ids of its calls. Reasoning is not in it, as
/// clients may leave it out, nor are arguments, as they may spell them anew.
pub(super) fn name(text: &str, calls: &[&str]) -> Vec<u8> {
    let mut name = text.trim().as_bytes().to_vec();
    for call in calls {
        name.push(0);
        name.extend_from_slice(call.as_bytes());
    }
    name
}

/// The model's answers in a request, each with its name.
pub fn named_answers(view: &RequestView, body: &[u8]) -> Vec<NamedAnswer> {
    let mut answers = Vec::new();
    let mut blocks = view.blocks.iter().enumerate().peekable();
    while let Some((first, block)) = blocks.next() {
        if block.role != Role::Assistant {
            continue;
        }
        let mut own = vec![block];
        while let Some((_, next)) =
            blocks.next_if(|(_, next)| (next.source, next.message) == (block.source, block.message))
        {
            own.push(next);
        }
        answers.push(NamedAnswer {
            message: block.message,
            block: first,
            name: name_of(&own, body),
        });
    }
    answers
}

fn name_of(blocks: &[&Block], body: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    let mut ids = Vec::new();
    for block in blocks {
        match block.kind {
            BlockKind::Text => {
                let literal = block.text.as_ref().and_then(|span| body.get(span.clone()));
                if let Some(said) = read(literal, |value| value.as_str().map(String::from)) {
                    text.push_str(&said);
                }
            }
            BlockKind::ToolUse => {
                let id = |call: Value<'_>| call.get("id")?.as_str().map(String::from);
                ids.extend(read(body.get(block.span.clone()), id));
            }
            _ => {}
        }
    }
    name(&text, &ids.iter().map(String::as_str).collect::<Vec<_>>())
}

fn read<T>(json: Option<&[u8]>, of: impl Fn(Value<'_>) -> Option<T>) -> Option<T> {
    of(Document::parse(json?, JsonLimits::default()).ok()?.root())
}
