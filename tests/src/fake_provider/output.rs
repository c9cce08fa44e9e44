//! What the model produced for one request, and how much of it the provider reports. See [`Output`].

use serde_json::Value;

use super::{Answer, Thinking, ToolCall, UsageShape};

/// Said when the script gives neither a text nor a count; has characters of one to four bytes.
const DEFAULT_TEXT: &str = "The fox naïvely said “hello” to 狐 and 🦊, then slept.";
/// Repeated to make a text of a given number of tokens.
const WORDS: [&str; 8] = [
    "the ", "quick ", "brown ", "fox ", "jumps ", "over ", "lazy ", "dogs ",
];
/// Prompt tokens that are neither read from nor written to a provider's cache, unless the script says otherwise.
const DEFAULT_INPUT: u64 = 25;
/// Where requests say how many output tokens they allow; the first that is there counts.
const LIMITS: [&str; 3] = ["max_completion_tokens", "max_output_tokens", "max_tokens"];

/// An answer as far as the request's limit let the model go: reasoning first, then the text, then the tool calls.
#[derive(Debug)]
pub(super) struct Output {
    /// The text, token by token.
    pub(super) said: Vec<String>,
    pub(super) thinking: Option<Thinking>,
    /// A token each.
    pub(super) tool_calls: Vec<ToolCall>,
    /// True when the request's limit ended the answer.
    pub(super) is_cut_short: bool,
    pub(super) shape: UsageShape,
    /// What was used, whatever is reported of it.
    pub(super) produced: Counts,
}

/// [`Usage`](super::Usage) with the defaults filled in, in tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cached: u64,
    pub(super) write_5m: u64,
    pub(super) write_1h: u64,
    pub(super) reasoning: u64,
    pub(super) audio_input: u64,
    pub(super) audio_output: u64,
}

impl Output {
    /// What a model that would say `answer` says to the request `asked`.
    pub(super) fn new(asked: &Value, answer: &Answer) -> Self {
        let limit = LIMITS.iter().find_map(|name| asked[*name].as_u64());
        let limit = limit.unwrap_or(u64::MAX);
        let usage = &answer.usage;
        let mut said = words(answer);
        let mut tool_calls = answer.tool_calls.clone();
        let reasoning = usage.reasoning.min(limit);
        let whole = usage.reasoning + count(&said) + count(&tool_calls);
        let mut left = usize::try_from(limit - reasoning).unwrap_or(usize::MAX);
        said.truncate(left);
        left -= said.len();
        tool_calls.truncate(left);
        let output = usage.output.unwrap_or(whole);
        Self {
            said,
            thinking: answer.thinking.clone(),
            tool_calls,
            is_cut_short: whole.max(output) > limit,
            shape: usage.shape,
            produced: Counts {
                input: usage.input.unwrap_or(DEFAULT_INPUT),
                output: output.min(limit),
                cached: usage.cached,
                write_5m: usage.write_5m,
                write_1h: usage.write_1h,
                reasoning,
                audio_input: usage.audio_input,
                audio_output: usage.audio_output,
            },
        }
    }

    /// What the provider reports.
    pub(super) fn counts(&self) -> Counts {
        match self.shape {
            UsageShape::Zero => Counts::default(),
            _ => self.produced,
        }
    }
}

impl Counts {
    /// The prompt as OpenAI counts it: cached and audio tokens included.
    pub(super) fn whole_input(&self) -> u64 {
        self.input + self.cached + self.audio_input
    }
}

fn words(answer: &Answer) -> Vec<String> {
    if let Some(count) = answer.tokens {
        let words = WORDS.iter().cycle().take(count);
        return words.map(ToString::to_string).collect();
    }
    let text = match (answer.text.as_str(), answer.tool_calls.is_empty()) {
        ("", true) => DEFAULT_TEXT,
        (text, _) => text,
    };
    text.split_inclusive(' ').map(Into::into).collect()
}

fn count<T>(items: &[T]) -> u64 {
    items.len() as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Usage;

    fn output(
        asked: &Value,
        reasoning: u64,
        output: Option<u64>,
    ) -> (usize, usize, u64, u64, bool) {
        let answer = Answer {
            tokens: Some(3),
            tool_calls: vec![ToolCall {
                name: "t".into(),
                arguments: json!({}),
            }],
            usage: Usage {
                output,
                reasoning,
                ..Usage::default()
            },
            ..Answer::default()
        };
        let made = Output::new(asked, &answer);
        let counts = made.produced;
        (
            made.said.len(),
            made.tool_calls.len(),
            counts.reasoning,
            counts.output,
            made.is_cut_short,
        )
    }

    #[test]
    fn a_limit_cuts_the_calls_then_the_text_then_the_reasoning() {
        assert_eq!(output(&json!({}), 4, None), (3, 1, 4, 8, false));
        for (limit, expected) in [
            (8, (3, 1, 4, 8, false)),
            (7, (3, 0, 4, 7, true)),
            (5, (1, 0, 4, 5, true)),
            (2, (0, 0, 2, 2, true)),
            (0, (0, 0, 0, 0, true)),
        ] {
            for name in LIMITS {
                assert_eq!(output(&json!({ name: limit }), 4, None), expected, "{name}");
            }
        }
    }

    #[test]
    fn a_limit_holds_for_counts_that_the_script_gives() {
        assert_eq!(
            output(&json!({ "max_tokens": 50 }), 0, Some(900)),
            (3, 1, 0, 50, true)
        );
    }
}
