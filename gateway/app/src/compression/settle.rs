//! New results are decided about, for good.

use std::{collections::HashMap, sync::Arc};

use skinflint_compressor::ChainHash;
use skinflint_decisions::Record;
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    Compression, Done, Terms,
    conversation::{Candidate, original_key},
    decide::{Cut, Made, Served, Work},
};
use crate::trials::{Technique, Trial};

/// What is tried by asking a call both ways.
#[derive(Debug, Clone, Copy)]
struct Otherwise {
    technique: Technique,
    served: Served,
}

impl Compression {
    /// Decides about new blocks, for good.
    pub(super) async fn decide(
        &self,
        terms: Terms<'_>,
        work: Work,
        new: &[Candidate],
        done: &mut Done,
    ) {
        if !work.encoding.is_ready() {
            // Once in the life of the process, and not out of this call's allowance.
            let loading = work.encoding.clone();
            let _loaded = spawn_blocking(move || loading.load()).await;
        }
        // Too late, or fallen over: the blocks are sent as they came, now and in every later turn.
        let mut made = match timeout(self.allowance, spawn_blocking(move || work.run())).await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => {
                tracing::error!(%error, "compressing panicked; the call goes on as it came");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        self.shorten_prose(terms, &mut made).await;
        let served = Served {
            words: self.serves(terms.trial, Technique::Words),
            omission: self.serves(terms.trial, Technique::Omission),
            tables: self.serves(terms.trial, Technique::Tables),
        };
        // One thing is tried at a time.
        let is_free = done.otherwise.is_none();
        let otherwise = terms.trial.filter(|trial| trial.is_audited && is_free);
        let otherwise = otherwise.and_then(|_| Otherwise::of(&made, served));
        let cuts = |served: Served| served.omission || served.words;
        let may_omit = cuts(served) || otherwise.is_some_and(|other| cuts(other.served));
        let made = self.keep_originals(terms, made, may_omit).await;
        let record = |served: Served, key: &ChainHash| {
            made.get(key)
                .and_then(|made| made.served(served))
                .map_or(Record::Keep, |rewrite| {
                    Record::Replace(Arc::new(rewrite.clone()))
                })
        };
        let tried = otherwise.map(|Otherwise { technique, served }| {
            let mut edits = done.edits.clone();
            for candidate in new {
                if let Record::Replace(rewrite) = record(served, &candidate.key) {
                    edits.replace(candidate.literal.clone(), rewrite.literal());
                }
            }
            (technique, edits)
        });
        let records = new.iter();
        let records = records.map(|candidate| (candidate.key, record(served, &candidate.key)));
        let settled = self.store.settle_all(records.collect()).await;
        for (candidate, record) in new.iter().zip(settled) {
            if let Record::Replace(rewrite) = record {
                done.replace(candidate, &rewrite);
                done.replace_otherwise(candidate, Some(&rewrite));
            }
        }
        if tried.is_some() {
            done.otherwise = tried;
        }
    }

    /// Leaves words out of prose, where that may be done and a model is there, all at the same time.
    async fn shorten_prose(&self, terms: Terms<'_>, made: &mut [Made]) {
        let (Some(prose), Some(policy)) = (&self.prose, terms.prose) else {
            return;
        };
        let shorten = made.iter_mut().filter_map(|made| {
            let found = made.prose.take()?;
            Some(async move {
                if let Some(short) = prose.shorten(&found.text, &found.question, policy).await {
                    made.shorten(&found.text, &short);
                }
            })
        });
        futures_util::future::join_all(shorten).await;
    }

    pub(super) fn serves(&self, trial: Option<&Trial>, technique: Technique) -> bool {
        trial.is_none_or(|trial| self.trials.serves(technique, trial))
    }

    /// Keeps whole texts before anything is sent that refers to them. What cannot be kept is not cut.
    async fn keep_originals(
        &self,
        terms: Terms<'_>,
        made: Vec<Made>,
        may_omit: bool,
    ) -> HashMap<ChainHash, Made> {
        let key = |cut: &Cut| original_key(terms.tenant, terms.task, cut.handle);
        let originals = made.iter().filter_map(Made::cut).filter(|_| may_omit);
        let originals: Vec<_> = originals
            .map(|cut| (key(cut), Record::Original(cut.whole.clone())))
            .collect();
        let mut kept = HashMap::new();
        if !originals.is_empty() {
            let settled = self.store.settle_all(originals.clone()).await;
            kept.extend(originals.into_iter().map(|(key, _)| key).zip(settled));
        }
        let made = made.into_iter().map(|mut made| {
            let is_kept = |cut: &Cut| matches!(kept.get(&key(cut)), Some(Record::Original(_)));
            if !made.cut().is_some_and(is_kept) {
                made.leave_whole();
            }
            (made.key, made)
        });
        made.collect()
    }
}

impl Otherwise {
    /// The first of the techniques that makes a difference to this call.
    fn of(made: &[Made], served: Served) -> Option<Self> {
        let cuts = || made.iter().filter_map(Made::cut);
        if cuts().any(|cut| !cut.is_of_words()) {
            return Some(Self {
                technique: Technique::Omission,
                served: Served {
                    omission: !served.omission,
                    ..served
                },
            });
        }
        if cuts().any(Cut::is_of_words) {
            return Some(Self {
                technique: Technique::Words,
                served: Served {
                    words: !served.words,
                    ..served
                },
            });
        }
        made.iter().any(Made::has_tables).then_some(Self {
            technique: Technique::Tables,
            served: Served {
                tables: !served.tables,
                ..served
            },
        })
    }
}
