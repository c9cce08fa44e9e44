//! Event streams: every event goes out as it came, and no end looks clean that is not.
//!
//! An event is held back until its blank line is there, so that whatever has to be added (a ping, an error, the cost) stands
//! between events, and a client never sees half of one.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use http_body::Frame as BodyFrame;
use http_body_util::BodyExt;
use skinflint_protocol::{
    Endpoint, Meta, Progress, StopReason, StreamTap, comment, keep_alive,
    sse::{Decoder, Frame},
};
use skinflint_upstream::ProviderBody;

use super::{LeftBehind, Relay, enter, enter_fault};
use crate::{
    accounting::Spending,
    body::BoxError,
    clock,
    error::UpstreamFault,
    receipt::{Decision, Receipt},
    rescue,
};

/// What a stream belongs to.
#[derive(Debug)]
pub(super) struct About {
    pub(super) endpoint: Endpoint,
    pub(super) upstream: String,
    pub(super) receipt: Receipt,
    pub(super) left: LeftBehind,
    /// Whether the client asked for usage.
    pub(super) include_usage: bool,
}

/// A provider's event stream on its way to the client.
pub(super) struct EventRelay {
    about: About,
    relay: Relay,
    /// Dropped when everything has gone out; still there when this is dropped, the client has left before that.
    live: Option<Live>,
}

/// A stream that is not over.
pub(super) struct Live {
    pub(super) body: Pin<Box<ProviderBody>>,
    pub(super) decoder: Decoder,
    pub(super) tap: StreamTap,
    pub(super) spending: Spending,
    /// The provider has ended; complete events may still wait in the decoder.
    pub(super) ended: bool,
}

/// What the provider does next.
enum Next {
    Frame(Option<Result<BodyFrame<Bytes>, skinflint_upstream::BodyError>>),
    Silence,
    Deadline,
}

/// An event larger than this is no event; images in base64 stay below.
const MAX_EVENT: usize = 16 << 20;

// === impl EventRelay ===

impl EventRelay {
    pub(super) fn new(body: ProviderBody, about: About, relay: &Relay, spending: Spending) -> Self {
        let live = Live {
            body: Box::pin(body),
            decoder: Decoder::new(),
            tap: spending.tap(about.endpoint),
            spending,
            ended: false,
        };
        Self {
            about,
            relay: relay.clone(),
            live: Some(live),
        }
    }

    /// The stream's events, as frames of a body.
    pub(super) fn frames(self) -> impl Stream<Item = Result<BodyFrame<Bytes>, BoxError>> {
        stream::unfold(self, |mut this| async move {
            let bytes = this.next().await?;
            Some((Ok(BodyFrame::data(bytes)), this))
        })
    }

