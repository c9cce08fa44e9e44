//! New tool results leave smaller than they came; what has been sent once stays as it was sent. See [`Compression`].

mod conversation;

use std::{collections::HashMap, sync::Arc, time::Duration};

use skinflint_compressor::{Origin, compress_safely, jton::Notation};
use skinflint_decisions::{Decision, DecisionStore, Rewrite};
use skinflint_policies::CompressMode;
use skinflint_protocol::{EditList, Endpoint, RequestView, ToolResults};
use skinflint_tokens::{Counter, Encoding};
use tokio::{task::spawn_blocking, time::timeout};

use self::conversation::{Candidate, Conversation};
use crate::{call::ModelCall, receipt};

/// Compresses what calls bring, once; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Compression {
    store: DecisionStore,
    counter: Counter,
    allowance: Duration,
}

/// A block that is decided about for the first time.
#[derive(Debug)]
struct Job {
    candidate: Candidate,
    text: String,
    origin: Origin,
}

/// What was done to a request.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Where.
    pub edits: EditList,
    blocks: u64,
    tokens_before: u64,
    tokens_after: u64,
    stages: Vec<String>,
    normalised: Vec<String>,
}

/// Longer than this the client does not wait for a smaller request. At some 5 MB/s, most of which is counting
/// tokens, a new block of 2 MB is done in that time.
const ALLOWANCE: Duration = Duration::from_millis(500);
/// Texts too short to gain anything by.
const SHORTEST: usize = 64;
/// Changes whenever the same text would be made into something else; recorded with each decision.
const VERSION: u32 = 1;

// === impl Compression ===

impl Compression {
    /// Remembers its decisions there.
    pub(crate) fn new(store: DecisionStore) -> Self {
        Self {
            store,
            // Texts are counted by themselves, and not remembered.
            counter: Counter::new(0),
            allowance: ALLOWANCE,
        }
    }

    /// For what is no call, and has time.
    pub(crate) fn without_hurry(self) -> Self {
        Self {
            allowance: Duration::MAX,
            ..self
        }
    }

    /// The call with new tool results made smaller, and earlier ones as they were sent. Whatever goes wrong, the call
    /// goes on as it came.
    pub(crate) async fn apply(&self, mode: CompressMode, call: ModelCall) -> ModelCall {
        if !has_conversation(call.endpoint) {
            return call;
        }
        let tenant = call.call.caller.tenant.id.as_str();
        let done = self
            .compress(mode, tenant, &call.view, &call.call.body)
            .await;
        done.put_into(call)
    }

    /// What to change in a request: with [`CompressMode::Off`], what was changed when it was first sent.
    pub(crate) async fn compress(
        &self,
        mode: CompressMode,
        tenant: &str,
        view: &RequestView,
        body: &[u8],
    ) -> Done {
        let conversation = Conversation::read(tenant, view, body);
        let mut decided = Vec::with_capacity(conversation.results.len());
        let mut new = Vec::new();
        for candidate in conversation.results {
            match self.store.find(&candidate.key) {
                Some(decision) => decided.push((candidate, decision)),
                // What is not known and not new was sent as it came.
                // Counting sends nothing.
                None if candidate.is_new
                    && mode != CompressMode::Off
                    && view.endpoint != Endpoint::CountTokens =>
                {
                    new.push(candidate);
                }
                None => {}
            }
        }
        if !new.is_empty() {
            let explained = explained(&decided);
            decided.extend(self.decide(view, body, new, explained).await);
        }
        Done::of(&decided)
    }

