//! The members of a request that decide what the answer costs, apart from its tokens.

use super::RequestView;
use super::error::ViewError;
use super::node::Node;
use crate::endpoint::Endpoint;
use crate::json::JsonKind;

/// How long the provider is to keep what it writes to its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheTtl {
    /// The provider's short term: Anthropic's 5 minutes, OpenAI's 30, or one that is not named.
    FiveMinutes,
    /// The provider's long term: Anthropic's hour, OpenAI's 12, and whatever this version does not
    /// know, as the longer term costs more.
    OneHour,
}

impl CacheTtl {
    /// Reads a `cache_control` or `prompt_cache_options` object.
    pub(super) fn read(mark: &Node<'_, '_>) -> Result<Self, ViewError> {
        if mark.kind() != JsonKind::Object {
            return Ok(Self::FiveMinutes);
        }
        let [ttl] = mark.fields(["ttl"])?;
        let ttl = ttl.map(|ttl| ttl.string()).transpose()?;
        Ok(match ttl.as_deref() {
            None | Some("5m" | "30m") => Self::FiveMinutes,
            Some(_) => Self::OneHour,
        })
    }
}

/// Whether the model is to reason before it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Reasoning {
    /// The request turns it off.
    Off,
    /// The request turns it on, or leaves it to the model.
    On,
    /// The request does not say; the model's default holds.
    #[default]
    Unsaid,
}

impl Reasoning {
    const fn of(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }

    fn of_effort(effort: &Node<'_, '_>) -> Result<Self, ViewError> {
        Ok(Self::of(effort.string()? != "none"))
    }

    /// Reads the `type` of a `thinking` object; a kind that this version does not know may think.
    pub(super) fn of_thinking(thinking: &Node<'_, '_>) -> Result<Self, ViewError> {
        let [kind] = thinking.fields(["type"])?;
        let kind = kind.map(|kind| kind.string()).transpose()?;
        Ok(Self::of(kind.as_deref() != Some("disabled")))
    }

    /// Reads a `reasoning` object.
    fn of_reasoning(reasoning: &Node<'_, '_>) -> Result<Self, ViewError> {
        let [effort, enabled] = reasoning.fields(["effort", "enabled"])?;
        if let Some(effort) = effort {
            return Self::of_effort(&effort);
        }
        let enabled = enabled.map(|enabled| enabled.boolean()).transpose()?;
        Ok(enabled.map_or(Self::Unsaid, Self::of))
    }
}

/// Reads the terms of a request. Members of one protocol are not looked for in the others.
pub(super) fn read(view: &mut RequestView, root: &Node<'_, '_>) -> Result<(), ViewError> {
    let [service_tier] = root.fields(["service_tier"])?;
    view.service_tier = service_tier.map(|node| node.owned_string()).transpose()?;
    match view.endpoint {
        Endpoint::ChatCompletions => {
            read_cache(view, root)?;
            read_chat_reasoning(view, root)?;
            read_chat_extras(view, root)
        }
        Endpoint::Responses => {
            let [reasoning] = root.fields(["reasoning"])?;
            if let Some(reasoning) = reasoning {
                view.reasoning = Reasoning::of_reasoning(&reasoning)?;
            }
            read_cache(view, root)
        }
        Endpoint::Messages | Endpoint::CountTokens => {
            let [speed, servers] = root.fields(["speed", "mcp_servers"])?;
            view.speed = speed.map(|node| node.owned_string()).transpose()?;
            view.server_tools |= servers.is_some_and(|servers| !servers.is_empty_array());
            read_cache(view, root)
        }
        Endpoint::Embeddings => Ok(()),
    }
}

/// A breakpoint that the provider sets itself, and OpenAI's term.
fn read_cache(view: &mut RequestView, root: &Node<'_, '_>) -> Result<(), ViewError> {
    let [mark, options] = root.fields(["cache_control", "prompt_cache_options"])?;
    for mark in [mark, options].into_iter().flatten() {
        view.cache_ttl = view.cache_ttl.max(Some(CacheTtl::read(&mark)?));
    }
    Ok(())
}

/// OpenAI's effort, and what compatible servers have in its place.
fn read_chat_reasoning(view: &mut RequestView, root: &Node<'_, '_>) -> Result<(), ViewError> {
    // OpenAI's, OpenRouter's, DeepSeek's, Qwen's.
    let [effort, reasoning, thinking, enabled] = root.fields([
        "reasoning_effort",
        "reasoning",
        "thinking",
        "enable_thinking",
    ])?;
    let is_object = |node: &Node<'_, '_>| node.kind() == JsonKind::Object;
    view.reasoning = if let Some(effort) = effort {
        Reasoning::of_effort(&effort)?
    } else if let Some(thinking) = thinking.filter(is_object) {
        Reasoning::of_thinking(&thinking)?
    } else if let Some(reasoning) = reasoning.filter(is_object) {
        Reasoning::of_reasoning(&reasoning)?
    } else if let Some(enabled) = enabled {
        Reasoning::of(enabled.boolean()?)
    } else {
        Reasoning::Unsaid
    };
    Ok(())
}

/// Searches of the provider's, and answers that are not only text.
fn read_chat_extras(view: &mut RequestView, root: &Node<'_, '_>) -> Result<(), ViewError> {
    let [
        search,
        live_search,
        plugins,
        enable_search,
        modalities,
        audio,
    ] = root.fields([
        "web_search_options",
        "search_parameters",
        "plugins",
        "enable_search",
        "modalities",
        "audio",
    ])?;
    // OpenAI's, xAI's, OpenRouter's, Qwen's.
    let is_searching = match enable_search {
        Some(enabled) => enabled.boolean()?,
        None => false,
    };
    view.server_tools |= search.is_some()
        || live_search.is_some()
        || plugins.is_some_and(|plugins| !plugins.is_empty_array())
        || is_searching;
    view.media_output = audio.is_some();
    if let Some(modalities) = modalities {
        for modality in modalities.elements("an array of modalities")? {
            view.media_output |= modality.string()? != "text";
        }
    }
    Ok(())
}

/// Whether a tool of this type is run by the provider. One that this version does not know counts as
/// such, as an unexpected bill is worse than a larger reservation.
pub(crate) fn runs_at_provider(kind: &str) -> bool {
    const CLIENTS: [&str; 8] = [
        "function",
        "custom",
        "local_shell",
        "apply_patch",
        "computer",
        "computer_use_preview",
        "namespace",
        "tool_search",
    ];
    /// Anthropic's tools have a date in their type; these are run by clients, or cost nothing.
    const DATED: [&str; 5] = [
        "bash_",
        "text_editor_",
        "computer_2",
        "memory_",
        "tool_search_tool_",
    ];
    !CLIENTS.contains(&kind) && !DATED.iter().any(|prefix| kind.starts_with(prefix))
}
