//! How words of prose are left out.

use std::time::Duration;

use serde::Deserialize;

use crate::{file::Invalid, share::Share, units::Span};

/// How words of prose are left out. The names are those that users of `LLMLingua` know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prose {
    /// By what words are told that matter.
    pub method: ProseMethod,
    /// The share of tokens that is kept.
    pub rate: Share,
    /// The tokens that are kept, in place of `rate`.
    pub target_token: Option<u32>,
    /// Strings that are always kept.
    pub force_tokens: Vec<String>,
    /// Whether words with a digit are always kept.
    pub force_reserve_digit: bool,
    /// Whether of two forced strings in a row with nothing between one is left out.
    pub drop_consecutive: bool,
    /// How long a call may wait for it.
    pub allowance: Duration,
}

/// By what words are told that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProseMethod {
    /// How surprising they are to the local model.
    Llmlingua,
    /// How much likelier the question makes them.
    Longllmlingua,
    /// A classifier of tokens.
    #[default]
    Llmlingua2,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    #[serde(default)]
    method: ProseMethod,
    rate: Option<Share>,
    target_token: Option<u32>,
    #[serde(default)]
    force_tokens: Vec<String>,
    #[serde(default)]
    force_reserve_digit: bool,
    #[serde(default)]
    drop_consecutive: bool,
    allowance: Option<Span>,
}

/// Below half, what is left answers few questions.
const DEFAULT_RATE: Share = Share::millionths(500_000);
/// A classifier reads some 6,000 tokens in that time on two cores.
const DEFAULT_ALLOWANCE: Duration = Duration::from_secs(1);
/// A client does not wait longer for a smaller request.
const MAX_ALLOWANCE: Duration = Duration::from_secs(30);
/// As the compressor has it.
const MAX_FORCE_TOKENS: usize = 100;
const MAX_FORCE_BYTES: usize = 256;

// === impl Prose ===

impl Prose {
    pub(super) fn validate(raw: &Raw) -> Result<Self, Invalid> {
        let rate = raw.rate.unwrap_or(DEFAULT_RATE);
        if rate == Share::NONE || rate > Share::WHOLE {
            return Err(Invalid::new("rate", "expected more than 0 and at most 1"));
        }
        if raw.target_token == Some(0) {
            return Err(Invalid::new("target_token", "expected at least 1"));
        }
        let fits = |string: &String| (1..=MAX_FORCE_BYTES).contains(&string.len());
        if raw.force_tokens.len() > MAX_FORCE_TOKENS || !raw.force_tokens.iter().all(fits) {
            return Err(Invalid::new(
                "force_tokens",
                format!(
                    "expected at most {MAX_FORCE_TOKENS} strings of 1 to {MAX_FORCE_BYTES} bytes"
                ),
            ));
        }
        let allowance = raw.allowance.map_or(DEFAULT_ALLOWANCE, |Span(time)| time);
        if allowance > MAX_ALLOWANCE {
            return Err(Invalid::new("allowance", "expected at most 30s"));
        }
        Ok(Self {
            method: raw.method,
            rate,
            target_token: raw.target_token,
            force_tokens: raw.force_tokens.clone(),
            force_reserve_digit: raw.force_reserve_digit,
            drop_consecutive: raw.drop_consecutive,
            allowance,
        })
    }
}

impl Default for Prose {
    fn default() -> Self {
        Self {
            method: ProseMethod::default(),
            rate: DEFAULT_RATE,
            target_token: None,
            force_tokens: Vec::new(),
            force_reserve_digit: false,
            drop_consecutive: false,
            allowance: DEFAULT_ALLOWANCE,
        }
    }
}
