//! Requests for embeddings.

use super::RequestView;
use super::block::{BlockKind, Role, Source};
use super::content::Reader;
use super::error::ViewError;
use super::node::Node;
use crate::endpoint::Endpoint;
use crate::json::JsonKind;

const EXPECTED: &str = "a string, an array of strings or an array of tokens";

pub(super) fn read(root: &Node<'_, '_>) -> Result<RequestView, ViewError> {
    let [model, input, user] = root.fields(["model", "input", "user"])?;
    let mut view = RequestView::new(Endpoint::Embeddings, root, model)?;
    let input = root.require(input, "input", EXPECTED)?;
    view.user = user.map(|node| node.owned_string()).transpose()?;
    read_input(&mut view, &input)?;
    Ok(view)
}

fn read_input(view: &mut RequestView, input: &Node<'_, '_>) -> Result<(), ViewError> {
    if input.kind() == JsonKind::String {
        return read_text(view, 0, input);
    }
    let mut elements = input.elements(EXPECTED)?;
    let Some(first) = elements.next() else {
        return Err(input.empty("at least one text"));
    };
    if first.kind() == JsonKind::Number {
        return read_tokens(view, 0, input);
    }
    for (index, element) in input.elements(EXPECTED)?.enumerate() {
        match element.kind() {
            JsonKind::String => read_text(view, index, &element)?,
            JsonKind::Array => read_tokens(view, index, &element)?,
            _ => return Err(element.unexpected("a string or an array of tokens")),
        }
    }
    Ok(())
}

fn read_text(view: &mut RequestView, index: usize, text: &Node<'_, '_>) -> Result<(), ViewError> {
    let mut reader = Reader::new(view, Source::Input, index);
    if text.string_span()?.len() == r#""""#.len() {
        return Err(text.empty("a text"));
    }
    reader.literal(Role::User, BlockKind::Text, text)
}

fn read_tokens(
    view: &mut RequestView,
    index: usize,
    tokens: &Node<'_, '_>,
) -> Result<(), ViewError> {
    let mut count = 0_usize;
    for token in tokens.elements("an array of tokens")? {
        token.count()?;
        count += 1;
    }
    if count == 0 {
        return Err(tokens.empty("at least one token"));
    }
    let mut reader = Reader::new(view, Source::Input, index);
    reader.push(Role::User, BlockKind::Tokens, tokens.span(), None);
    Ok(())
}
