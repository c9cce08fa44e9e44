//! What callers of `LLMLingua` can ask for: [`LinguaOptions`].

use std::{fmt, str::FromStr};

use thiserror::Error;

/// The most strings in [`LinguaOptions::force_tokens`].
const MAX_FORCE_TOKENS: usize = 100;
/// The longest of them, in bytes.
const MAX_FORCE_BYTES: usize = 256;
/// The most tokens that are scored at once.
const MAX_ITERATIVE_SIZE: usize = 4096;
/// The most that a context budget adds.
const MAX_EXTRA_TOKENS: f64 = 1_000_000.0;
/// The most that it multiplies by.
const MAX_FACTOR: f64 = 100.0;

/// How much is kept, and of what. Names and defaults are those of the reference implementation (`compress_prompt` of
/// microsoft/LLMLingua); [`LinguaOptions::validated`] refuses what makes no sense.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own that callers know by its name"
)]
pub struct LinguaOptions {
    /// The share of tokens that is kept, 0 to 1.
    pub rate: f64,
    /// The tokens of all contexts that are kept, in place of `rate`.
    pub target_token: Option<usize>,
    /// Strings that are always kept, with the words that they stand in.
    pub force_tokens: Vec<String>,
    /// Whether words with a digit are always kept.
    pub force_reserve_digit: bool,
    /// Whether a forced string is left out that follows the same one with nothing kept between.
    pub drop_consecutive: bool,
    /// Where a text may be cut that is too long for the classifier.
    pub chunk_end_tokens: Vec<String>,
    /// Whether whole contexts are left out first.
    pub use_context_level_filter: bool,
    /// Whether whole sentences are left out next (`LLMLingua`).
    pub use_sentence_level_filter: bool,
    /// So many contexts are kept.
    pub target_context: Option<usize>,
    /// The share of tokens that the contexts have that are kept (`LLMLingua-2`), 0 to 1; none for the middle between
    /// `rate` and 1.
    pub context_level_rate: Option<f64>,
    /// Contexts that are always kept, counted from 0.
    pub force_context_ids: Vec<usize>,
    /// Where the question stands when contexts are ranked.
    pub condition_in_question: ConditionInQuestion,
    /// Whether a token's worth is how much likelier the question makes it (`LongLLMLingua`).
    pub condition_compare: bool,
    /// The order in which contexts are given back.
    pub reorder_context: Reorder,
    /// By how much the rate of the best context is higher, and that of the worst lower, 0 to 1.
    pub dynamic_context_compression_ratio: f64,
    /// How many tokens the contexts may have that go on to be compressed word by word.
    pub context_budget: ContextBudget,
    /// What tells good contexts.
    pub rank_method: RankMethod,
    /// Tokens that are scored, and chosen from, at a time.
    pub iterative_size: usize,
    /// So many sentences at the start of each context pass the sentence filter.
    pub keep_first_sentence: usize,
    /// So many at its end.
    pub keep_last_sentence: usize,
    /// Whether empty lines are always kept.
    pub keep_split: bool,
    /// The tokens that pass the sentence filter, by those that are wanted in the end.
    pub token_budget_ratio: f64,
    /// Whether protected spans are always kept, over the rate if they must; otherwise they compete, whole. Ours.
    pub keep_protected: bool,
}

/// Where the question stands when a context is scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConditionInQuestion {
    /// Nowhere: the context is scored alone.
    #[default]
    None,
    /// Before the context, which is scored.
    Before,
    /// After the context, and it is the question that is scored.
    After,
}

/// The order of contexts in the result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reorder {
    /// As they came.
    #[default]
    Original,
    /// The best first.
    Sort,
    /// The best at both ends, where models read best (Liu et al., 2024).
    TwoStage,
}

/// What tells good contexts from others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RankMethod {
    /// How surprising the context is.
    #[default]
    Llmlingua,
    /// How likely the context makes the question.
    Longllmlingua,
    /// The words that it shares with the question (Robertson and Zaragoza, 2009).
    Bm25,
}

/// What is done to the target to get the budget of contexts, written `+100` or `*1.5`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ContextBudget {
    /// So many tokens more, or fewer.
    Plus(f64),
    /// So many times as many.
    Times(f64),
}

/// An option with a value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{field}` is {value}; allowed: {allowed}")]
pub struct OptionError {
    /// Which option.
    pub field: &'static str,
    /// What it is.
    pub value: String,
    /// What it may be.
    pub allowed: &'static str,
}

impl OptionError {
    fn new(field: &'static str, value: impl fmt::Display, allowed: &'static str) -> Self {
        Self {
            field,
            value: value.to_string(),
            allowed,
        }
    }
}

impl Default for LinguaOptions {
    fn default() -> Self {
        Self {
            rate: 0.5,
            target_token: None,
            force_tokens: Vec::new(),
            force_reserve_digit: false,
            drop_consecutive: false,
            chunk_end_tokens: vec![".".to_owned(), "\n".to_owned()],
            use_context_level_filter: true,
            use_sentence_level_filter: false,
            target_context: None,
            context_level_rate: None,
            force_context_ids: Vec::new(),
            condition_in_question: ConditionInQuestion::None,
            condition_compare: false,
            reorder_context: Reorder::Original,
            dynamic_context_compression_ratio: 0.0,
            context_budget: ContextBudget::Plus(100.0),
            rank_method: RankMethod::Llmlingua,
            iterative_size: 200,
            keep_first_sentence: 0,
            keep_last_sentence: 0,
            keep_split: false,
            token_budget_ratio: 1.4,
            keep_protected: true,
        }
    }
}

