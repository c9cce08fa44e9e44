//! What has been said, as turns.

use super::calls::{self, Place, ToolResults};
use super::{CHECKED, ConversationError, Speaker, ToolCall, Turn, Unsupported};
use crate::json::{Document, Span, Value};
use crate::request::{Block, BlockKind, RequestView, Role};

/// What a block adds to the turn of its speaker.
enum Said {
    Text(String),
    Call(ToolCall),
    /// Nothing, where a turn must stand all the same: a tool that was called and gave nothing.
    Silence,
}

/// The turns of a request; what one speaker says in several blocks is one turn.
pub(super) fn read(
    view: &RequestView,
    root: Value<'_>,
    body: &[u8],
) -> Result<Vec<Turn>, ConversationError> {
    let results = ToolResults::read(view.endpoint, root);
    let mut turns: Vec<Turn> = Vec::new();
    let mut last_result: Option<Place> = None;
    for block in &view.blocks {
        let Some(said) = said(block, body)? else {
            continue;
        };
        let role = speaker(block)?;
        let result = (role == Speaker::Tool).then(|| results.place(block));
        let goes_on = turns.last().is_some_and(|last| last.role == role) && last_result == result;
        if !goes_on {
            turns.push(Turn {
                role,
                text: String::new(),
                calls: Vec::new(),
                tool: result.and_then(|place| results.tool(&place).cloned()),
            });
        }
        last_result = result;
        if let Some(turn) = turns.last_mut() {
            add(turn, said);
        }
    }
    Ok(turns)
}

fn add(turn: &mut Turn, said: Said) {
    match said {
        Said::Text(text) if turn.text.is_empty() => turn.text = text,
        Said::Text(text) => {
            turn.text.push('\n');
            turn.text.push_str(&text);
        }
        Said::Call(call) => turn.calls.push(call),
        Said::Silence => {}
    }
}

fn speaker(block: &Block) -> Result<Speaker, Unsupported> {
    match block.role {
        Role::System => Ok(Speaker::System),
        Role::User => Ok(Speaker::User),
        Role::Assistant => Ok(Speaker::Assistant),
        Role::Tool => Ok(Speaker::Tool),
        Role::Other => Err(Unsupported::new(block.place(), "a message of unknown role")),
    }
}

/// What the block says; none where it is not part of what was said.
fn said(block: &Block, body: &[u8]) -> Result<Option<Said>, Unsupported> {
    let unsupported = |what| Err(Unsupported::new(block.place(), what));
    match block.kind {
        BlockKind::Text | BlockKind::Refusal => {
            Ok(literal(body, block.text.as_ref()).map(Said::Text))
        }
        BlockKind::ToolResult => {
            let text = literal(body, block.text.as_ref());
            let text = text.or_else(|| raw_output(body, &block.span));
            Ok(Some(text.map_or(Said::Silence, Said::Text)))
        }
        BlockKind::ToolUse => match with_value(body, &block.span, calls::of) {
            Some(call) => Ok(Some(Said::Call(call))),
            None => unsupported("a call without a name"),
        },
        BlockKind::Thinking | BlockKind::RedactedThinking | BlockKind::Tools => Ok(None),
        BlockKind::Tokens => unsupported("text given as tokens"),
        BlockKind::Image => unsupported("an image"),
        BlockKind::Document => unsupported("a document"),
        BlockKind::Audio => unsupported("audio"),
        BlockKind::ServerTool => unsupported("a tool of the provider"),
        BlockKind::Reference => unsupported("content by reference"),
        BlockKind::Other => unsupported("content of unknown kind"),
    }
}

fn with_value<T>(body: &[u8], span: &Span, read: impl FnOnce(Value<'_>) -> Option<T>) -> Option<T> {
    let bytes = body.get(span.clone())?;
    let document = Document::parse(bytes, CHECKED).ok()?;
    read(document.root())
}

/// The text of a string literal.
pub(crate) fn literal(body: &[u8], span: Option<&Span>) -> Option<String> {
    with_value(body, span?, |value| value.as_str().map(String::from))
}

/// A result that is no text: its JSON, or nothing when the tool gave none.
fn raw_output(body: &[u8], block: &Span) -> Option<String> {
    with_value(body, block, |result| {
        result
            .non_null("output")
            .map(|output| output.raw().to_owned())
    })
}
