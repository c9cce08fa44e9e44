//! What callers want done: [`Job`].

use tokio::time::Instant;

use super::answer::Answer;
use super::fair::Tenant;
use super::score::{Prefix, Scoring};
use crate::error::EngineFault;
use crate::tokenizer::TokenId;

/// Tokens to read, and what for.
#[derive(Debug)]
pub(super) struct Job {
    /// At least one.
    pub(super) tokens: Vec<TokenId>,
    /// What was read before them, if there was something.
    pub(super) before: Option<Prefix>,
    /// How many may be generated after them.
    pub(super) max_tokens: u32,
    /// The most that the keys and values of all of these take.
    pub(super) cache_bytes: usize,
    pub(super) tenant: Tenant,
    pub(super) deadline: Option<Instant>,
    pub(super) work: Work,
}

/// What tokens are read for.
#[derive(Debug)]
pub(super) enum Work {
    /// To go on with them.
    Generate(Box<Answer>),
    /// To tell how likely each was.
    Score(Scoring),
}

impl Job {
    /// The most tokens that the model reads for it.
    pub(super) fn cost(&self) -> u64 {
        self.tokens.len() as u64 + u64::from(self.max_tokens)
    }

    /// Whether the answer is of no use any more.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl Work {
    /// Whether nobody waits for the result any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Generate(answer) => answer.is_abandoned(),
            Self::Score(scoring) => scoring.is_abandoned(),
        }
    }

    /// Whether all that is read must stay in the cache.
    pub(super) fn keeps_all(&self) -> bool {
        matches!(self, Self::Score(scoring) if scoring.keep)
    }

    /// Whether there is nothing left to do.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Generate(answer) => answer.outcome.is_some(),
            Self::Score(scoring) => scoring.is_complete(),
        }
    }

    /// Why the work failed by itself, if it did.
    pub(super) fn fault(&self) -> Option<EngineFault> {
        match self {
            Self::Generate(answer) => answer.outcome.as_ref()?.as_ref().err().cloned(),
            Self::Score(_) => None,
        }
    }

    /// Says the last word: the result, or what was in its way.
    pub(super) fn end(self, fault: Option<EngineFault>) {
        match self {
            Self::Generate(answer) => answer.end(fault),
            Self::Score(scoring) => match fault {
                Some(fault) => scoring.fail(fault),
                None => scoring.end(None),
            },
        }
    }
}
