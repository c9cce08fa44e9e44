//! Token usage, in one normal form for every protocol.

use crate::endpoint::Dialect;
use crate::json::Value;

/// What a call used, each token counted once.
///
/// `fresh_input + cache_read + cache_write_5m + cache_write_1h` is the whole prompt and `output` the
/// whole answer; the other fields are parts of these or counts of something else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens neither read from nor written to the provider's cache.
    pub fresh_input: u64,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to the cache for the provider's short term: Anthropic's 5 minutes,
    /// OpenAI's 30, or a term that is not named.
    pub cache_write_5m: u64,
    /// Prompt tokens written to the cache for the provider's long term: Anthropic's hour, OpenAI's 12.
    pub cache_write_1h: u64,
    /// Tokens generated, seen or not.
    pub output: u64,
    /// Of `output`: reasoning.
    pub reasoning: u64,
    /// Of the prompt: audio.
    pub audio_input: u64,
    /// Of `output`: audio.
    pub audio_output: u64,
    /// Calls of tools that the provider runs and bills apart: web searches, searched sources. What is
    /// free (Anthropic's web fetch) is not counted.
    pub server_tool_uses: u64,
}

impl Usage {
    /// The whole prompt, cached or not.
    pub const fn input(&self) -> u64 {
        self.fresh_input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write())
    }

    /// Both together.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        let Self {
            fresh_input,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning,
            audio_input,
            audio_output,
            server_tool_uses,
        } = *other;
        Self {
            fresh_input: self.fresh_input.saturating_add(fresh_input),
            cache_read: self.cache_read.saturating_add(cache_read),
            cache_write_5m: self.cache_write_5m.saturating_add(cache_write_5m),
            cache_write_1h: self.cache_write_1h.saturating_add(cache_write_1h),
            output: self.output.saturating_add(output),
            reasoning: self.reasoning.saturating_add(reasoning),
            audio_input: self.audio_input.saturating_add(audio_input),
            audio_output: self.audio_output.saturating_add(audio_output),
            server_tool_uses: self.server_tool_uses.saturating_add(server_tool_uses),
        }
    }

    /// Tokens written to the provider's cache, for any time.
    pub const fn cache_write(&self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }
}

/// Usage as a provider has reported it so far.
///
/// Absent and `null` are `None`, zero is zero. A count that is negative, fractional or no number says
/// nothing, so that an earlier count stays. `1.0` is a whole number, as JSON has one number type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageReport {
    dialect: Dialect,
    /// OpenAI's counts what was cached; Anthropic's does not.
    pub input: Option<u64>,
    /// Prompt tokens read from the cache.
    pub cache_read: Option<u64>,
    /// Prompt tokens written to the cache, for any time.
    pub cache_write: Option<u64>,
    /// Of these, for the short term.
    pub cache_write_short: Option<u64>,
    /// Of these, for the long term.
    pub cache_write_long: Option<u64>,
    /// Tokens generated.
    pub output: Option<u64>,
    /// Tokens generated in reasoning.
    pub reasoning: Option<u64>,
    /// Prompt tokens of audio.
    pub audio_input: Option<u64>,
    /// Generated tokens of audio.
    pub audio_output: Option<u64>,
    /// The provider's own sum.
    pub total: Option<u64>,
    /// Calls of tools that the provider runs and bills apart.
    pub server_tool_uses: Option<u64>,
    /// What Anthropic bills beside the counts above.
    pub apart: Option<Apart>,
}

/// Sampling that Anthropic bills and leaves out of the top-level counts: entries of `iterations` for
/// a compaction, or for an advisor, which is priced as if the model itself had run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Apart {
    /// Prompt tokens neither read from nor written to the cache.
    pub input: u64,
    /// Prompt tokens read from the cache.
    pub cache_read: u64,
    /// Prompt tokens written to the cache for the short term.
    pub cache_write_short: u64,
    /// Prompt tokens written to the cache for the long term.
    pub cache_write_long: u64,
    /// Tokens generated.
    pub output: u64,
}

