//! Content as the three generation protocols share it: a string, or a list of typed parts.

use super::block::{Block, BlockKind, Role, Source};
use super::error::ViewError;
use super::node::Node;
use super::{CacheTtl, RequestView, Tool, ToolChoice, terms};
use crate::json::{JsonKind, Span};

const STRING_OR_PARTS: &str = "a string or an array of content parts";

/// Collects the blocks of one message or item.
pub(super) struct Reader<'v> {
    pub(super) blocks: &'v mut Vec<Block>,
    cache_ttl: &'v mut Option<CacheTtl>,
    source: Source,
    pub(super) message: usize,
}

impl<'v> Reader<'v> {
    pub(super) fn new(view: &'v mut RequestView, source: Source, message: usize) -> Self {
        Self {
            blocks: &mut view.blocks,
            cache_ttl: &mut view.cache_ttl,
            source,
            message,
        }
    }

    /// Takes in a breakpoint; true if there is one.
    pub(super) fn mark(&mut self, mark: Option<&Node<'_, '_>>) -> Result<bool, ViewError> {
        let Some(mark) = mark else {
            return Ok(false);
        };
        *self.cache_ttl = (*self.cache_ttl).max(Some(CacheTtl::read(mark)?));
        Ok(true)
    }

    pub(super) fn push(
        &mut self,
        role: Role,
        kind: BlockKind,
        span: Span,
        text: Option<Span>,
    ) -> &mut Block {
        let at = self.blocks.len();
        self.blocks.push(Block {
            role,
            kind,
            span,
            text,
            source: self.source,
            message: self.message,
            part: None,
            cache_control: false,
        });
        &mut self.blocks[at]
    }

    /// A value that must be a string and is a block by itself.
    pub(super) fn literal(
        &mut self,
        role: Role,
        kind: BlockKind,
        node: &Node<'_, '_>,
    ) -> Result<(), ViewError> {
        let text = node.string_span()?;
        self.push(role, kind, node.span(), Some(text));
        Ok(())
    }

    /// A string or a list of parts.
    pub(super) fn content(&mut self, role: Role, node: &Node<'_, '_>) -> Result<(), ViewError> {
        if node.kind() == JsonKind::String {
            return self.literal(role, text_kind(role), node);
        }
        for (index, part) in node.elements(STRING_OR_PARTS)?.enumerate() {
            let first = self.blocks.len();
            self.part(role, &part)?;
            for block in &mut self.blocks[first..] {
                block.part = Some(index);
            }
        }
        Ok(())
    }

    fn part(&mut self, role: Role, part: &Node<'_, '_>) -> Result<(), ViewError> {
        let [kind, text, thinking, refusal, content, cache_control] = part.fields([
            "type",
            "text",
            "thinking",
            "refusal",
            "content",
            "cache_control",
        ])?;
        let kind = part.require(kind, "type", "a string")?.string()?;
        let cache_control = self.mark(cache_control.as_ref())?;
        let (kind, text) = match kind.as_ref() {
            // Results do not nest; one within another is a part like any other.
            "tool_result" if role != Role::Tool => {
                self.tool_result(part, content.as_ref())?;
                if let Some(last) = self.blocks.last_mut() {
                    last.cache_control |= cache_control;
                }
                return Ok(());
            }
            "text" | "input_text" | "output_text" => (
                text_kind(role),
                Some(part.require(text, "text", "a string")?),
            ),
            "reasoning_text" | "summary_text" => (BlockKind::Thinking, text),
            "thinking" => (BlockKind::Thinking, thinking),
            "refusal" => (BlockKind::Refusal, refusal),
            other => (kind_of(other), None),
        };
        let text = text.map(|text| text.string_span()).transpose()?;
        let block = self.push(role, kind, part.span(), text);
        block.cache_control = cache_control;
        Ok(())
    }

    fn tool_result(
        &mut self,
        result: &Node<'_, '_>,
        content: Option<&Node<'_, '_>>,
    ) -> Result<(), ViewError> {
        let before = self.blocks.len();
        let text = match content {
            Some(content) if content.kind() == JsonKind::String => Some(content.span()),
            Some(content) => {
                self.content(Role::Tool, content)?;
                None
            }
            None => None,
        };
        if self.blocks.len() == before {
            self.push(Role::Tool, BlockKind::ToolResult, result.span(), text);
        }
        Ok(())
    }
}

