//! `POST /v1/compress`: prose made shorter, with the parameters and the result that users of `LLMLingua` know.

use std::str::FromStr;

use http::{HeaderValue, Response, header};
use serde::{Deserialize, Serialize};
use skinflint_compressor::lingua::{LinguaOptions, OptionError};
use skinflint_prose::{Method, ProseRequest, ProseResult};

use crate::{
    body::{Body, full},
    call::Call,
    error::{CallError, CompressError, LocalError},
    prose::{Prose, ProseFault},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(alias = "prompt")]
    context: Contexts,
    #[serde(default)]
    instruction: String,
    #[serde(default)]
    question: String,
    method: Option<Named>,
    /// Whether `<llmlingua>` tags in the contexts say what may be compressed.
    #[serde(default)]
    structured: bool,
    /// Whose price the saving is told by.
    model: Option<String>,
    rate: Option<f64>,
    target_token: Option<usize>,
    force_tokens: Option<Vec<String>>,
    force_reserve_digit: Option<bool>,
    drop_consecutive: Option<bool>,
    chunk_end_tokens: Option<Vec<String>>,
    use_context_level_filter: Option<bool>,
    use_sentence_level_filter: Option<bool>,
    target_context: Option<usize>,
    context_level_rate: Option<f64>,
    force_context_ids: Option<Vec<usize>>,
    condition_in_question: Option<String>,
    condition_compare: Option<bool>,
    reorder_context: Option<String>,
    dynamic_context_compression_ratio: Option<f64>,
    context_budget: Option<String>,
    rank_method: Option<String>,
    iterative_size: Option<usize>,
    keep_first_sentence: Option<usize>,
    keep_last_sentence: Option<usize>,
    keep_split: Option<bool>,
    token_budget_ratio: Option<f64>,
    keep_protected: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string or a list of strings")]
enum Contexts {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    Llmlingua,
    Longllmlingua,
    Llmlingua2,
}

#[derive(Debug, Serialize)]
struct Told<'r> {
    compressed_prompt: &'r str,
    compressed_prompt_list: Vec<&'r str>,
    origin_tokens: usize,
    compressed_tokens: usize,
    ratio: String,
    rate: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    saving: Option<String>,
    method: String,
}

/// Compresses what a body asks for.
pub(super) async fn answer(prose: &Prose, call: &Call) -> Result<Response<Body>, CallError> {
    let mut reader = serde_json::Deserializer::from_slice(&call.body);
    let asked: Asked =
        serde_path_to_error::deserialize(&mut reader).map_err(CompressError::Body)?;
    reader.end().map_err(CompressError::End)?;
    let method = match asked.method {
        Some(Named::Llmlingua) => Method::Llmlingua,
        Some(Named::Longllmlingua) => Method::LongLlmlingua,
        None | Some(Named::Llmlingua2) => Method::Llmlingua2,
    };
    let options = options(&asked).map_err(CompressError::Option)?;
    let contexts = match asked.context {
        Contexts::One(context) => vec![context],
        Contexts::Several(contexts) => contexts,
    };
    let request = ProseRequest {
        contexts: &contexts,
        instruction: &asked.instruction,
        question: &asked.question,
        options: &options,
        method,
    };
    let ready = prose.ready(method).await;
    let ready = ready.map_err(|error| match (method, error) {
        (Method::Llmlingua2, error @ LocalError::Unavailable { .. }) => {
            CompressError::NoClassifier(error)
        }
        (_, error) => CompressError::Prose(error.into()),
    })?;
    let compressed = ready.compress(request, asked.structured).await;
    let result = compressed.map_err(|error| CompressError::Prose(ProseFault::Compress(error)))?;
    let price = asked
        .model
        .as_deref()
        .and_then(|model| input_usd_per_million(call, model));
    let mut response = Response::new(full(told(&result, method, price)));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    Ok(response)
}

fn told(result: &ProseResult, method: Method, price: Option<f64>) -> String {
    let told = Told {
        compressed_prompt: &result.text,
        compressed_prompt_list: result
            .contexts
            .iter()
            .map(|context| context.text.as_str())
            .collect(),
        origin_tokens: result.origin_tokens,
        compressed_tokens: result.compressed_tokens,
        ratio: result.ratio(),
        rate: result.rate(),
        saving: price.map(|price| result.saving(price)),
        method: method.to_string(),
    };
    // Plain data, which always encodes.
    serde_json::to_string(&told).unwrap_or_default()
}

/// What a million tokens of fresh input cost with a model.
fn input_usd_per_million(call: &Call, model: &str) -> Option<f64> {
    let (price, _) = call.caller.policies.prices.find(None, model)?;
    let usage = skinflint_protocol::Usage {
        fresh_input: 1_000_000,
        ..skinflint_protocol::Usage::default()
    };
    let charge = price
        .charge(&usage, skinflint_money::ServiceTier::Standard)
        .ok()?;
    charge.total().to_string().parse().ok()
}

/// What is not asked is as `LLMLingua` has it.
fn options(asked: &Asked) -> Result<LinguaOptions, OptionError> {
    let default = LinguaOptions::default();
    LinguaOptions {
        rate: asked.rate.unwrap_or(default.rate),
        target_token: asked.target_token,
        force_tokens: asked.force_tokens.clone().unwrap_or_default(),
        force_reserve_digit: asked
            .force_reserve_digit
            .unwrap_or(default.force_reserve_digit),
        drop_consecutive: asked.drop_consecutive.unwrap_or(default.drop_consecutive),
        chunk_end_tokens: asked
            .chunk_end_tokens
            .clone()
            .unwrap_or(default.chunk_end_tokens),
        use_context_level_filter: asked
            .use_context_level_filter
            .unwrap_or(default.use_context_level_filter),
        use_sentence_level_filter: asked
            .use_sentence_level_filter
            .unwrap_or(default.use_sentence_level_filter),
        target_context: asked.target_context,
        context_level_rate: asked.context_level_rate,
        force_context_ids: asked.force_context_ids.clone().unwrap_or_default(),
        condition_in_question: parsed(
            asked.condition_in_question.as_deref(),
            default.condition_in_question,
        )?,
        condition_compare: asked.condition_compare.unwrap_or(default.condition_compare),
        reorder_context: parsed(asked.reorder_context.as_deref(), default.reorder_context)?,
        dynamic_context_compression_ratio: asked
            .dynamic_context_compression_ratio
            .unwrap_or(default.dynamic_context_compression_ratio),
        context_budget: parsed(asked.context_budget.as_deref(), default.context_budget)?,
        rank_method: parsed(asked.rank_method.as_deref(), default.rank_method)?,
        iterative_size: asked.iterative_size.unwrap_or(default.iterative_size),
        keep_first_sentence: asked
            .keep_first_sentence
            .unwrap_or(default.keep_first_sentence),
        keep_last_sentence: asked
            .keep_last_sentence
            .unwrap_or(default.keep_last_sentence),
        keep_split: asked.keep_split.unwrap_or(default.keep_split),
        token_budget_ratio: asked
            .token_budget_ratio
            .unwrap_or(default.token_budget_ratio),
        keep_protected: asked.keep_protected.unwrap_or(default.keep_protected),
    }
    .validated()
}

/// An option that is written as a text.
fn parsed<T: FromStr<Err = OptionError>>(text: Option<&str>, default: T) -> Result<T, OptionError> {
    text.map_or(Ok(default), str::parse)
}