impl UsageReport {
    /// A report that says nothing.
    pub const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            input: None,
            cache_read: None,
            cache_write: None,
            cache_write_short: None,
            cache_write_long: None,
            output: None,
            reasoning: None,
            audio_input: None,
            audio_output: None,
            total: None,
            server_tool_uses: None,
            apart: None,
        }
    }

    /// Reads a `usage` object. Anything else, `null` too, says nothing.
    pub fn read(dialect: Dialect, usage: Value<'_>) -> Self {
        match dialect {
            Dialect::OpenAi => Self::read_openai(usage),
            Dialect::Anthropic => Self::read_anthropic(usage),
        }
    }

    fn read_openai(usage: Value<'_>) -> Self {
        let count = |path: &[&str]| count(usage, path);
        let first = |paths: &[&[&str]]| paths.iter().find_map(|path| count(path));
        let input_detail = |name| {
            first(&[
                &["prompt_tokens_details", name],
                &["input_tokens_details", name],
            ])
        };
        let output_detail = |name| {
            first(&[
                &["completion_tokens_details", name],
                &["output_tokens_details", name],
            ])
        };
        let write_term =
            |name| count(&["input_tokens_details", "cache_write_tokens_details", name]);
        let qwen_write_term = |name| count(&["prompt_tokens_details", "cache_creation", name]);
        Self {
            input: first(&[&["prompt_tokens"], &["input_tokens"]]),
            // DeepSeek, Moonshot and Mistral say it at the top.
            cache_read: input_detail("cached_tokens").or_else(|| {
                first(&[
                    &["prompt_cache_hit_tokens"],
                    &["cached_tokens"],
                    &["num_cached_tokens"],
                ])
            }),
            // The second is OpenRouter's, the third Qwen's.
            cache_write: input_detail("cache_write_tokens")
                .or_else(|| input_detail("cache_creation_tokens"))
                .or_else(|| input_detail("cache_creation_input_tokens")),
            cache_write_short: write_term("ttl_30m_tokens")
                .or_else(|| qwen_write_term("ephemeral_5m_input_tokens")),
            cache_write_long: write_term("ttl_12h_tokens")
                .or_else(|| qwen_write_term("ephemeral_1h_input_tokens")),
            output: first(&[&["completion_tokens"], &["output_tokens"]]),
            reasoning: output_detail("reasoning_tokens"),
            audio_input: input_detail("audio_tokens"),
            audio_output: output_detail("audio_tokens"),
            total: count(&["total_tokens"]),
            // xAI's, of the responses API and of live search.
            server_tool_uses: first(&[&["num_server_side_tools_used"], &["num_sources_used"]]),
            ..Self::new(Dialect::OpenAi)
        }
    }

    fn read_anthropic(usage: Value<'_>) -> Self {
        let count = |path: &[&str]| count(usage, path);
        Self {
            input: count(&["input_tokens"]),
            cache_read: count(&["cache_read_input_tokens"]),
            cache_write: count(&["cache_creation_input_tokens"]),
            cache_write_short: count(&["cache_creation", "ephemeral_5m_input_tokens"]),
            cache_write_long: count(&["cache_creation", "ephemeral_1h_input_tokens"]),
            output: count(&["output_tokens"]),
            reasoning: count(&["output_tokens_details", "thinking_tokens"]),
            server_tool_uses: usage.get("server_tool_use").and_then(billed_calls),
            apart: usage.get("iterations").and_then(Apart::read),
            ..Self::new(Dialect::Anthropic)
        }
    }

    /// Whose way of counting the report follows.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether nothing has been reported.
    pub fn is_empty(&self) -> bool {
        *self == Self::new(self.dialect)
    }

    /// Takes in a later report of the same call, wherever it stands, after the terminal event too.
    /// Counts are cumulative, so field by field the later one wins and nothing is added up. The sum
    /// belongs to the counts beside it: an earlier one says nothing of later counts.
    pub fn update(&mut self, later: Self) {
        let total = match (later.input, later.output) {
            (None, None) => later.total.or(self.total),
            _ => later.total,
        };
        *self = Self {
            dialect: self.dialect,
            input: later.input.or(self.input),
            cache_read: later.cache_read.or(self.cache_read),
            cache_write: later.cache_write.or(self.cache_write),
            cache_write_short: later.cache_write_short.or(self.cache_write_short),
            cache_write_long: later.cache_write_long.or(self.cache_write_long),
            output: later.output.or(self.output),
            reasoning: later.reasoning.or(self.reasoning),
            audio_input: later.audio_input.or(self.audio_input),
            audio_output: later.audio_output.or(self.audio_output),
            total,
            server_tool_uses: later.server_tool_uses.or(self.server_tool_uses),
            apart: later.apart.or(self.apart),
        };
    }

    /// The normal form; none while neither input nor output was reported.
    ///
    /// Parts of a prompt that are larger than the prompt are cut to it, reads before long writes
    /// before short ones, so that each token of it is counted once.
    pub fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let input = self.input.unwrap_or(0);
        let reported_read = self.cache_read.unwrap_or(0);
        let (short, long) = self.cache_writes();
        let (fresh_input, cache_read, short_write, long_write) = match self.dialect {
            Dialect::Anthropic => (input, reported_read, short, long),
            Dialect::OpenAi => {
                let mut left = input;
                let mut take = |part: u64| {
                    let taken = part.min(left);
                    left -= taken;
                    taken
                };
                let (read, long, short) = (take(reported_read), take(long), take(short));
                (left, read, short, long)
            }
        };
        let output = self.whole_output();
        let apart = self.apart.unwrap_or_default();
        Some(Usage {
            fresh_input: fresh_input.saturating_add(apart.input),
            cache_read: cache_read.saturating_add(apart.cache_read),
            cache_write_5m: short_write.saturating_add(apart.cache_write_short),
            cache_write_1h: long_write.saturating_add(apart.cache_write_long),
            output: output.saturating_add(apart.output),
            reasoning: self.reasoning.unwrap_or(0).min(output),
            audio_input: self.audio_input.unwrap_or(0).min(input),
            audio_output: self.audio_output.unwrap_or(0).min(output),
            server_tool_uses: self.server_tool_uses.unwrap_or(0),
        })
    }

    /// Short-term and long-term writes. The split may be older than the sum or absent; what it
    /// leaves over has the term that the split names alone, else the short one, the default.
    fn cache_writes(&self) -> (u64, u64) {
        let short = self.cache_write_short.unwrap_or(0);
        let long = self.cache_write_long.unwrap_or(0);
        let split = short.saturating_add(long);
        let rest = self.cache_write.unwrap_or(split).saturating_sub(split);
        if short == 0 && long > 0 {
            (0, long + rest)
        } else {
            (short + rest, long)
        }
    }

    /// Output with reasoning. Some OpenAI-compatible providers (xAI, Gemini) leave reasoning out of
    /// the completion and count it in the total alone. Without a total, reasoning that is more than
    /// the completion cannot be a part of it.
    fn whole_output(&self) -> u64 {
        let output = self.output.unwrap_or(0);
        match (self.dialect, self.input, self.total) {
            (Dialect::OpenAi, Some(input), Some(total)) if self.output.is_some() => {
                output.max(total.saturating_sub(input))
            }
            (Dialect::OpenAi, _, None) => match self.reasoning {
                Some(reasoning) if reasoning > output => output.saturating_add(reasoning),
                _ => output,
            },
            _ => output,
        }
    }
}