/// Text within a tool's result is that result.
fn text_kind(role: Role) -> BlockKind {
    match role {
        Role::Tool => BlockKind::ToolResult,
        _ => BlockKind::Text,
    }
}

fn kind_of(part: &str) -> BlockKind {
    match part {
        "image" | "image_url" | "input_image" | "computer_screenshot" => BlockKind::Image,
        "audio" | "input_audio" => BlockKind::Audio,
        "document" | "file" | "input_file" | "search_result" | "container_upload" => {
            BlockKind::Document
        }
        "tool_use" => BlockKind::ToolUse,
        "redacted_thinking" => BlockKind::RedactedThinking,
        "server_tool_use" | "mcp_tool_use" => BlockKind::ServerTool,
        _ if part.ends_with("_tool_result") => BlockKind::ServerTool,
        _ => BlockKind::Other,
    }
}

/// A string or a list of strings, as stop sequences are given.
pub(super) fn strings(node: &Node<'_, '_>) -> Result<Vec<String>, ViewError> {
    if node.kind() == JsonKind::String {
        return Ok(vec![node.owned_string()?]);
    }
    node.elements("a string or an array of strings")?
        .map(|element| element.owned_string())
        .collect()
}

/// The tools on offer. Chat completions wrap a definition in a member named by its type.
pub(super) fn read_tools(view: &mut RequestView, tools: &Node<'_, '_>) -> Result<(), ViewError> {
    for tool in tools.elements("an array of tools")? {
        let [name, kind, cache_control, function, custom] =
            tool.fields(["name", "type", "cache_control", "function", "custom"])?;
        if function.is_some() && custom.is_some() {
            return Err(tool.conflict("function", "custom"));
        }
        let definition = function.or(custom);
        let name = match &definition {
            Some(definition) => {
                let [name] = definition.fields(["name"])?;
                definition.require(name, "name", "a tool name")?
            }
            None => tool.require(name.or(kind), "name", "a tool name")?,
        };
        view.tools.push(Tool {
            name: name.owned_string()?,
            span: tool.span(),
            cache_control: cache_control.is_some(),
        });
        if let Some(mark) = &cache_control {
            view.cache_ttl = view.cache_ttl.max(Some(CacheTtl::read(mark)?));
        }
        if let (None, Some(kind)) = (&definition, &kind) {
            view.server_tools |= terms::runs_at_provider(&kind.string()?);
        }
    }
    Ok(())
}

/// A tool choice: a word, or an object whose type is one.
pub(super) fn tool_choice(node: &Node<'_, '_>) -> Result<ToolChoice, ViewError> {
    const EXPECTED: &str = "a string or an object";
    let (word, mode) = match node.kind() {
        JsonKind::String => (node.string()?, None),
        JsonKind::Object => {
            let [kind, mode, allowed] = node.fields(["type", "mode", "allowed_tools"])?;
            let kind = node.require(kind, "type", "a string")?.string()?;
            let wrapped = match &allowed {
                Some(allowed) => allowed.fields(["mode"])?[0]
                    .map(|mode| mode.owned_string())
                    .transpose()?,
                None => None,
            };
            let mode = mode.map(|mode| mode.owned_string()).transpose()?;
            (kind, wrapped.or(mode))
        }
        _ => return Err(node.unexpected(EXPECTED)),
    };
    let word = match mode {
        Some(mode) if word == "allowed_tools" => mode.into(),
        _ => word,
    };
    Ok(match word.as_ref() {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" | "any" => ToolChoice::Required,
        _ => ToolChoice::Named,
    })
}

/// What chat completions had before tool choices: a word, or the name of a function.
pub(super) fn function_call(node: &Node<'_, '_>) -> Result<ToolChoice, ViewError> {
    if node.kind() == JsonKind::Object {
        let [name] = node.fields(["name"])?;
        node.require(name, "name", "a function name")?.string()?;
        return Ok(ToolChoice::Named);
    }
    tool_choice(node)
}