    /// Decides about new blocks, for good.
    async fn decide(
        &self,
        view: &RequestView,
        body: &[u8],
        new: Vec<Candidate>,
        mut explained: Notation,
    ) -> Vec<(Candidate, Decision)> {
        let jobs = jobs(view, body, &new);
        let counter = self.counter.clone();
        let encoding = encoding(&view.model.value);
        if !encoding.is_ready() {
            // Once in the life of the process, and not out of this call's allowance.
            let loading = encoding.clone();
            let _loaded = spawn_blocking(move || loading.load()).await;
        }
        let work = spawn_blocking(move || {
            let tokens = |text: &str| {
                let count = counter.text(&encoding, text);
                usize::try_from(count.tokens).unwrap_or(usize::MAX)
            };
            jobs.into_iter()
                .filter_map(|job| {
                    let rewrite = rewrite(&job, explained, &tokens)?;
                    explained = explained.and(explained_by(&rewrite));
                    Some((job.candidate.key, rewrite))
                })
                .collect::<Vec<_>>()
        });
        // Too late, or fallen over: the blocks are sent as they came, now and in every later turn.
        let rewrites = match timeout(self.allowance, work).await {
            Ok(Ok(rewrites)) => rewrites,
            Ok(Err(error)) => {
                tracing::error!(%error, "compressing panicked; the call goes on as it came");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        let mut rewrites: HashMap<_, _> = rewrites.into_iter().collect();
        new.into_iter()
            .map(|candidate| {
                let decision = rewrites
                    .remove(&candidate.key)
                    .map_or(Decision::Keep, |rewrite| {
                        Decision::Replace(Arc::new(rewrite))
                    });
                let settled = self.store.settle(candidate.key, decision);
                (candidate, settled)
            })
            .collect()
    }
}

/// Whether the endpoint takes results of tools.
fn has_conversation(endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::ChatCompletions
        | Endpoint::Responses
        | Endpoint::Messages
        | Endpoint::CountTokens => true,
        Endpoint::Embeddings => false,
    }
}

/// How the tokens are counted by which texts are compared: exactly where the vocabulary is known, else by OpenAI's.
fn encoding(model: &str) -> Encoding {
    match Encoding::of(None, model) {
        Encoding::Cl100k => Encoding::Cl100k,
        _ => Encoding::O200k,
    }
}

/// The new blocks that may be rewritten, with their texts.
fn jobs(view: &RequestView, body: &[u8], new: &[Candidate]) -> Vec<Job> {
    let results = ToolResults::of_view(view, body);
    new.iter()
        .filter(|candidate| candidate.literal.len() >= SHORTEST)
        .filter_map(|candidate| {
            let block = view.blocks.get(candidate.block)?;
            let origin = results.call(block).map_or(Origin::Other, |call| {
                Origin::of_call(&call.name, &call.arguments)
            });
            // A lone surrogate is no text.
            let text = serde_json::from_slice(body.get(candidate.literal.clone())?).ok()?;
            Some(Job {
                candidate: candidate.clone(),
                text,
                origin,
            })
        })
        .collect()
}

/// What earlier blocks have told the model.
fn explained(decided: &[(Candidate, Decision)]) -> Notation {
    decided.iter().fold(
        Notation::default(),
        |explained, (_, decision)| match decision {
            Decision::Keep => explained,
            Decision::Replace(rewrite) => explained.and(explained_by(rewrite)),
        },
    )
}

fn explained_by(rewrite: &Rewrite) -> Notation {
    Notation::split(&rewrite.text).map_or_else(Notation::default, |(notation, _)| notation)
}

fn rewrite(job: &Job, explained: Notation, tokens: &dyn Fn(&str) -> usize) -> Option<Rewrite> {
    let made = compress_safely(&job.text, job.origin, explained, tokens)?;
    Some(Rewrite {
        stages: made.stages.iter().map(ToString::to_string).collect(),
        normalised: made
            .normalised
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect(),
        tokens_before: made.tokens_before as u64,
        tokens_after: made.tokens_after as u64,
        text: made.text,
        version: VERSION,
    })
}

/// Each name once.
fn add_names(names: &mut Vec<String>, new: &[String]) {
    for name in new {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
}

// === impl Done ===

impl Done {
    fn of(decided: &[(Candidate, Decision)]) -> Self {
        let mut done = Self::default();
        for (candidate, decision) in decided {
            let Decision::Replace(rewrite) = decision else {
                continue;
            };
            done.edits
                .replace_with_text(candidate.literal.clone(), &rewrite.text);
            done.blocks += 1;
            done.tokens_before += rewrite.tokens_before;
            done.tokens_after += rewrite.tokens_after;
            add_names(&mut done.stages, &rewrite.stages);
            add_names(&mut done.normalised, &rewrite.normalised);
        }
        done
    }

    fn put_into(self, mut call: ModelCall) -> ModelCall {
        if self.edits.is_empty() {
            return call;
        }
        let body = match self.edits.apply(&call.call.body) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, "a compressed request cannot be put together; it goes on as it came");
                return call;
            }
        };
        call.view = Arc::new(call.view.shifted(&self.edits.shift()));
        call.call.body = body;
        call.call.receipt.decide(receipt::Decision::Compressed {
            blocks: self.blocks,
            tokens_before: self.tokens_before,
            tokens_after: self.tokens_after,
            stages: self.stages.join(" + "),
            normalised: self.normalised.join(" + "),
        });
        call
    }
}

#[cfg(test)]
mod tests;
