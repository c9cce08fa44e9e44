//! Requests of chat completions.

use super::block::{BlockKind, Role, Source};
use super::content::{self, Reader};
use super::error::ViewError;
use super::node::Node;
use super::{RequestView, ResponseFormat, Sampling, Spanned};
use crate::endpoint::Endpoint;

pub(super) fn read(root: &Node<'_, '_>) -> Result<RequestView, ViewError> {
    let [
        model,
        messages,
        tools,
        functions,
        tool_choice,
        function_call,
        response_format,
    ] = root.fields([
        "model",
        "messages",
        "tools",
        "functions",
        "tool_choice",
        "function_call",
        "response_format",
    ])?;
    let mut view = RequestView::new(Endpoint::ChatCompletions, root, model)?;
    let messages = root.require(messages, "messages", "an array of messages")?;
    for (index, message) in messages.elements("an array of messages")?.enumerate() {
        let mut reader = Reader::new(&mut view, Source::Messages, index);
        read_message(&mut reader, &message)?;
    }
    if messages.elements("an array of messages")?.next().is_none() {
        return Err(messages.empty("at least one message"));
    }
    // Functions are what tools were called first.
    for tools in [tools, functions].into_iter().flatten() {
        content::read_tools(&mut view, &tools)?;
    }
    if let Some(function_call) = function_call {
        view.tool_choice = content::function_call(&function_call)?;
    }
    if let Some(choice) = tool_choice {
        view.tool_choice = content::tool_choice(&choice)?;
    }
    if let Some(format) = response_format {
        view.response_format = ResponseFormat::read(&format)?;
    }
    read_delivery(&mut view, root)?;
    read_identity(&mut view, root)?;
    Ok(view)
}

fn read_message(reader: &mut Reader<'_>, message: &Node<'_, '_>) -> Result<(), ViewError> {
    let [
        role,
        reasoning,
        content,
        refusal,
        audio,
        calls,
        call,
        cache_control,
    ] = message.fields([
        "role",
        "reasoning_content",
        "content",
        "refusal",
        "audio",
        "tool_calls",
        "function_call",
        "cache_control",
    ])?;
    let role = Role::of(&message.require(role, "role", "a role")?.string()?);
    if let Some(reasoning) = reasoning {
        reader.literal(role, BlockKind::Thinking, &reasoning)?;
    }
    if let Some(content) = content {
        reader.content(role, &content)?;
    }
    if let Some(refusal) = refusal {
        reader.literal(role, BlockKind::Refusal, &refusal)?;
    }
    if let Some(audio) = audio {
        reader.push(role, BlockKind::Audio, audio.span(), None);
    }
    if let Some(calls) = calls {
        for call in calls.elements("an array of tool calls")? {
            read_tool_call(reader, role, &call)?;
        }
    }
    if let Some(call) = call {
        let [arguments] = call.fields(["arguments"])?;
        push_call(reader, role, &call, arguments)?;
    }
    // A breakpoint on a message, as OpenAI-compatible gateways take it, stands at its end.
    if reader.mark(cache_control.as_ref())?
        && let Some(last) = reader.blocks.last_mut()
        && last.message == reader.message
    {
        last.cache_control = true;
    }
    Ok(())
}

fn read_tool_call(
    reader: &mut Reader<'_>,
    role: Role,
    call: &Node<'_, '_>,
) -> Result<(), ViewError> {
    let [function, custom] = call.fields(["function", "custom"])?;
    match (&function, &custom) {
        (Some(_), Some(_)) => Err(call.conflict("function", "custom")),
        (Some(function), None) => {
            let [arguments] = function.fields(["arguments"])?;
            push_call(reader, role, call, arguments)
        }
        (None, Some(custom)) => {
            let [input] = custom.fields(["input"])?;
            push_call(reader, role, call, input)
        }
        (None, None) => push_call(reader, role, call, None),
    }
}

fn push_call(
    reader: &mut Reader<'_>,
    role: Role,
    call: &Node<'_, '_>,
    text: Option<Node<'_, '_>>,
) -> Result<(), ViewError> {
    let text = text.map(|text| text.string_span()).transpose()?;
    reader.push(role, BlockKind::ToolUse, call.span(), text);
    Ok(())
}

/// How the answer is to come and be made.
fn read_delivery(view: &mut RequestView, root: &Node<'_, '_>) -> Result<(), ViewError> {
    let [
        stream,
        options,
        limit,
        old_limit,
        temperature,
        top_p,
        top_k,
        seed,
        n,
        stop,
    ] = root.fields([
        "stream",
        "stream_options",
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "n",
        "stop",
    ])?;
    if let Some(stream) = stream {
        view.stream = stream.boolean()?;
    }
    if let Some(options) = options {
        let [include_usage] = options.fields(["include_usage"])?;
        view.stream_options = Some(options.span());
        if let Some(include_usage) = include_usage {
            view.include_usage = include_usage.boolean()?;
            if !view.include_usage {
                view.blanks.push(("include_usage", include_usage.span()));
            }
        }
        view.note_blanks(&options, &["include_usage"]);
    }
    view.note_blanks(
        root,
        &["stream_options", "max_completion_tokens", "max_tokens"],
    );
    if limit.is_some() && old_limit.is_some() {
        return Err(root.conflict("max_tokens", "max_completion_tokens"));
    }
    if let Some(limit) = limit.or(old_limit) {
        view.max_output_tokens = Some(Spanned {
            value: limit.count()?,
            span: limit.span(),
        });
    }
    view.sampling = Sampling {
        temperature: temperature.map(|node| node.number()).transpose()?,
        top_p: top_p.map(|node| node.number()).transpose()?,
        top_k: top_k.map(|node| node.integer()).transpose()?,
        seed: seed.map(|node| node.integer()).transpose()?,
        n: n.map(|node| node.count()).transpose()?,
        stop: stop
            .map(|node| content::strings(&node))
            .transpose()?
            .unwrap_or_default(),
    };
    Ok(())
}

/// Whom the call is for; the responses API has the same members.
pub(super) fn read_identity(view: &mut RequestView, root: &Node<'_, '_>) -> Result<(), ViewError> {
    let [
        metadata,
        client_metadata,
        user,
        safety_identifier,
        prompt_cache_key,
        store,
    ] = root.fields([
        "metadata",
        "client_metadata",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "store",
    ])?;
    if let Some(metadata) = metadata {
        view.metadata = metadata.string_pairs()?;
    }
    if let Some(metadata) = client_metadata {
        view.client_metadata = metadata.string_pairs()?;
    }
    view.user = user.map(|node| node.owned_string()).transpose()?;
    view.safety_identifier = safety_identifier
        .map(|node| node.owned_string())
        .transpose()?;
    view.prompt_cache_key = prompt_cache_key
        .map(|node| node.owned_string())
        .transpose()?;
    view.store = store.map(|node| node.boolean()).transpose()?;
    Ok(())
}
