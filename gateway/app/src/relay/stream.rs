//! Event streams: every event goes out as it came, and no end looks clean that is not.
//!
//! An event is held back until its blank line is there, so that whatever has to be added (a ping, an error) stands
//! between events, and a client never sees half of one.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use skinflint_protocol::{Endpoint, Progress, StreamTap, keep_alive, sse::Decoder};
use skinflint_upstream::ProviderBody;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Relay, enter, enter_fault};
use crate::{body::BoxError, error::UpstreamFault, receipt::Receipt, rescue};

/// What a stream belongs to.
#[derive(Debug)]
pub(super) struct About {
    pub(super) endpoint: Endpoint,
    pub(super) upstream: String,
    pub(super) receipt: Receipt,
}

pin_project_lite::pin_project! {
    /// A provider's event stream on its way to the client.
    pub(super) struct EventRelay {
        #[pin]
        body: ProviderBody,
        #[pin]
        silence: Sleep,
        #[pin]
        deadline: WaitForCancellationFutureOwned,
        keep_alive: Duration,
        decoder: Decoder,
        tap: StreamTap,
        about: About,
        state: State,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The provider is still sending.
    Open,
    /// The provider has ended; complete events may still wait in the decoder.
    Ended,
    /// Everything has gone out.
    Done,
}

/// An event larger than this is no event; images in base64 stay below.
const MAX_EVENT: usize = 16 << 20;

// === impl EventRelay ===

impl EventRelay {
    pub(super) fn new(body: ProviderBody, about: About, relay: &Relay) -> Self {
        Self {
            body,
            silence: tokio::time::sleep(relay.keep_alive),
            deadline: relay.deadline.clone().cancelled_owned(),
            keep_alive: relay.keep_alive,
            decoder: Decoder::new(),
            tap: StreamTap::new(about.endpoint),
            about,
            state: State::Open,
        }
    }
}

impl HttpBody for EventRelay {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        loop {
            let next = match this.state {
                State::Done => return Poll::Ready(None),
                State::Open => this.decoder.next_frame(),
                State::Ended => this.decoder.finish(),
            };
            if let Some(frame) = next {
                let observed = frame.event.as_ref().map(|event| this.tap.observe(event));
                match observed {
                    Some(Err(error)) => return fail(this.tap, this.about, this.state, error),
                    Some(Ok(Progress::Delta)) => this.about.receipt.first_token(),
                    Some(Ok(Progress::Terminal | Progress::Error)) => {
                        let outcome = this.tap.outcome();
                        this.about.receipt.enter(|entries| enter(entries, outcome));
                    }
                    Some(Ok(Progress::Other | Progress::UsageOnly)) | None => {}
                }
                return Poll::Ready(Some(Ok(Frame::data(frame.raw))));
            }
            if *this.state == State::Ended {
                return finish(this.decoder, this.tap, this.about, this.state);
            }
            if this.decoder.partial_len() > MAX_EVENT {
                let fault = UpstreamFault::TooLarge { limit: MAX_EVENT };
                return fail(this.tap, this.about, this.state, fault);
            }
            match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.silence
                        .as_mut()
                        .reset(Instant::now() + *this.keep_alive);
                    if let Ok(data) = frame.into_data() {
                        this.decoder.push(data);
                    }
                }
                // After the terminal event nothing is missing, however the provider hangs up.
                Poll::Ready(Some(Err(_))) if this.tap.is_complete() => *this.state = State::Ended,
                Poll::Ready(Some(Err(error))) => {
                    return fail(this.tap, this.about, this.state, error);
                }
                Poll::Ready(None) => *this.state = State::Ended,
                Poll::Pending if this.deadline.as_mut().poll(cx).is_ready() => {
                    // A provider that keeps its connection open after the terminal event has said all.
                    if this.tap.is_complete() {
                        *this.state = State::Ended;
                        continue;
                    }
                    return fail(this.tap, this.about, this.state, UpstreamFault::Stopping);
                }
                Poll::Pending => {
                    ready!(this.silence.as_mut().poll(cx));
                    this.silence
                        .as_mut()
                        .reset(Instant::now() + *this.keep_alive);
                    let ping = Bytes::from_static(keep_alive(this.about.endpoint));
                    return Poll::Ready(Some(Ok(Frame::data(ping))));
                }
            }
        }
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// The provider has ended: well if the terminal event is out, else with an error event in its place.
fn finish(decoder: &mut Decoder, tap: &StreamTap, about: &About, state: &mut State) -> Polled {
    let outcome = tap.outcome();
    about.receipt.enter(|entries| enter(entries, outcome));
    if !tap.is_complete() && !tap.saw_error() {
        return fail(tap, about, state, UpstreamFault::CutOff);
    }
    *state = State::Done;
    let rest = decoder.take_partial();
    if rest.is_empty() {
        Poll::Ready(None)
    } else {
        Poll::Ready(Some(Ok(Frame::data(rest))))
    }
}

/// Ends the stream with an error event of its protocol.
fn fail(
    tap: &StreamTap,
    about: &About,
    state: &mut State,
    fault: impl Into<UpstreamFault>,
) -> Polled {
    *state = State::Done;
    let outcome = tap.outcome();
    about.receipt.enter(|entries| enter(entries, outcome));
    let error = enter_fault(&about.receipt, &about.upstream, fault.into());
    let mut told = rescue::tell(&error).body;
    told.request_id = Some(about.receipt.id().to_string());
    let sequence = tap.last_sequence().map_or(0, |last| last + 1);
    let event = told.to_event_at(about.endpoint, sequence);
    Poll::Ready(Some(Ok(Frame::data(event))))
}
