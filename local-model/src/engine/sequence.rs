//! A call that runs: [`Sequence`].

use tokio::time::Instant;

use super::answer::Answer;
use super::job::{Job, Work};
use super::queue::Place;
use super::score::Prefix;
use crate::error::EngineFault;
use crate::model::kv::KvCache;
use crate::model::{Chunk, Rows};
use crate::tokenizer::TokenId;

/// Tokens of a text to score that are read in one step: all their hidden states are kept until the
/// step's logits are done, and each costs as much again for the head as for the layers.
const SCORE_CHUNK: usize = 256;

/// Tokens that are read chunk by chunk, and what is made of them.
pub(super) struct Sequence {
    /// What was read before them, all but its last token, which is the first of them.
    before: Vec<TokenId>,
    /// Those that were given, then those that were generated.
    pub(super) tokens: Vec<TokenId>,
    given: usize,
    /// How many the model has read.
    read: usize,
    pub(super) work: Work,
    deadline: Option<Instant>,
    // Declared before the place, so that the memory is free when the place is.
    cache: KvCache,
    place: Place,
}

/// How much of a sequence is there to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    /// The most tokens that one step may read.
    pub(super) tokens: usize,
    /// Whether they were generated: the client waits for each.
    pub(super) is_decoding: bool,
}

/// Who gets what comes out of a step.
pub(super) enum Reader<'a> {
    /// Nobody: there is more of the prompt to come.
    Nobody,
    /// The answer, and the tokens to which its next is added.
    Next(&'a mut Answer, &'a mut Vec<TokenId>),
    /// Tokens, and where their log-probabilities belong.
    Scores(&'a [TokenId], &'a mut [f32]),
}

impl Sequence {
    /// A call of a model whose empty caches `cache` makes.
    pub(super) fn new(job: Job, place: Place, cache: impl FnOnce() -> KvCache) -> Self {
        let (mut before, tokens, cache) = match job.before {
            None => (Vec::new(), job.tokens, cache()),
            Some(prefix) => {
                // What the prefix held is part of the place from now on.
                let (before, cache, _held) = prefix.into_parts();
                (before, job.tokens, cache)
            }
        };
        let last = before.pop();
        let cache = if job.work.keeps_all() {
            cache.keeping_all()
        } else {
            cache
        };
        let tokens: Vec<TokenId> = last.into_iter().chain(tokens).collect();
        Self {
            before,
            given: tokens.len(),
            tokens,
            read: 0,
            work: job.work,
            deadline: job.deadline,
            cache,
            place,
        }
    }

    /// Whether the answer is of no use any more.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    pub(super) fn pending(&self) -> Pending {
        let unread = self.tokens.len() - self.read;
        Pending {
            tokens: match self.work {
                Work::Generate(_) => unread,
                // Nothing follows the last token, so what the model makes of it is not asked.
                Work::Score(_) => (unread - 1).min(SCORE_CHUNK),
            },
            is_decoding: self.read >= self.given,
        }
    }

    /// The next `count` tokens, at most those that are pending.
    pub(super) fn chunk(&mut self, count: usize) -> Chunk<'_> {
        let end = self.read + count;
        Chunk {
            tokens: &self.tokens[self.read..end],
            cache: &mut self.cache,
            rows: match self.work {
                Work::Generate(_) if end == self.tokens.len() => Rows::Last,
                Work::Generate(_) => Rows::None,
                Work::Score(_) => Rows::All,
            },
        }
    }

    /// Counts the chunk as read, and tells who gets its hidden states.
    pub(super) fn after_chunk(&mut self, count: usize) -> Reader<'_> {
        let from = self.read;
        self.read += count;
        match &mut self.work {
            Work::Generate(_) if self.read < self.tokens.len() => Reader::Nobody,
            Work::Generate(answer) => Reader::Next(answer, &mut self.tokens),
            Work::Score(scoring) => {
                let targets = &self.tokens[from + 1..=self.read];
                Reader::Scores(targets, scoring.next_slots(count))
            }
        }
    }

    /// Frees memory and place, then says the last word.
    pub(super) fn end(self, fault: Option<EngineFault>) {
        let Self {
            mut before,
            tokens,
            work,
            cache,
            place,
            ..
        } = self;
        match work {
            Work::Score(scoring) if scoring.keep && fault.is_none() => {
                before.extend(tokens);
                scoring.end(Some(Prefix::new(before, cache, place.hold())));
            }
            work => {
                drop(cache);
                drop(place);
                work.end(fault);
            }
        }
    }
}
