//! New tool results leave smaller than they came; what has been sent once stays as it was sent. See [`Compression`].

mod conversation;
mod decide;
mod done;
mod elide;
mod fetch;
mod repeats;
mod settle;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use moka::sync::Cache;
use skinflint_compressor::{ChainHash, jton::Notation};
use skinflint_decisions::{DecisionStore, Record};
use skinflint_policies::{CompressMode, Prose as ProsePolicy};
use skinflint_protocol::{
    Aside, Endpoint, NamedAnswer, RequestView, may_offer, named_answers, offer,
};
use skinflint_tokens::{Counter, Encoding};
use tokio::time::Instant;

use self::{
    conversation::{Candidate, Conversation, aside_key},
    decide::{Work, explained_by},
    elide::{Elided, Past},
};
pub(crate) use self::{
    done::{Audit, Done},
    fetch::Offer,
    repeats::restore as restore_references,
};
use crate::{
    call::ModelCall,
    prose::Prose,
    trials::{Trial, Trials},
};

/// Compresses what calls bring, once; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Compression {
    store: DecisionStore,
    counter: Counter,
    allowance: Duration,
    trials: Trials,
    /// What leaves words out, if there are local models.
    prose: Option<Prose>,
    /// When conversations were last heard of.
    seen: Cache<ChainHash, Instant>,
}

/// Whose request it is, and what may be done to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// What may be done to new results.
    pub mode: CompressMode,
    /// Whose decisions hold.
    pub tenant: &'a str,
    /// Within what what is left out can be fetched.
    pub task: &'a str,
    /// On what evidence; none asks for none.
    pub trial: Option<&'a Trial>,
    /// How words of prose may be left out, if they may.
    pub prose: Option<&'a ProsePolicy>,
    /// Tokens that the model takes, if that is known.
    pub window: Option<u64>,
    /// Whether the client says that it has compacted its context.
    pub compacted: bool,
}

/// Longer than this the client does not wait for a smaller request. A new block of 2 MB is done in that time.
const ALLOWANCE: Duration = Duration::from_millis(500);
/// How many conversations are remembered by when they were last heard of.
const CONVERSATIONS: u64 = 100_000;

// === impl Compression ===

impl Compression {
    /// Remembers its decisions there, and goes by what was found.
    pub(crate) fn new(store: DecisionStore, trials: Trials) -> Self {
        Self {
            store,
            trials,
            prose: None,
            // Texts are counted by themselves, and not remembered.
            counter: Counter::new(0),
            allowance: ALLOWANCE,
            seen: Cache::new(CONVERSATIONS),
        }
    }

    /// Leaves words out of prose by this, where that may be done.
    pub(crate) fn with_prose(self, prose: Prose) -> Self {
        Self {
            prose: Some(prose),
            ..self
        }
    }

    /// For what is no call, and has time.
    pub(crate) fn without_hurry(self) -> Self {
        Self {
            allowance: Duration::MAX,
            ..self
        }
    }

    /// The call with new tool results made smaller, and earlier ones as they were sent; and the same call otherwise, if it
    /// is to be asked both ways. Whatever goes wrong, the call goes on as it came.
    pub(crate) async fn apply(
        &self,
        mode: CompressMode,
        trial: Option<Trial>,
        compacted: bool,
        call: ModelCall,
    ) -> (ModelCall, Option<Audit>) {
        if !has_conversation(call.endpoint) {
            return (call, None);
        }
        let tenant = call.call.caller.tenant.clone();
        let prose = &tenant.compress.prose;
        let terms = Terms {
            mode,
            tenant: call.call.caller.tenant.id.as_str(),
            task: call.attribution.task.as_str(),
            trial: trial.as_ref(),
            prose: (mode >= CompressMode::Aggressive).then_some(prose),
            window: window(&call),
            compacted,
        };
        let mut done = self.compress(terms, &call.view, &call.call.body).await;
        let audit = done.take_audit(&call, trial);
        (done.put_into(call), audit)
    }

    /// Has what was decided written down.
    pub(crate) async fn close(&self) {
        self.store.close().await;
    }

    /// What was found about what is tried.
    pub(crate) fn trials(&self) -> &Trials {
        &self.trials
    }

