//! Old results of tools, as lines that say what stood there, where that is free or pays.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use memchr::memmem;
use skinflint_compressor::{
    ChainHash, Handle,
    elision::{CacheRates, Elision, Occasion, OldResult, Options, plan},
};
use skinflint_decisions::{Literal, Record, Rewrite};
use skinflint_protocol::{
    Block, CacheTtl, Endpoint, JsonLimits, RequestView, Role, ToolResults, json::Document,
};
use tokio::{task::spawn_blocking, time::Instant};

use super::{
    Compression, Terms,
    conversation::{Candidate, elided_key, original_key},
    encoding,
    repeats::refers_to,
};
use crate::trials::Technique;

/// What stands in the place of old results, by their place among all results.
#[derive(Debug, Default)]
pub(super) struct Elided {
    pub(super) now: HashMap<usize, Arc<Rewrite>>,
    /// The same the other way, where that is tried.
    pub(super) other: Option<HashMap<usize, Arc<Rewrite>>>,
    /// What was decided now, in words.
    pub(super) because: Option<String>,
}

/// A request, and what is known of the results in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'r> {
    pub(super) view: &'r Arc<RequestView>,
    pub(super) body: &'r Bytes,
    pub(super) results: &'r [Candidate],
    pub(super) known: &'r [Option<Record>],
    /// Names the conversation.
    pub(super) opening: ChainHash,
}

/// In a warm conversation it is seldom that a change in the middle pays, and then for many results at once: it is looked
/// at in every tenth turn.
const TURNS_BETWEEN: usize = 10;
/// How long a prefix is kept after its last use: what the provider promises, and a minute.
const SHORT_TERM: Duration = Duration::from_mins(6);
const LONG_TERM: Duration = Duration::from_mins(61);
/// Hardly any request has more tokens than half its bytes, long numbers included; what fits by that count is not counted,
/// which would hold long calls up.
const LEAST_BYTES_PER_TOKEN: u64 = 2;
/// What a token has on average, by which old results are compared.
const BYTES_PER_TOKEN: usize = 4;

impl Compression {
    /// What stands in the place of old results: what was decided before, and what is to be decided now.
    pub(super) async fn elided(&self, terms: Terms<'_>, past: Past<'_>) -> Elided {
        let old = past.results.iter().enumerate();
        let old: Vec<_> = old.filter(|(_, result)| !result.is_new).collect();
        let keys: Vec<_> = old
            .iter()
            .map(|(_, result)| elided_key(result.key))
            .collect();
        let found = self.store.find_all(&keys).await;
        let found = old.iter().zip(found);
        let now: HashMap<_, _> = found
            .filter_map(|((index, _), record)| match record {
                Some(Record::Replace(stub)) => Some((*index, stub)),
                _ => None,
            })
            .collect();
        let mut elided = Elided {
            now,
            ..Elided::default()
        };
        if let Some(occasion) = self.occasion(terms, past).await {
            self.elide_more(terms, past, occasion, &mut elided).await;
        }
        elided
    }

    async fn elide_more(
        &self,
        terms: Terms<'_>,
        past: Past<'_>,
        occasion: Occasion,
        elided: &mut Elided,
    ) {
        let whole = |result: &Candidate| -> Option<String> {
            serde_json::from_slice(past.body.get(result.literal.clone())?).ok()
        };
        let wholes: Vec<_> = past
            .results
            .iter()
            .map(|result| whole(result).unwrap_or_default())
            .collect();
        let Some(plan) = planned(past, &wholes, &elided.now, occasion) else {
            return;
        };
        let must = matches!(occasion, Occasion::Overflow { .. });
        let serves = must || self.serves(terms.trial, Technique::Elision);
        let is_tried = !must && terms.trial.is_some_and(|trial| trial.is_audited);
        let before = is_tried.then(|| elided.now.clone());
        let stubs = plan
            .elided
            .iter()
            .map(|elision| (elision.index, stub(elision, &wholes)));
        let stubs: Vec<_> = stubs.collect();
        if !serves && !is_tried {
            return;
        }
        // What cannot be kept is not left out.
        let originals = stubs.iter().map(|(index, _)| {
            let whole = wholes[*index].as_str();
            let key = original_key(terms.tenant, terms.task, Handle::of(whole));
            (key, Record::Original(whole.into()))
        });
        let kept = self.store.settle_all(originals.collect()).await;
        let stubs = stubs.into_iter().zip(kept);
        let stubs = stubs.filter(|(_, kept)| *kept != Record::Keep);
        let stubs: Vec<_> = stubs.map(|(stub, _)| stub).collect();
        if !serves {
            elided.other = before.map(|mut other| {
                other.extend(stubs);
                other
            });
            return;
        }
        elided.other = before;
        elided.because = Some(plan.to_string());
        let (indices, records): (Vec<_>, Vec<_>) = stubs
            .into_iter()
            .map(|(index, stub)| {
                let key = elided_key(past.results[index].key);
                (index, (key, Record::Replace(stub)))
            })
            .unzip();
        let settled = self.store.settle_all(records).await;
        for (index, record) in indices.into_iter().zip(settled) {
            if let Record::Replace(stub) = record {
                elided.now.insert(index, stub);
            }
        }
    }