impl LinguaOptions {
    /// The defaults with this share of tokens kept; an error where it is not from 0 to 1.
    pub fn with_rate(rate: f64) -> Result<Self, OptionError> {
        Self {
            rate,
            ..Self::default()
        }
        .validated()
    }

    /// The options, if all make sense. The error names the first that does not, and what it may be.
    pub fn validated(self) -> Result<Self, OptionError> {
        share("rate", self.rate)?;
        share(
            "dynamic_context_compression_ratio",
            self.dynamic_context_compression_ratio,
        )?;
        if let Some(rate) = self.context_level_rate {
            share("context_level_rate", rate)?;
        }
        if self.target_token == Some(0) {
            return Err(OptionError::new("target_token", 0, "1 or more, or none"));
        }
        if self.target_context == Some(0) {
            return Err(OptionError::new("target_context", 0, "1 or more, or none"));
        }
        if !(1.0..=10.0).contains(&self.token_budget_ratio) {
            let value = self.token_budget_ratio;
            return Err(OptionError::new("token_budget_ratio", value, "1 to 10"));
        }
        if !(1..=MAX_ITERATIVE_SIZE).contains(&self.iterative_size) {
            let value = self.iterative_size;
            return Err(OptionError::new("iterative_size", value, "1 to 4096"));
        }
        strings("force_tokens", &self.force_tokens)?;
        strings("chunk_end_tokens", &self.chunk_end_tokens)?;
        self.context_budget.validated()?;
        Ok(self)
    }
}

fn share(field: &'static str, value: f64) -> Result<(), OptionError> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(OptionError::new(field, value, "0 to 1"))
    }
}

fn strings(field: &'static str, strings: &[String]) -> Result<(), OptionError> {
    if strings.len() > MAX_FORCE_TOKENS {
        let value = format!("a list of {}", strings.len());
        return Err(OptionError::new(field, value, "at most 100 strings"));
    }
    let fits = |string: &&String| (1..=MAX_FORCE_BYTES).contains(&string.len());
    match strings.iter().find(|string| !fits(string)) {
        None => Ok(()),
        Some(string) => {
            let value = format!("a list with a string of {} bytes", string.len());
            Err(OptionError::new(field, value, "strings of 1 to 256 bytes"))
        }
    }
}

impl ContextBudget {
    const ALLOWED: &str = "+N or -N with N up to 1000000, *N or /N with N above 0 and up to 100";

    fn validated(self) -> Result<Self, OptionError> {
        let fits = match self {
            Self::Plus(tokens) => tokens.abs() <= MAX_EXTRA_TOKENS,
            Self::Times(factor) => factor > 0.0 && factor <= MAX_FACTOR,
        };
        fits.then_some(self)
            .ok_or_else(|| OptionError::new("context_budget", self, Self::ALLOWED))
    }

    /// The budget that belongs to this target, in tokens; not below 0.
    pub fn of(self, target: f64) -> f64 {
        let budget = match self {
            Self::Plus(tokens) => target + tokens,
            Self::Times(factor) => target * factor,
        };
        budget.max(0.0)
    }
}

impl fmt::Display for ContextBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plus(tokens) => write!(f, "{tokens:+}"),
            Self::Times(factor) => write!(f, "*{factor}"),
        }
    }
}

impl FromStr for ContextBudget {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        let refused = || OptionError::new("context_budget", format!("{text:?}"), Self::ALLOWED);
        let mut symbols = text.trim().chars();
        let sign = symbols.next().ok_or_else(refused)?;
        let number = symbols.as_str().trim();
        let plain = number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let number: f64 = number.parse().ok().filter(|_| plain).ok_or_else(refused)?;
        match sign {
            '+' => Self::Plus(number),
            '-' => Self::Plus(-number),
            '*' => Self::Times(number),
            '/' if number > 0.0 => Self::Times(1.0 / number),
            _ => return Err(refused()),
        }
        .validated()
        .map_err(|_| refused())
    }
}

impl FromStr for ConditionInQuestion {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "none" => Ok(Self::None),
            // The reference has a second form of each, which adds the restrictive sentence.
            "before" | "before_condition" => Ok(Self::Before),
            "after" | "after_condition" => Ok(Self::After),
            _ => Err(OptionError::new(
                "condition_in_question",
                format!("{text:?}"),
                "none, before, after",
            )),
        }
    }
}

impl FromStr for Reorder {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "original" => Ok(Self::Original),
            "sort" => Ok(Self::Sort),
            "two_stage" => Ok(Self::TwoStage),
            _ => Err(OptionError::new(
                "reorder_context",
                format!("{text:?}"),
                "original, sort, two_stage",
            )),
        }
    }
}

impl FromStr for RankMethod {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        match text {
            "llmlingua" => Ok(Self::Llmlingua),
            "longllmlingua" => Ok(Self::Longllmlingua),
            "bm25" => Ok(Self::Bm25),
            _ => Err(OptionError::new(
                "rank_method",
                format!("{text:?}"),
                "llmlingua, longllmlingua, bm25",
            )),
        }
    }
}
