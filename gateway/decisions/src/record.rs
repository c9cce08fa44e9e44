//! What is remembered of conversations: [`Record`].

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use skinflint_protocol::{Aside, json::literal};

/// Something that was decided about a conversation, or that a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A block is sent as it came.
    Keep,
    /// This stands in a block's place.
    Replace(Arc<Rewrite>),
    /// Whether the conversation is offered the gateway's tool.
    Offer(bool),
    /// A whole text of which only a part is sent.
    Original(Arc<str>),
    /// What the client has not seen of an answer.
    Aside(Arc<Aside>),
}

/// What stands in a block's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// The text, without the escapes of JSON.
    pub text: String,
    /// What made it, such as `jton`.
    pub stages: Vec<String>,
    /// What was changed for good on the way, such as `trailing_space`.
    pub normalised: Vec<String>,
    /// How much was left out, such as `412 of 500 rows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<String>,
    /// Tokens that the block had.
    pub tokens_before: u64,
    /// Tokens that it has.
    pub tokens_after: u64,
    /// What wrote it: changes with the rules, and is no part of the key.
    pub version: u32,
    /// The text as a JSON string, once it was asked for.
    #[serde(skip)]
    pub literal: Literal,
}

/// A text as a JSON string literal, written once for all turns that send it. Says nothing of its own: all are equal.
#[derive(Debug, Clone, Default)]
pub struct Literal(OnceLock<Bytes>);

impl PartialEq for Literal {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Literal {}

impl Rewrite {
    /// The text as a JSON string, quotes included.
    pub fn literal(&self) -> Bytes {
        let write = || Bytes::from(literal(&self.text));
        self.literal.0.get_or_init(write).clone()
    }
}

/// Key, places in lists and counters of an entry, beside its text.
const ENTRY_BYTES: usize = 256;

impl Record {
    /// What it takes up.
    pub(crate) fn bytes(&self) -> usize {
        ENTRY_BYTES
            + match self {
                Self::Keep | Self::Offer(_) => 0,
                // Its literal is about as long.
                Self::Replace(rewrite) => 2 * rewrite.text.len(),
                Self::Original(text) => text.len(),
                Self::Aside(aside) => aside.bytes(),
            }
    }
}
