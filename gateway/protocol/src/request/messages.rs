//! Requests of the messages API, and of its token counter.

use super::block::{Role, Source};
use super::content::{self, Reader};
use super::error::ViewError;
use super::node::Node;
use super::{Reasoning, RequestView, ResponseFormat, Sampling, Spanned};
use crate::endpoint::Endpoint;

pub(super) fn read(endpoint: Endpoint, root: &Node<'_, '_>) -> Result<RequestView, ViewError> {
    let [model, system, messages, tools, tool_choice, metadata] = root.fields([
        "model",
        "system",
        "messages",
        "tools",
        "tool_choice",
        "metadata",
    ])?;
    let mut view = RequestView::new(endpoint, root, model)?;
    if let Some(system) = system {
        Reader::new(&mut view, Source::System, 0).content(Role::System, &system)?;
    }
    let messages = root.require(messages, "messages", "an array of messages")?;
    read_messages(&mut view, &messages)?;
    if let Some(tools) = tools {
        content::read_tools(&mut view, &tools)?;
    }
    if let Some(choice) = tool_choice {
        view.tool_choice = content::tool_choice(&choice)?;
    }
    if let Some(metadata) = metadata {
        view.metadata = metadata.string_pairs()?;
    }
    read_delivery(&mut view, root)?;
    read_output(&mut view, root)?;
    Ok(view)
}

fn read_messages(view: &mut RequestView, messages: &Node<'_, '_>) -> Result<(), ViewError> {
    const EXPECTED: &str = "an array of messages";
    for (index, message) in messages.elements(EXPECTED)?.enumerate() {
        let [role, content] = message.fields(["role", "content"])?;
        let role = Role::of(&message.require(role, "role", "a role")?.string()?);
        let content =
            message.require(content, "content", "a string or an array of content blocks")?;
        Reader::new(view, Source::Messages, index).content(role, &content)?;
    }
    if messages.elements(EXPECTED)?.next().is_none() {
        return Err(messages.empty("at least one message"));
    }
    Ok(())
}

/// How the answer is to come and be made.
fn read_delivery(view: &mut RequestView, root: &Node<'_, '_>) -> Result<(), ViewError> {
    let [stream, limit, temperature, top_p, top_k, stop] = root.fields([
        "stream",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
    ])?;
    if let Some(stream) = stream {
        view.stream = stream.boolean()?;
    }
    if let Some(limit) = limit {
        view.max_output_tokens = Some(Spanned {
            value: limit.count()?,
            span: limit.span(),
        });
    }
    view.note_blanks(root, &["max_tokens"]);
    view.sampling = Sampling {
        temperature: temperature.map(|node| node.number()).transpose()?,
        top_p: top_p.map(|node| node.number()).transpose()?,
        top_k: top_k.map(|node| node.integer()).transpose()?,
        stop: stop
            .map(|node| content::strings(&node))
            .transpose()?
            .unwrap_or_default(),
        ..Sampling::default()
    };
    Ok(())
}

/// What the answer is to look like.
fn read_output(view: &mut RequestView, root: &Node<'_, '_>) -> Result<(), ViewError> {
    let [thinking, config, old_format] =
        root.fields(["thinking", "output_config", "output_format"])?;
    if let Some(thinking) = thinking {
        let [budget] = thinking.fields(["budget_tokens"])?;
        view.thinking_budget = budget.map(|node| node.count()).transpose()?;
        view.reasoning = Reasoning::of_thinking(&thinking)?;
    }
    if let Some(format) = old_format {
        view.response_format = ResponseFormat::read(&format)?;
    }
    if let Some(config) = config {
        let [format] = config.fields(["format"])?;
        if let Some(format) = format {
            view.response_format = ResponseFormat::read(&format)?;
        }
    }
    Ok(())
}