    /// What to change in a request: with [`CompressMode::Off`], what was changed when it was first sent.
    pub(crate) async fn compress(
        &self,
        terms: Terms<'_>,
        view: &Arc<RequestView>,
        body: &Bytes,
    ) -> Done {
        let mut conversation = Conversation::of(terms.tenant, view, body);
        let results = conversation.results();
        let mut done = Done::default();
        let known = self.known(&results, terms.mode, view, &mut conversation);
        let (known, offered) = known.await;
        let mut elided = Elided::default();
        if let Some(opening) = offered {
            self.offer(terms, view, body, &mut conversation, &mut done)
                .await;
            let past = Past {
                view,
                body,
                results: &results,
                known: &known,
                opening,
            };
            elided = self.elided(terms, past).await;
        }
        done.elided(&elided);
        let mut explained = Notation::default();
        let (mut new, mut verbatim) = (Vec::new(), Vec::new());
        for (index, (candidate, record)) in results.into_iter().zip(known).enumerate() {
            let stub = elided.now.get(&index);
            let other = elided.other.as_ref().map(|other| other.get(&index));
            match record {
                // What is not known and not new was sent as it came. Counting sends nothing.
                None if candidate.is_new
                    && terms.mode != CompressMode::Off
                    && view.endpoint != Endpoint::CountTokens =>
                {
                    new.push((index, candidate));
                }
                record => {
                    let rewrite = match record {
                        Some(Record::Replace(rewrite)) => Some(rewrite),
                        _ => None,
                    };
                    let sent = stub.or(rewrite.as_ref());
                    if sent.is_none() {
                        verbatim.push((index, candidate.literal.clone()));
                    }
                    if let Some(sent) = sent {
                        explained = explained.and(explained_by(&sent.text));
                        done.replace(&candidate, sent);
                    }
                    if let Some(other) = other {
                        done.replace_otherwise(&candidate, other.or(rewrite.as_ref()));
                    }
                }
            }
        }
        if !new.is_empty() {
            let work = Work {
                view: view.clone(),
                body: body.clone(),
                new: new.clone(),
                verbatim,
                explained,
                spared: done.spared(),
                may_omit: offered.is_some() && terms.mode >= CompressMode::Balanced,
                may_omit_words: offered.is_some() && terms.prose.is_some(),
                counter: self.counter.clone(),
                encoding: encoding(&view.model.value),
            };
            let new: Vec<_> = new.into_iter().map(|(_, candidate)| candidate).collect();
            self.decide(terms, work, &new, &mut done).await;
        }
        done
    }

    /// What was decided about results; and the name of the conversation where it has the gateway's tool, which is decided
    /// when it opens.
    async fn known(
        &self,
        results: &[Candidate],
        mode: CompressMode,
        view: &RequestView,
        conversation: &mut Conversation<'_>,
    ) -> (Vec<Option<Record>>, Option<ChainHash>) {
        let mut keys: Vec<_> = results.iter().map(|result| result.key).collect();
        if !may_offer(view, fetch::TOOL.name) {
            return (self.store.find_all(&keys).await, None);
        }
        let (opening, is_open) = conversation.opening();
        keys.push(opening);
        let mut known = self.store.find_all(&keys).await;
        let offered = match known.pop().flatten() {
            Some(record) => record == Record::Offer(true),
            None if is_open
                && mode >= CompressMode::Balanced
                && view.endpoint != Endpoint::CountTokens =>
            {
                self.store.settle(opening, Record::Offer(true)).await == Record::Offer(true)
            }
            None => false,
        };
        (known, offered.then_some(opening))
    }

    /// Puts the tool into a request, and what its client has not seen of earlier answers.
    async fn offer(
        &self,
        terms: Terms<'_>,
        view: &RequestView,
        body: &[u8],
        conversation: &mut Conversation<'_>,
        done: &mut Done,
    ) {
        offer(view, &fetch::TOOL, &mut done.edits);
        let answers = named_answers(view, body);
        let mut key = |answer: &NamedAnswer| {
            let asked = conversation.hash(answer.block);
            aside_key(asked, &answer.name)
        };
        let keys: Vec<_> = answers.iter().map(&mut key).collect();
        let known = self.store.find_all(&keys).await;
        let asides: Vec<_> = answers
            .iter()
            .zip(&known)
            .filter_map(|(answer, record)| match record {
                Some(Record::Aside(aside)) => Some((answer.message, aside.as_ref())),
                _ => None,
            })
            .collect();
        Aside::splice(&asides, view.endpoint, body, &mut done.edits);
        done.offer = Some(Arc::new(Offer {
            store: self.store.clone(),
            tenant: terms.tenant.to_owned(),
            task: terms.task.to_owned(),
            asked: conversation.hash(view.blocks.len()),
        }));
    }
}

/// How many tokens the model takes, by the table of prices.
fn window(call: &ModelCall) -> Option<u64> {
    let prices = &call.call.caller.policies.prices;
    let (price, _) = prices.find(None, &call.view.model.value)?;
    price.context_window
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

#[cfg(test)]
mod tests;
