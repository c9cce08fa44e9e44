//! Decisions in memory: [`DecisionStore`].

use std::{fmt, sync::Arc};

use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use skinflint_compressor::ChainHash;
use tokio::sync::mpsc;

/// What becomes of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is sent as it came.
    Keep,
    /// This stands in its place.
    Replace(Arc<Rewrite>),
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
    /// Tokens that the block had.
    pub tokens_before: u64,
    /// Tokens that it has.
    pub tokens_after: u64,
    /// What wrote it: changes with the rules, and is no part of the key.
    pub version: u32,
}

/// Decisions by block; cheap to clone.
#[derive(Clone)]
pub struct DecisionStore {
    decisions: Cache<ChainHash, Decision>,
    file: Option<mpsc::Sender<Note>>,
}

/// What a file is told.
#[derive(Debug)]
pub(crate) enum Note {
    /// A decision.
    Settled(ChainHash, Decision),
    /// Nothing more comes.
    Closed,
}

/// Key, places in lists and counters of an entry, beside its text.
const ENTRY_BYTES: usize = 256;

impl DecisionStore {
    /// An empty store that forgets with the process, and before that what was not used for longest once it
    /// takes more than `limit_bytes`.
    pub fn in_memory(limit_bytes: u64) -> Self {
        Self {
            decisions: Cache::builder()
                .max_capacity(limit_bytes)
                .weigher(|_, decision: &Decision| {
                    u32::try_from(decision.bytes()).unwrap_or(u32::MAX)
                })
                .build(),
            file: None,
        }
    }

    /// A store with what is known already, which tells `file` what comes.
    pub(crate) fn with_file(
        limit_bytes: u64,
        known: Vec<(ChainHash, Decision)>,
        file: mpsc::Sender<Note>,
    ) -> Self {
        let mut store = Self::in_memory(limit_bytes);
        for (key, decision) in known {
            store.decisions.insert(key, decision);
        }
        store.file = Some(file);
        store
    }

    /// What was decided about a block.
    pub fn find(&self, key: &ChainHash) -> Option<Decision> {
        self.decisions.get(key)
    }

    /// Decides about a block, unless that has been done before; what holds from now on.
    pub fn settle(&self, key: ChainHash, decision: Decision) -> Decision {
        let entry = self.decisions.entry(key).or_insert(decision);
        if entry.is_fresh()
            && let Some(file) = &self.file
            && file
                .try_send(Note::Settled(key, entry.value().clone()))
                .is_err()
        {
            tracing::debug!("a decision about a block is not written down: the file is behind");
        }
        entry.into_value()
    }

    /// Has the file written to its end; what is decided later is not written down.
    pub async fn close(&self) {
        if let Some(file) = &self.file {
            // A file that is no longer written to is closed already.
            let _ = file.send(Note::Closed).await;
        }
    }
}

impl fmt::Debug for DecisionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionStore")
            .field("entries", &self.decisions.entry_count())
            .field("has_file", &self.file.is_some())
            .finish_non_exhaustive()
    }
}

impl Decision {
    /// What it takes up.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Keep => ENTRY_BYTES,
            Self::Replace(rewrite) => ENTRY_BYTES + rewrite.text.len(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn key(name: &str) -> ChainHash {
        ChainHash::start("acme").followed_by(&[name.as_bytes()])
    }

    pub(crate) fn replace(text: &str) -> Decision {
        Decision::Replace(Arc::new(Rewrite {
            text: text.to_owned(),
            stages: vec!["jton".to_owned()],
            normalised: Vec::new(),
            tokens_before: 9,
            tokens_after: 4,
            version: 1,
        }))
    }

    #[test]
    fn the_first_decision_wins() {
        let store = DecisionStore::in_memory(1 << 20);
        assert_eq!(store.find(&key("a")), None);
        assert_eq!(store.settle(key("a"), replace("x")), replace("x"));
        assert_eq!(store.settle(key("a"), replace("y")), replace("x"));
        assert_eq!(store.settle(key("a"), Decision::Keep), replace("x"));
        assert_eq!(store.settle(key("b"), Decision::Keep), Decision::Keep);
        assert_eq!(store.settle(key("b"), replace("y")), Decision::Keep);
        assert_eq!(store.find(&key("a")), Some(replace("x")));
    }

    #[test]
    fn what_it_takes_is_bounded() {
        let store = DecisionStore::in_memory(100 * 1024);
        let text = "x".repeat(1024);
        for number in 0..1000 {
            store.settle(key(&number.to_string()), replace(&text));
        }
        store.decisions.run_pending_tasks();
        assert!(store.decisions.weighted_size() <= 100 * 1024);
        assert!(store.decisions.entry_count() > 0);
    }
}
