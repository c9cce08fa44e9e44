//! The calls that are under way when the gateway dies: mixed, and each known from its id alone.

use bytes::Bytes;
use http::{HeaderValue, Request};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{Answer, BillLine, Load, Script, Usage};

/// Nano-dollars a token: what the harness's configuration says of models that no table knows, $1.00 and $2.00 a million.
const INPUT_NANO: u64 = 1_000;
const OUTPUT_NANO: u64 = 2_000;
/// The longest answer asked for, in tokens.
const MOST_OUTPUT: u64 = 200;
/// The longest answer given. No longer than what a stream's first lease pays for: what a provider has generated beyond a lease that was
/// never written down is an estimate, and this test is about what is exact.
const LONGEST: u64 = 150;
/// The longest prompt, in bytes.
const MOST_PROMPT: u64 = 1_200;
const PHRASE: &str = "the quick brown fox jumps over the lazy dog and ";

/// A call, which client and provider both make out of its id.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedCall {
    api: Api,
    stream: bool,
    prompt: u64,
    tokens: u64,
    token_delay_ms: u64,
    /// The provider has no room the first time.
    pub(super) declined_once: bool,
}

#[derive(Debug, Clone, Copy)]
enum Api {
    Chat,
    Messages,
    Responses,
}

/// The id of a call of a run: `c-SEED-INDEX`.
pub(super) fn id(seed: u64, index: usize) -> String {
    format!("c-{seed:x}-{index}")
}

impl PlannedCall {
    /// The call of an id.
    pub(super) fn of(id: &str) -> Self {
        let mut parts = id.split('-').skip(1);
        let seed = parts
            .next()
            .and_then(|seed| u64::from_str_radix(seed, 16).ok());
        let index = parts.next().and_then(|index| index.parse::<u64>().ok());
        let (Some(seed), Some(index)) = (seed, index) else {
            panic!("no id of a call: {id:?}");
        };
        let mut random = StdRng::seed_from_u64(seed.rotate_left(32) ^ index);
        Self {
            api: [Api::Chat, Api::Messages, Api::Responses][random.random_range(0..3)],
            stream: random.random(),
            prompt: random.random_range(40..MOST_PROMPT),
            tokens: random.random_range(1..=LONGEST),
            // A third of the calls takes its time.
            token_delay_ms: if random.random_range(0..3) == 0 {
                random.random_range(1..=3)
            } else {
                0
            },
            declined_once: random.random_range(0..25) == 0,
        }
    }

    /// What the client sends.
    pub(super) fn request(self, id: &str) -> Request<Bytes> {
        let prompt: String = PHRASE.chars().cycle().take(length(self.prompt)).collect();
        let messages = json!([{ "role": "user", "content": prompt }]);
        let (path, mut body) = match self.api {
            Api::Chat => (
                "/v1/chat/completions",
                json!({ "model": "gpt-fake-1", "max_tokens": MOST_OUTPUT, "messages": messages }),
            ),
            Api::Messages => (
                "/v1/messages",
                json!({ "model": "claude-fake-1", "max_tokens": MOST_OUTPUT, "messages": messages }),
            ),
            Api::Responses => (
                "/v1/responses",
                json!({ "model": "gpt-fake-1", "max_output_tokens": MOST_OUTPUT, "input": prompt }),
            ),
        };
        if self.stream {
            body["stream"] = Value::Bool(true);
        }
        let mut request = Load::post(path, body.to_string());
        let value = HeaderValue::from_str(id).expect("an id is a header's value");
        let headers = request.headers_mut();
        headers.insert("x-client-request-id", value.clone());
        headers.insert("x-skinflint-task", value);
        headers.insert("x-skinflint-agent", HeaderValue::from_static("main"));
        request
    }

    /// What the provider answers.
    pub(super) fn script(self) -> Script {
        let mut script = Script::answer(Answer {
            tokens: Some(length(self.tokens)),
            usage: Usage {
                // Fewer than bytes, as with every tokenizer.
                input: Some(self.prompt / 4),
                ..Usage::default()
            },
            ..Answer::default()
        });
        script.token_delay_ms = self.token_delay_ms;
        script
    }
}

/// What the provider charges for a line of its bill, in nano-dollars.
pub(super) fn price(line: &BillLine) -> i128 {
    let nano = line.input * INPUT_NANO + line.output * OUTPUT_NANO;
    i128::from(nano)
}

fn length(count: u64) -> usize {
    usize::try_from(count).expect("counts are small")
}
