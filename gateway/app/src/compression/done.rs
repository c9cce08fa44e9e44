//! What was done to a request: [`Done`].

use std::sync::Arc;

use bytes::Bytes;
use skinflint_decisions::Rewrite;
use skinflint_ledger::Spared;
use skinflint_protocol::{EditError, EditList, JsonLimits, RequestView};
use uuid::Uuid;

use super::{conversation::Candidate, elide::Elided, fetch::Offer};
use crate::{
    call::{Call, ModelCall},
    receipt,
    trials::{Technique, Trial},
};

/// What was done to a request.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Where.
    pub edits: EditList,
    /// Where the gateway's tool is on offer: what is known of the conversation. Then the request has other blocks.
    pub(super) offer: Option<Arc<Offer>>,
    /// The edits of the same request the other way, where it is asked both ways.
    pub(super) otherwise: Option<(Technique, EditList)>,
    /// Why old results are elided now.
    pub(super) because: Option<String>,
    pub(super) blocks: u64,
    spared: Spared,
    tokens_before: u64,
    tokens_after: u64,
    stages: Vec<String>,
    normalised: Vec<String>,
    omitted: Vec<String>,
}

/// A call that is asked again, the other way.
#[derive(Debug)]
pub(crate) struct Audit {
    /// What is tried.
    pub technique: Technique,
    /// For whom.
    pub trial: Trial,
    /// The other call.
    pub call: ModelCall,
}

impl Done {
    /// Puts a rewrite in the place of its block.
    pub(super) fn replace(&mut self, candidate: &Candidate, rewrite: &Rewrite) {
        self.edits
            .replace(candidate.literal.clone(), rewrite.literal());
        self.blocks += 1;
        self.tokens_before += rewrite.tokens_before;
        self.tokens_after += rewrite.tokens_after;
        let spared = rewrite.tokens_before.saturating_sub(rewrite.tokens_after);
        if candidate.is_new {
            self.spared.new += spared;
        } else {
            self.spared.earlier += spared;
        }
        add_names(&mut self.stages, &rewrite.stages);
        add_names(&mut self.normalised, &rewrite.normalised);
        self.omitted.extend(rewrite.omitted.clone());
    }

    /// What was decided about old results; and whether the same request is made the other way.
    pub(super) fn elided(&mut self, elided: &Elided) {
        self.because.clone_from(&elided.because);
        if elided.other.is_some() {
            self.otherwise = Some((Technique::Elision, self.edits.clone()));
        }
    }

    /// Puts a rewrite in the place of its block in the same request made the other way, if it is.
    pub(super) fn replace_otherwise<R: AsRef<Rewrite>>(
        &mut self,
        candidate: &Candidate,
        rewrite: Option<&R>,
    ) {
        if let (Some((_, edits)), Some(rewrite)) = (&mut self.otherwise, rewrite) {
            edits.replace(candidate.literal.clone(), rewrite.as_ref().literal());
        }
    }

    /// Tokens that are not sent.
    pub(super) const fn spared(&self) -> u64 {
        self.spared.new.saturating_add(self.spared.earlier)
    }

    /// The request as it is sent, and the view of it.
    pub(crate) fn request(
        &self,
        view: &Arc<RequestView>,
        body: &Bytes,
    ) -> Result<(Arc<RequestView>, Bytes), EditError> {
        self.edited(&self.edits, view, body)
    }

    fn edited(
        &self,
        edits: &EditList,
        view: &Arc<RequestView>,
        body: &Bytes,
    ) -> Result<(Arc<RequestView>, Bytes), EditError> {
        if edits.is_empty() {
            return Ok((view.clone(), body.clone()));
        }
        let sent = edits.apply(body)?;
        let sent_view = match self.offer {
            None => view.shifted(&edits.shift()),
            Some(_) => RequestView::parse(view.endpoint, &sent, JsonLimits::default())
                // Never so: what was put in is of the protocol.
                .unwrap_or_else(|_| view.shifted(&edits.shift())),
        };
        Ok((Arc::new(sent_view), sent))
    }

    /// The call the other way, if it is asked both ways: paid by itself, and entered apart from the client's.
    pub(super) fn take_audit(&mut self, call: &ModelCall, trial: Option<Trial>) -> Option<Audit> {
        let (technique, edits) = self.otherwise.take()?;
        let (view, body) = self.edited(&edits, &call.view, &call.call.body).ok()?;
        let Call {
            parts,
            caller,
            receipt,
            ..
        } = &call.call;
        Some(Audit {
            technique,
            trial: trial?,
            call: ModelCall {
                call: Call {
                    parts: parts.clone(),
                    body,
                    caller: caller.clone(),
                    receipt: receipt.apart(),
                },
                endpoint: call.endpoint,
                view,
                attribution: call.attribution.clone(),
                offer: self.offer.clone(),
                reservation: Uuid::now_v7(),
                spared: Spared {
                    extra: true,
                    ..Spared::default()
                },
            },
        })
    }

    pub(super) fn put_into(self, mut call: ModelCall) -> ModelCall {
        match self.request(&call.view, &call.call.body) {
            Ok((view, body)) => {
                call.view = view;
                call.call.body = body;
            }
            Err(error) => {
                tracing::error!(%error, "a compressed request cannot be put together; it goes on as it came");
                return call;
            }
        }
        call.offer = self.offer;
        call.spared = self.spared;
        let spared = self.spared.new + self.spared.earlier;
        call.call
            .receipt
            .enter(|entries| entries.tokens_spared = spared);
        if let Some(because) = self.because {
            call.call
                .receipt
                .decide(receipt::Decision::Elided { because });
        }
        if self.blocks > 0 {
            call.call.receipt.decide(receipt::Decision::Compressed {
                blocks: self.blocks,
                tokens_before: self.tokens_before,
                tokens_after: self.tokens_after,
                stages: self.stages.join(" + "),
                normalised: self.normalised.join(" + "),
                omitted: self.omitted.join(", "),
            });
        }
        call
    }
}

/// Each name once.
fn add_names(names: &mut Vec<String>, new: &[String]) {
    for name in new {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
}
