//! Requests of the responses API.

use super::block::{BlockKind, Role, Source};
use super::content::{self, Reader};
use super::error::ViewError;
use super::node::Node;
use super::{RequestView, ResponseFormat, Sampling, Spanned, chat};
use crate::endpoint::Endpoint;
use crate::json::JsonKind;

const STRING_OR_ITEMS: &str = "a string or an array of items";

pub(super) fn read(root: &Node<'_, '_>) -> Result<RequestView, ViewError> {
    let [model, instructions, input, tools, tool_choice, text] = root.fields([
        "model",
        "instructions",
        "input",
        "tools",
        "tool_choice",
        "text",
    ])?;
    let mut view = RequestView::new(Endpoint::Responses, root, model)?;
    let has_context = read_context(&mut view, root)?;
    if let Some(instructions) = instructions {
        read_items(&mut view, Source::Instructions, Role::System, &instructions)?;
    }
    match input {
        Some(input) => {
            read_items(&mut view, Source::Input, Role::User, &input)?;
            if !has_context && is_empty(&input)? {
                return Err(input.empty("at least one item"));
            }
        }
        None if has_context => {}
        None => return root.require(None, "input", STRING_OR_ITEMS),
    }
    if let Some(tools) = tools {
        content::read_tools(&mut view, &tools)?;
    }
    if let Some(choice) = tool_choice {
        view.tool_choice = content::tool_choice(&choice)?;
    }
    if let Some(text) = text {
        let [format] = text.fields(["format"])?;
        if let Some(format) = format {
            view.response_format = ResponseFormat::read(&format)?;
        }
    }
    read_delivery(&mut view, root)?;
    chat::read_identity(&mut view, root)?;
    Ok(view)
}

/// Reads what the request refers to instead of carrying it; true when there is anything, so that it
/// needs no input of its own.
fn read_context(view: &mut RequestView, root: &Node<'_, '_>) -> Result<bool, ViewError> {
    let [previous, conversation, prompt] =
        root.fields(["previous_response_id", "conversation", "prompt"])?;
    view.previous_response_id = previous.map(|node| node.owned_string()).transpose()?;
    if let Some(conversation) = conversation {
        view.conversation = Some(match conversation.kind() {
            JsonKind::Object => {
                let [id] = conversation.fields(["id"])?;
                conversation.require(id, "id", "a string")?.owned_string()?
            }
            JsonKind::String => conversation.owned_string()?,
            _ => return Err(conversation.unexpected("a string or an object")),
        });
    }
    if let Some(prompt) = &prompt {
        let mut reader = Reader::new(view, Source::Instructions, 0);
        reader.push(Role::System, BlockKind::Reference, prompt.span(), None);
    }
    Ok(previous.is_some() || conversation.is_some() || prompt.is_some())
}

fn is_empty(input: &Node<'_, '_>) -> Result<bool, ViewError> {
    Ok(match input.kind() {
        JsonKind::String => input.span().len() == r#""""#.len(),
        _ => input.elements(STRING_OR_ITEMS)?.next().is_none(),
    })
}

fn read_items(
    view: &mut RequestView,
    source: Source,
    role: Role,
    node: &Node<'_, '_>,
) -> Result<(), ViewError> {
    let mut reader = Reader::new(view, source, 0);
    if node.kind() == JsonKind::String {
        return reader.literal(role, BlockKind::Text, node);
    }
    for (index, item) in node.elements(STRING_OR_ITEMS)?.enumerate() {
        reader.message = index;
        read_item(&mut reader, &item)?;
    }
    Ok(())
}

fn read_item(reader: &mut Reader<'_>, item: &Node<'_, '_>) -> Result<(), ViewError> {
    let [kind, role, content, arguments, input, output] =
        item.fields(["type", "role", "content", "arguments", "input", "output"])?;
    let kind = kind.map(|kind| kind.string()).transpose()?;
    let Some(kind) = kind.filter(|kind| kind != "message") else {
        let role = Role::of(&item.require(role, "role", "a role")?.string()?);
        let content = item.require(content, "content", "a string or an array of content parts")?;
        return reader.content(role, &content);
    };
    if kind == "computer_call_output" {
        reader.push(Role::Tool, BlockKind::Image, item.span(), None);
        return Ok(());
    }
    if let "additional_tools" | "tool_search_output" = kind.as_ref() {
        let role = match role {
            Some(role) => Role::of(&role.string()?),
            None if kind == "additional_tools" => Role::System,
            None => Role::Tool,
        };
        reader.push(role, BlockKind::Tools, item.span(), None);
        return Ok(());
    }
    if kind.ends_with("_output") {
        return read_output(reader, item, output.as_ref());
    }
    let text = match kind.as_ref() {
        "function_call" => arguments,
        "custom_tool_call" => input,
        _ => None,
    };
    let text = text.filter(|text| text.kind() == JsonKind::String);
    let (role, kind) = kind_of(&kind);
    reader.push(role, kind, item.span(), text.map(|text| text.span()));
    Ok(())
}

/// What a call gave: a string, a list of content parts, or a shape of its own.
fn read_output(
    reader: &mut Reader<'_>,
    item: &Node<'_, '_>,
    output: Option<&Node<'_, '_>>,
) -> Result<(), ViewError> {
    let before = reader.blocks.len();
    let mut text = None;
    match output {
        Some(output) if output.kind() == JsonKind::String => text = Some(output.span()),
        Some(output) if is_content(output) => reader.content(Role::Tool, output)?,
        _ => {}
    }
    if reader.blocks.len() == before {
        reader.push(Role::Tool, BlockKind::ToolResult, item.span(), text);
    }
    Ok(())
}

/// Whether a list holds typed parts; a shell's output is a list of records without a type.
fn is_content(output: &Node<'_, '_>) -> bool {
    let Ok(mut parts) = output.elements("an array") else {
        return false;
    };
    parts.all(|part| match part.fields(["type"]) {
        Ok([kind]) => kind.is_some(),
        // A fault of the key is for the reader of the part to tell.
        Err(fault) => !matches!(fault, ViewError::Unexpected { .. }),
    })
}

fn kind_of(item: &str) -> (Role, BlockKind) {
    let kind = match item {
        "function_call" | "custom_tool_call" | "local_shell_call" | "shell_call"
        | "apply_patch_call" | "computer_call" => BlockKind::ToolUse,
        "reasoning" => BlockKind::Thinking,
        "item_reference" => BlockKind::Reference,
        "compaction" => BlockKind::RedactedThinking,
        "mcp_list_tools" | "mcp_approval_request" => BlockKind::ServerTool,
        _ if item.ends_with("_call") => BlockKind::ServerTool,
        _ => BlockKind::Other,
    };
    let role = match kind {
        BlockKind::Other | BlockKind::Reference => Role::Other,
        _ => Role::Assistant,
    };
    (role, kind)
}

/// How the answer is to come and be made.
fn read_delivery(view: &mut RequestView, root: &Node<'_, '_>) -> Result<(), ViewError> {
    let [stream, limit, background, temperature, top_p] = root.fields([
        "stream",
        "max_output_tokens",
        "background",
        "temperature",
        "top_p",
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
    view.note_blanks(root, &["max_output_tokens"]);
    view.background = background.map(|node| node.boolean()).transpose()?;
    view.sampling = Sampling {
        temperature: temperature.map(|node| node.number()).transpose()?,
        top_p: top_p.map(|node| node.number()).transpose()?,
        ..Sampling::default()
    };
    Ok(())
}