    /// Whether now is a time to change the conversation in the middle.
    async fn occasion(&self, terms: Terms<'_>, past: Past<'_>) -> Option<Occasion> {
        let Past { view, body, .. } = past;
        let is_long =
            view.cache_ttl > Some(CacheTtl::FiveMinutes) || view.endpoint != Endpoint::Messages;
        let kept_for = if is_long { LONG_TERM } else { SHORT_TERM };
        let last = self.seen.get(&past.opening);
        self.seen.insert(past.opening, Instant::now());
        if terms.mode < skinflint_policies::CompressMode::Balanced
            || view.endpoint == Endpoint::CountTokens
        {
            return None;
        }
        if let Some(overflow) = self.overflow(terms, view, body).await {
            return Some(overflow);
        }
        if terms.compacted {
            return Some(Occasion::Compacted);
        }
        if last.is_some_and(|last| last.elapsed() > kept_for) {
            return Some(Occasion::ColdCache);
        }
        let turns = turns(view).last().copied().unwrap_or(0);
        let rates = match view.endpoint {
            Endpoint::Messages if is_long => CacheRates::ANTHROPIC_1_HOUR,
            Endpoint::Messages => CacheRates::ANTHROPIC_5_MINUTES,
            _ => CacheRates::OPENAI,
        };
        // What has gone on for so long goes on for half as long again, as a rule of thumb.
        let turns_left = turns as u64 / 2;
        (turns > 0 && turns.is_multiple_of(TURNS_BETWEEN))
            .then_some(Occasion::Warm { rates, turns_left })
    }

    /// Whether the request is more than its model takes.
    async fn overflow(
        &self,
        terms: Terms<'_>,
        view: &Arc<RequestView>,
        body: &Bytes,
    ) -> Option<Occasion> {
        let window = terms.window?;
        let answer = view
            .max_output_tokens
            .as_ref()
            .map_or(0, |limit| limit.value);
        let most = (body.len() as u64 / LEAST_BYTES_PER_TOKEN).saturating_add(answer);
        if most <= window {
            return None;
        }
        let (counter, encoding) = (self.counter.clone(), encoding(&view.model.value));
        let (view, body) = (view.clone(), body.clone());
        let count = spawn_blocking(move || counter.count(&encoding, &view, &body).tokens);
        let tokens = count.await.ok()?.saturating_add(answer);
        (tokens > window).then_some(Occasion::Overflow { tokens, window })
    }
}

fn planned(
    past: Past<'_>,
    wholes: &[String],
    elided: &HashMap<usize, Arc<Rewrite>>,
    occasion: Occasion,
) -> Option<skinflint_compressor::elision::Plan> {
    let Past {
        view, body, known, ..
    } = past;
    let calls = ToolResults::of_view(view, body);
    let turns = turns(view);
    let sent: Vec<_> = known
        .iter()
        .filter_map(|record| match record {
            Some(Record::Replace(rewrite)) => Some(rewrite.text.as_str()),
            _ => None,
        })
        .collect();
    let is_referred_to = |index| sent.iter().any(|text| refers_to(text, index));
    let old: Vec<_> = past
        .results
        .iter()
        .enumerate()
        .map(|(index, result)| {
            let block = view.blocks.get(result.block);
            let text = match (elided.get(&index), &known[index]) {
                (Some(stub), _) => stub.text.as_str(),
                (None, Some(Record::Replace(rewrite))) => rewrite.text.as_str(),
                _ => wholes[index].as_str(),
            };
            let call = block.and_then(|block| calls.call(block));
            OldResult {
                text,
                tokens: tokens(text) as u64,
                behind: (body.len().saturating_sub(result.literal.end) / BYTES_PER_TOKEN) as u64,
                turn: turns
                    .get(result.block)
                    .map_or(0, |turns| turns.saturating_sub(1)),
                call: call.map(|call| (call.name.as_str(), call.arguments.as_str())),
                failed: block.is_some_and(|block| has_failed(block, body)),
                elided: elided.contains_key(&index) || is_referred_to(index),
                handle: Some(Handle::of(&wholes[index])),
            }
        })
        .collect();
    let so_far = turns.last().copied().unwrap_or(0);
    plan(&old, so_far, occasion, &Options::default(), &tokens)
}

/// About how many, which is enough to compare results by.
fn tokens(text: &str) -> usize {
    text.len().div_ceil(BYTES_PER_TOKEN)
}

/// How many answers of the model there are up to each block, with its own.
fn turns(view: &RequestView) -> Vec<usize> {
    let (mut turns, mut last) = (0, None);
    let blocks = view.blocks.iter();
    blocks
        .map(|block| {
            if block.role == Role::Assistant && last != Some(block.message) {
                (turns, last) = (turns + 1, Some(block.message));
            }
            turns
        })
        .collect()
}

/// Whether the request says that the call failed.
fn has_failed(block: &Block, body: &[u8]) -> bool {
    const MARK: &str = "is_error";
    let bytes = body.get(block.span.clone()).unwrap_or_default();
    memmem::find(bytes, MARK.as_bytes()).is_some()
        && Document::parse(bytes, JsonLimits::default()).is_ok_and(|document| {
            let mark = document.root().get(MARK).and_then(|mark| mark.as_bool());
            mark == Some(true)
        })
}

fn stub(elision: &Elision, wholes: &[String]) -> Arc<Rewrite> {
    let before = tokens(&wholes[elision.index]) as u64;
    let text = elision.stub.clone();
    Arc::new(Rewrite {
        stages: vec!["elision".to_owned()],
        normalised: Vec::new(),
        omitted: Some("a whole result".to_owned()),
        tokens_before: before,
        tokens_after: tokens(&text) as u64,
        text,
        version: super::decide::VERSION,
        literal: Literal::default(),
    })
}

#[cfg(test)]
mod tests;
