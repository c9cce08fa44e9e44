//! How the answer is to be made: its form, its log-probabilities, how tokens are chosen.

use super::{AnswerFormat, ConversationError, Penalties, Unsupported};
use crate::endpoint::Endpoint;
use crate::request::{Node, RequestView, ResponseFormat, ViewError};

/// As many of the likeliest tokens as OpenAI tells at most.
const MOST_TOP_LOGPROBS: u8 = 20;

/// Refuses what the view alone says cannot be done.
pub(super) fn check(view: &RequestView) -> Result<(), Unsupported> {
    let found = if view.endpoint == Endpoint::Embeddings {
        Some(("input", "an embedding"))
    } else if view.sampling.n.is_some_and(|n| n > 1) {
        Some(("n", "more than one answer"))
    } else if view.response_format == ResponseFormat::Other {
        Some((
            format_path(view.endpoint),
            "a format other than text and JSON",
        ))
    } else if view.media_output {
        Some(("modalities", "an answer other than text"))
    } else if view.previous_response_id.is_some() {
        Some(("previous_response_id", "an earlier response by reference"))
    } else if view.conversation.is_some() {
        Some(("conversation", "a stored conversation"))
    } else if view.background == Some(true) {
        Some(("background", "an answer in the background"))
    } else {
        None
    };
    match found {
        Some((path, what)) => Err(Unsupported::new(path, what)),
        None => Ok(()),
    }
}

const fn format_path(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Responses => "text.format",
        Endpoint::Messages | Endpoint::CountTokens => "output_config.format",
        Endpoint::ChatCompletions | Endpoint::Embeddings => "response_format",
    }
}

/// What is asked for outside `tools` that a model can answer without: searches and servers of the
/// provider's, and a bias of tokens, which are those of one model.
pub(super) fn left_out(
    endpoint: Endpoint,
    root: &Node<'_, '_>,
) -> Result<Vec<Unsupported>, ViewError> {
    let found = match endpoint {
        // OpenAI's, xAI's, OpenRouter's, Qwen's.
        Endpoint::ChatCompletions => root
            .fields([
                "web_search_options",
                "search_parameters",
                "plugins",
                "enable_search",
            ])?
            .to_vec(),
        Endpoint::Messages | Endpoint::CountTokens => root.fields(["mcp_servers"])?.to_vec(),
        Endpoint::Responses | Endpoint::Embeddings => Vec::new(),
    };
    let is_said =
        |node: &Node<'_, '_>| !node.is_empty_array() && node.value().as_bool() != Some(false);
    let searches = found.into_iter().flatten().filter(is_said);
    let mut left_out: Vec<_> = searches
        .map(|node| Unsupported::new(node.place(), "a tool of the provider"))
        .collect();
    let [bias] = root.fields(["logit_bias"])?;
    let is_empty = |bias: &Node<'_, '_>| {
        let members = bias.value().as_object();
        members.is_some_and(|mut members| members.next().is_none())
    };
    if bias.is_some_and(|bias| !is_empty(&bias)) {
        left_out.push(Unsupported::new("logit_bias", "a bias of tokens"));
    }
    Ok(left_out)
}

/// What is read of how tokens are chosen that the view leaves out.
pub(super) fn penalties(root: &Node<'_, '_>) -> Result<(Penalties, Option<i64>), ViewError> {
    let [min_p, presence, frequency, repetition, seed] = root.fields([
        "min_p",
        "presence_penalty",
        "frequency_penalty",
        "repetition_penalty",
        "seed",
    ])?;
    let number = |node: Option<Node<'_, '_>>| node.map(|node| node.number()).transpose();
    let penalties = Penalties {
        min_p: number(min_p)?,
        presence: number(presence)?,
        frequency: number(frequency)?,
        repetition: number(repetition)?,
    };
    Ok((penalties, seed.map(|seed| seed.integer()).transpose()?))
}

/// The form of the answer, with its schema.
pub(super) fn format(
    view: &RequestView,
    root: &Node<'_, '_>,
) -> Result<AnswerFormat, ConversationError> {
    match view.response_format {
        ResponseFormat::Text | ResponseFormat::Other => return Ok(AnswerFormat::Text),
        ResponseFormat::JsonObject => return Ok(AnswerFormat::JsonObject),
        ResponseFormat::JsonSchema => {}
    }
    match view.endpoint {
        Endpoint::ChatCompletions => {
            let [format] = root.fields(["response_format"])?;
            let format = root.require(format, "response_format", "a format")?;
            let [named] = format.fields(["json_schema"])?;
            schema_of(&format.require(named, "json_schema", "a schema with a name")?)
        }
        Endpoint::Responses => {
            let [text] = root.fields(["text"])?;
            let text = root.require(text, "text", "an object")?;
            let [format] = text.fields(["format"])?;
            schema_of(&text.require(format, "format", "a format")?)
        }
        Endpoint::Messages | Endpoint::CountTokens | Endpoint::Embeddings => {
            let [config, old_format] = root.fields(["output_config", "output_format"])?;
            if let Some(config) = &config {
                let [format] = config.fields(["format"])?;
                if let Some(format) = format {
                    return schema_of(&format);
                }
            }
            schema_of(&root.require(old_format, "output_format", "a format")?)
        }
    }
}

fn schema_of(format: &Node<'_, '_>) -> Result<AnswerFormat, ConversationError> {
    let [schema] = format.fields(["schema"])?;
    let schema = format.require(schema, "schema", "a JSON schema")?;
    Ok(AnswerFormat::JsonSchema(super::schema(&schema)?))
}

/// How many of the likeliest tokens are to be told with each token's log-probability; none where
/// these are not asked for. The messages API has no member that asks.
pub(super) fn logprobs(
    endpoint: Endpoint,
    root: &Node<'_, '_>,
) -> Result<Option<u8>, ConversationError> {
    let is_asked = match endpoint {
        Endpoint::ChatCompletions => {
            let [logprobs] = root.fields(["logprobs"])?;
            logprobs.map(|wanted| wanted.boolean()).transpose()? == Some(true)
        }
        Endpoint::Responses => includes(root, "message.output_text.logprobs")?,
        Endpoint::Messages | Endpoint::CountTokens | Endpoint::Embeddings => return Ok(None),
    };
    let [top] = root.fields(["top_logprobs"])?;
    let top = top
        .map(|top| top.count_up_to(MOST_TOP_LOGPROBS, "a whole number from 0 to 20"))
        .transpose()?
        .unwrap_or(0);
    if !is_asked && top > 0 && endpoint == Endpoint::ChatCompletions {
        return Ok(root.require(None, "logprobs", "true beside top_logprobs")?);
    }
    Ok((is_asked || top > 0).then_some(top))
}

fn includes(root: &Node<'_, '_>, what: &str) -> Result<bool, ViewError> {
    let [include] = root.fields(["include"])?;
    let Some(include) = include else {
        return Ok(false);
    };
    for member in include.elements("an array of strings")? {
        if member.string()? == what {
            return Ok(true);
        }
    }
    Ok(false)
}