    /// What goes out next; nothing after the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let live = self.live.as_mut()?;
            if let Some(frame) = live.next_frame() {
                if let Some(bytes) = self.pass(frame).await {
                    return Some(bytes);
                }
                continue;
            }
            if live.ended {
                return self.finish();
            }
            if live.decoder.partial_len() > MAX_EVENT {
                return Some(self.fail(UpstreamFault::TooLarge { limit: MAX_EVENT }));
            }
            match live.wait(&self.relay).await {
                Next::Frame(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        live.decoder.push(data);
                    }
                }
                // After the terminal event nothing is missing, however the provider hangs up or fails to.
                Next::Frame(Some(Err(_))) | Next::Deadline if live.tap.is_complete() => {
                    live.ended = true;
                }
                Next::Frame(Some(Err(error))) => return Some(self.fail(error)),
                Next::Frame(None) => live.ended = true,
                Next::Silence => return Some(Bytes::from_static(keep_alive(self.about.endpoint))),
                Next::Deadline => return Some(self.fail(UpstreamFault::Stopping)),
            }
        }
    }

    /// Reads an event and lets it through, unless it is one that the client did not ask for.
    async fn pass(&mut self, frame: Frame) -> Option<Bytes> {
        let live = self.live.as_mut()?;
        let Some(event) = &frame.event else {
            return Some(frame.raw);
        };
        match live.tap.observe(event) {
            Err(error) => Some(self.fail(error)),
            Ok(Progress::Delta) => {
                self.about.receipt.first_token();
                if live.spending.afford(&mut live.tap).await {
                    Some(frame.raw)
                } else {
                    Some(self.cut_short())
                }
            }
            Ok(Progress::UsageOnly) if live.spending.hides_usage() => None,
            Ok(Progress::Terminal) => {
                let outcome = live.tap.outcome();
                self.about.receipt.enter(|entries| enter(entries, outcome));
                let cost = live.spending.cost_of(outcome).map(|cost| {
                    let before = self.about.receipt.read(|entries| entries.cost);
                    cost.saturating_add(before.unwrap_or_default())
                });
                Some(match cost.filter(|_| self.relay.cost_comments) {
                    Some(cost) => {
                        joined(&comment(&format!("skinflint-cost-usd={cost}")), &frame.raw)
                    }
                    None => frame.raw,
                })
            }
            Ok(Progress::Error) => {
                let outcome = live.tap.outcome();
                self.about.receipt.enter(|entries| enter(entries, outcome));
                Some(frame.raw)
            }
            Ok(Progress::Other | Progress::UsageOnly) => Some(frame.raw),
        }
    }

    /// The budget is spent: the answer ends here, as at its own limit of length, and the provider is told to stop.
    fn cut_short(&mut self) -> Bytes {
        let Some(mut live) = self.live.take() else {
            return Bytes::new();
        };
        let usage = live.spending.counted_usage(&mut live.tap);
        let events = live.tap.finish_early(&self.meta(&live), Some(&usage));
        self.about.receipt.decide(Decision::CutShort);
        self.about.receipt.enter(|entries| {
            enter(entries, live.tap.outcome());
            entries.usage = Some(usage);
            entries.stop = Some(StopReason::MaxTokens);
            entries.complete = true;
        });
        live.spending.settle_cut(live.tap.outcome(), usage);
        events
    }

    /// What names the answer, should the provider not have done so yet.
    fn meta(&self, live: &Live) -> Meta {
        let receipt = &self.about.receipt;
        Meta {
            id: receipt.id().bare(),
            model: receipt.read(|entries| entries.model.clone().unwrap_or_default()),
            created_unix: clock::unix_seconds(),
            include_usage: self.about.include_usage && !live.spending.hides_usage(),
        }
    }

    /// The provider has ended: well if the terminal event is out, else with an error event in its place.
    fn finish(&mut self) -> Option<Bytes> {
        let live = self.live.as_mut()?;
        if !live.tap.is_complete() && !live.tap.saw_error() {
            return Some(self.fail(UpstreamFault::CutOff));
        }
        let rest = live.decoder.take_partial();
        self.close();
        (!rest.is_empty()).then_some(rest)
    }

    /// Ends the stream with an error event of its protocol.
    fn fail(&mut self, fault: impl Into<UpstreamFault>) -> Bytes {
        let error = enter_fault(&self.about.receipt, &self.about.upstream, fault.into());
        let sequence = self.live.as_ref().and_then(|live| live.tap.last_sequence());
        self.close();
        let mut told = rescue::tell(&error).body;
        told.request_id = Some(self.about.receipt.id().to_string());
        told.to_event_at(self.about.endpoint, sequence.map_or(0, |last| last + 1))
    }

    /// Enters what the stream has said, and settles.
    fn close(&mut self) {
        if let Some(live) = self.live.take() {
            self.about
                .receipt
                .enter(|entries| enter(entries, live.tap.outcome()));
            live.spending.settle_stream(live.tap);
        }
    }
}

impl Drop for EventRelay {
    fn drop(&mut self) {
        let Some(live) = self.live.take() else { return };
        if live.tells_all() {
            live.spending.settle_stream(live.tap);
        } else {
            self.about.left.take(live, &self.relay.deadline);
        }
    }
}

// === impl Live ===

impl Live {
    /// Whether the answer has ended and its usage is known, which chat completions tell after their end.
    pub(super) fn tells_all(&self) -> bool {
        self.tap.is_complete() && self.tap.outcome().usage().is_some()
    }

    fn next_frame(&mut self) -> Option<Frame> {
        if self.ended {
            self.decoder.finish()
        } else {
            self.decoder.next_frame()
        }
    }

    async fn wait(&mut self, relay: &Relay) -> Next {
        tokio::select! {
            biased;
            frame = self.body.frame() => Next::Frame(frame),
            () = relay.deadline.cancelled() => Next::Deadline,
            () = tokio::time::sleep(relay.keep_alive) => Next::Silence,
        }
    }
}

fn joined(first: &[u8], second: &[u8]) -> Bytes {
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(first);
    both.extend_from_slice(second);
    both.freeze()
}