fn count(value: Value<'_>, path: &[&str]) -> Option<u64> {
    path.iter()
        .try_fold(value, |value, key| value.get(key))?
        .as_u64()
}

/// The sum of the calls that cost something; none when nothing is told. A tool that this version does
/// not know counts.
fn billed_calls(object: Value<'_>) -> Option<u64> {
    object
        .as_object()?
        .filter(|(name, _)| name != "web_fetch_requests")
        .filter_map(|(_, value)| value.as_u64())
        .reduce(u64::saturating_add)
}

impl Apart {
    /// Sums the entries that the top-level counts leave out; none when there are none.
    fn read(iterations: Value<'_>) -> Option<Self> {
        iterations
            .as_array()?
            .filter(|entry| {
                let kind = entry.get("type").and_then(|kind| kind.as_str());
                matches!(kind.as_deref(), Some("compaction" | "advisor_message"))
            })
            .map(|entry| {
                let report = UsageReport::read(Dialect::Anthropic, entry);
                let (cache_write_short, cache_write_long) = report.cache_writes();
                Self {
                    input: report.input.unwrap_or(0),
                    cache_read: report.cache_read.unwrap_or(0),
                    cache_write_short,
                    cache_write_long,
                    output: report.output.unwrap_or(0),
                }
            })
            .reduce(|sum, entry| Self {
                input: sum.input.saturating_add(entry.input),
                cache_read: sum.cache_read.saturating_add(entry.cache_read),
                cache_write_short: sum
                    .cache_write_short
                    .saturating_add(entry.cache_write_short),
                cache_write_long: sum.cache_write_long.saturating_add(entry.cache_write_long),
                output: sum.output.saturating_add(entry.output),
            })
    }
}

#[cfg(test)]
mod tests;
