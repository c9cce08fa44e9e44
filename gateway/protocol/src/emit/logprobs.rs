//! Log-probabilities as OpenAI's protocols write them.

use std::fmt::Write as _;

use serde::Serialize;

/// A token of an answer, and what it stood against.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprob {
    /// The token's own bytes, which need not be whole characters.
    pub bytes: Vec<u8>,
    /// Its natural log-probability.
    pub logprob: f32,
    /// The likeliest tokens in its place, likeliest first, with their log-probabilities.
    pub top: Vec<(Vec<u8>, f32)>,
}

/// What stands for a token that cannot come: JSON knows no infinity, and OpenAI writes this.
const NEVER: f32 = -9999.0;

/// A token on its way out.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    #[serde(flatten)]
    token: Candidate,
    top_logprobs: Vec<Candidate>,
}

#[derive(Debug, Clone, Serialize)]
struct Candidate {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
}

impl Candidate {
    fn new(bytes: &[u8], logprob: f32) -> Self {
        Self {
            token: spell(bytes),
            // The larger of two where one is no number is the other.
            logprob: logprob.max(NEVER),
            bytes: bytes.to_vec(),
        }
    }
}

/// The tokens as they are written.
pub(super) fn entries(tokens: &[TokenLogprob]) -> Vec<Entry> {
    tokens
        .iter()
        .map(|token| Entry {
            token: Candidate::new(&token.bytes, token.logprob),
            top_logprobs: token
                .top
                .iter()
                .map(|(bytes, logprob)| Candidate::new(bytes, *logprob))
                .collect(),
        })
        .collect()
}

/// The text of a token; one that is part of a character is spelled by its bytes, as `\xf0\x9f`.
fn spell(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "\\x{byte:02x}");
        text
    })
}
