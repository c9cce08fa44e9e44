//! Records in memory: [`DecisionStore`].

use std::fmt;

use moka::sync::Cache;
use skinflint_compressor::ChainHash;
use tokio::sync::mpsc;

use crate::{Record, SharedRecords};

/// What is remembered of conversations; cheap to clone.
#[derive(Clone)]
pub struct DecisionStore {
    records: Cache<ChainHash, Record>,
    file: Option<mpsc::Sender<Note>>,
    shared: Option<SharedRecords>,
}

/// What a file is told.
#[derive(Debug)]
pub(crate) enum Note {
    /// A record.
    Settled(ChainHash, Record),
    /// Nothing more comes.
    Closed,
}

impl DecisionStore {
    /// An empty store that forgets with the process, and before that what was not used for longest once it
    /// takes more than `limit_bytes`.
    pub fn in_memory(limit_bytes: u64) -> Self {
        Self {
            records: Cache::builder()
                .max_capacity(limit_bytes)
                .weigher(|_, record: &Record| u32::try_from(record.bytes()).unwrap_or(u32::MAX))
                .build(),
            file: None,
            shared: None,
        }
    }

    /// A store with what is known already, which tells `file` what comes.
    pub(crate) fn with_file(
        limit_bytes: u64,
        known: Vec<(ChainHash, Record)>,
        file: mpsc::Sender<Note>,
    ) -> Self {
        let mut store = Self::in_memory(limit_bytes);
        for (key, record) in known {
            store.records.insert(key, record);
        }
        store.file = Some(file);
        store
    }

    /// Shares what is remembered with other gateways.
    #[must_use]
    pub fn shared_through(mut self, shared: SharedRecords) -> Self {
        self.shared = Some(shared);
        self
    }

    /// What is known by a key.
    pub async fn find(&self, key: &ChainHash) -> Option<Record> {
        let mut found = self.find_all(std::slice::from_ref(key)).await;
        found.pop().flatten()
    }

    /// What is known by each key. Other gateways are asked once for all that this one does not know.
    pub async fn find_all(&self, keys: &[ChainHash]) -> Vec<Option<Record>> {
        let mut found: Vec<_> = keys.iter().map(|key| self.records.get(key)).collect();
        let Some(shared) = &self.shared else {
            return found;
        };
        let places: Vec<_> = (0..keys.len()).filter(|at| found[*at].is_none()).collect();
        if places.is_empty() {
            return found;
        }
        let missing: Vec<_> = places.iter().map(|at| keys[*at]).collect();
        match shared.find(&missing).await {
            Ok(theirs) => {
                for (at, record) in places.into_iter().zip(theirs) {
                    found[at] = record.map(|record| self.remember(keys[at], record));
                }
            }
            Err(error) => tracing::warn!(
                %error,
                "what other gateways have decided is not known: blocks are sent as they came"
            ),
        }
        found
    }

    /// Writes a record down, unless there is one by its key; what holds from now on.
    pub async fn settle(&self, key: ChainHash, record: Record) -> Record {
        let mut settled = self.settle_all(vec![(key, record)]).await;
        settled.pop().unwrap_or(Record::Keep)
    }

    /// Writes records down, each unless there is one by its key; what holds from now on, in the same order. Where other
    /// gateways cannot be told, nothing is decided but [`Record::Keep`], which all of them take what they do not know for.
    pub async fn settle_all(&self, records: Vec<(ChainHash, Record)>) -> Vec<Record> {
        let Some(shared) = &self.shared else {
            let settled = records.into_iter();
            return settled
                .map(|(key, record)| self.remember(key, record))
                .collect();
        };
        let settled = match shared.settle(&records).await {
            Ok(settled) => settled,
            Err(error) => {
                tracing::warn!(%error, "other gateways cannot be told of decisions: blocks are sent as they came");
                vec![None; records.len()]
            }
        };
        let settled = records.into_iter().zip(settled);
        settled
            .map(|((key, _), record)| match record {
                Some(record) => self.remember(key, record),
                None => Record::Keep,
            })
            .collect()
    }

    /// The first record by a key stays.
    fn remember(&self, key: ChainHash, record: Record) -> Record {
        let entry = self.records.entry(key).or_insert(record);
        if entry.is_fresh()
            && let Some(file) = &self.file
            && file
                .try_send(Note::Settled(key, entry.value().clone()))
                .is_err()
        {
            tracing::debug!("a decision is not written down: the file is behind");
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
            .field("entries", &self.records.entry_count())
            .field("has_file", &self.file.is_some())
            .field("is_shared", &self.shared.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
