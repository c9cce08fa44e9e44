//! The exports that are understood, told by the names of their columns.
//!
//! | export | day | model | tokens | money |
//! |---|---|---|---|---|
//! | plain | `date` | `model` | `input_tokens` is the whole prompt, of which `cached_input_tokens` were read from the cache and `cache_write_5m_tokens` and `cache_write_1h_tokens` written to it; `output_tokens` | `cost_usd` |
//! | OpenAI's usage | `start_time_iso`, else `start_time` (seconds) | `model` | `input_tokens` is the whole prompt, of which `input_cached_tokens` were read from the cache and `input_cache_write_tokens` written to it; `output_tokens` | none |
//! | OpenAI's costs | as above | what stands before the comma in `line_item`; all models together if the export is not grouped by it | none | `amount_value`, all of it in `amount_currency` usd |
//! | Anthropic's usage | `usage_date_utc` | `model_version` | the prompt is the sum of `usage_input_tokens_no_cache`, `usage_input_tokens_cache_read`, `usage_input_tokens_cache_write_5m` and `usage_input_tokens_cache_write_1h`; `usage_output_tokens` | none |
//! | Anthropic's costs | `usage_date_utc` | `model`, a name for people; what `cost_type` says for costs of no model | none | `cost_usd`, rounded to cents by Anthropic |
//!
//! Of the plain form, `date`, `model` and one column of tokens or money have to be there. Other columns are passed over. Days are those of UTC.

use super::figures::Measure;

/// How one kind of export is laid out.
#[derive(Debug)]
pub(super) struct Layout {
    /// What it is called in answers.
    pub name: &'static str,
    /// Whose export it is; none if anybody's.
    pub provider: Option<&'static str>,
    /// The columns by which it is told from others.
    pub signs: &'static [&'static str],
    /// Of the day; the first that is there counts.
    pub day: &'static [&'static str],
    /// Of the model.
    pub model: &'static str,
    /// Stands for the model where there is none.
    pub instead_of_model: Option<&'static str>,
    /// The model's name ends at the first comma.
    pub model_before_comma: bool,
    /// Of the currency, which has to be dollars.
    pub currency: Option<&'static str>,
    /// The numbers, each with all that it counts in.
    pub numbers: &'static [(&'static str, &'static [Measure])],
}

use Measure::{CacheRead, CacheWrite, CacheWrite1h, CacheWrite5m, Cost, Input, Output};

/// The exports, those with telling columns first.
pub(super) static LAYOUTS: [Layout; 5] = [
    Layout {
        name: "anthropic_usage",
        provider: Some("anthropic"),
        signs: &["usage_date_utc", "model_version", "usage_output_tokens"],
        day: &["usage_date_utc"],
        model: "model_version",
        instead_of_model: None,
        model_before_comma: false,
        currency: None,
        numbers: &[
            ("usage_input_tokens_no_cache", &[Input]),
            ("usage_input_tokens_cache_read", &[Input, CacheRead]),
            ("usage_input_tokens_cache_write_5m", &[Input, CacheWrite5m]),
            ("usage_input_tokens_cache_write_1h", &[Input, CacheWrite1h]),
            ("usage_output_tokens", &[Output]),
        ],
    },
    Layout {
        name: "anthropic_costs",
        provider: Some("anthropic"),
        signs: &["usage_date_utc", "model", "cost_usd"],
        day: &["usage_date_utc"],
        model: "model",
        instead_of_model: Some("cost_type"),
        model_before_comma: false,
        currency: None,
        numbers: &[("cost_usd", &[Cost])],
    },
    Layout {
        name: "openai_costs",
        provider: Some("openai"),
        signs: &["start_time", "amount_value", "line_item"],
        day: &["start_time_iso", "start_time"],
        model: "line_item",
        instead_of_model: None,
        model_before_comma: true,
        currency: Some("amount_currency"),
        numbers: &[("amount_value", &[Cost])],
    },
    Layout {
        name: "openai_usage",
        provider: Some("openai"),
        signs: &["start_time", "model", "input_tokens", "output_tokens"],
        day: &["start_time_iso", "start_time"],
        model: "model",
        instead_of_model: None,
        model_before_comma: false,
        currency: None,
        numbers: &[
            ("input_tokens", &[Input]),
            ("input_cached_tokens", &[CacheRead]),
            ("input_cache_write_tokens", &[CacheWrite]),
            ("output_tokens", &[Output]),
        ],
    },
    Layout {
        name: "plain",
        provider: None,
        signs: &["date", "model"],
        day: &["date"],
        model: "model",
        instead_of_model: None,
        model_before_comma: false,
        currency: None,
        numbers: &[
            ("input_tokens", &[Input]),
            ("cached_input_tokens", &[CacheRead]),
            ("cache_write_5m_tokens", &[CacheWrite5m]),
            ("cache_write_1h_tokens", &[CacheWrite1h]),
            ("output_tokens", &[Output]),
            ("cost_usd", &[Cost]),
        ],
    },
];
