//! One answer of the client's, made of as many as it takes: [`Follow`].

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderValue, Response, header, request::Parts};
use http_body::Frame as BodyFrame;
use http_body_util::{BodyExt, StreamBody};
use skinflint_compressor::FETCH_TOOL;
use skinflint_ledger::Spared;
use skinflint_protocol::{
    AsideAnswer, AsideCall, Endpoint, Heard, JsonLimits, RequestView, sse::Decoder,
};
use tower::{Service, ServiceExt as _};
use uuid::Uuid;

use crate::{
    attribution::Attribution,
    body::{Body, BoxError, full},
    call::{Call, Caller, ModelCall, Routed, UpstreamTarget},
    compression::Offer,
    error::{AsideFault, CallError},
    receipt::{Decision, Receipt},
    relay::is_event_stream,
    rescue,
};

/// What it takes to go on from an answer.
#[derive(Debug)]
pub(super) struct Follow {
    parts: Parts,
    caller: Caller,
    receipt: Receipt,
    endpoint: Endpoint,
    attribution: Arc<Attribution>,
    target: UpstreamTarget,
    offer: Arc<Offer>,
    /// The request that was sent last.
    body: Bytes,
    answer: AsideAnswer,
    rounds: u32,
}

/// A stream that may go on where its provider has stopped.
struct Following<S> {
    follow: Follow,
    inner: S,
    /// None once the client has all.
    body: Option<Body>,
    decoder: Decoder,
    is_remembered: bool,
}

/// A model that asks more often for one answer has lost its way.
const MOST_ROUNDS: u32 = 8;

impl Follow {
    /// Of a call whose conversation has the tool.
    pub(super) fn of(routed: &Routed) -> Option<Self> {
        let Routed::Upstream(call, target) = routed else {
            return None;
        };
        let offer = call.offer.clone()?;
        Some(Self {
            parts: call.call.parts.clone(),
            caller: call.call.caller.clone(),
            receipt: call.call.receipt.clone(),
            endpoint: call.endpoint,
            attribution: call.attribution.clone(),
            target: target.clone(),
            body: call.call.body.clone(),
            answer: AsideAnswer::new(call.endpoint, FETCH_TOOL),
            offer,
            rounds: 0,
        })
    }

    /// The answer without the calls of the tool, and with what came of them.
    pub(super) async fn relay<S>(
        mut self,
        mut response: Response<Body>,
        mut inner: S,
    ) -> Result<Response<Body>, CallError>
    where
        S: Service<Routed, Response = Response<Body>, Error = CallError> + Clone + Send + 'static,
        S::Future: Send,
    {
        // Counting answers without a model.
        if self.endpoint == Endpoint::CountTokens || !response.status().is_success() {
            return Ok(response);
        }
        if is_event_stream(response.headers()) {
            return Ok(response.map(|body| self.follow(body, inner)));
        }
        loop {
            let (mut parts, body) = response.into_parts();
            let body = body.collect().await.map_err(AsideFault::Body)?.to_bytes();
            let calls = match self.answer.hear(&body) {
                Ok(Heard::Calls(calls)) => calls,
                Ok(Heard::Done(whole)) => {
                    self.remember().await;
                    if whole != body {
                        parts
                            .headers
                            .insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
                    }
                    return Ok(Response::from_parts(parts, full(whole)));
                }
                // Not as its protocol has it: the client may know what to do with it.
                Err(_) => return Ok(Response::from_parts(parts, full(body))),
            };
            response = self.go_on(&calls, &mut inner).await?;
            if !response.status().is_success() {
                return Ok(response);
            }
        }
    }

    fn follow<S>(self, body: Body, inner: S) -> Body
    where
        S: Service<Routed, Response = Response<Body>, Error = CallError> + Clone + Send + 'static,
        S::Future: Send,
    {
        let following = Following {
            follow: self,
            inner,
            body: Some(body),
            decoder: Decoder::new(),
            is_remembered: false,
        };
        StreamBody::new(following.frames()).boxed_unsync()
    }

    /// Answers the calls, and sends the request from which the provider goes on.
    async fn go_on<S>(
        &mut self,
        calls: &[AsideCall],
        inner: &mut S,
    ) -> Result<Response<Body>, CallError>
    where
        S: Service<Routed, Response = Response<Body>, Error = CallError>,
    {
        self.rounds += 1;
        if self.rounds > MOST_ROUNDS {
            return Err(AsideFault::TooManyRounds(MOST_ROUNDS).into());
        }
        self.answer_calls(calls).await;
        self.body = self.answer.go_on(&self.body).map_err(AsideFault::from)?;
        let view = RequestView::parse(self.endpoint, &self.body, JsonLimits::default())?;
        self.receipt.next_round();
        let call = ModelCall {
            call: Call {
                parts: self.parts.clone(),
                body: self.body.clone(),
                caller: self.caller.clone(),
                receipt: self.receipt.clone(),
            },
            endpoint: self.endpoint,
            view: Arc::new(view),
            attribution: self.attribution.clone(),
            offer: None,
            reservation: Uuid::now_v7(),
            spared: Spared {
                extra: true,
                ..Spared::default()
            },
        };
        let routed = Routed::Upstream(call, self.target.clone());
        inner.ready().await?.call(routed).await
    }

    async fn answer_calls(&mut self, calls: &[AsideCall]) {
        let results = self.offer.answer(calls).await;
        self.receipt.decide(Decision::Fetched {
            texts: results.len(),
            bytes: results.iter().map(|result| result.text.len()).sum(),
        });
        self.answer.answered(&results);
    }

    /// Keeps what the client does not see, before it can send its next request.
    async fn remember(&mut self) {
        let beside = self.answer.calls();
        if !beside.is_empty() {
            self.answer_calls(&beside).await;
        }
        if let Some((name, aside)) = self.answer.take_aside() {
            self.offer.remember(&name, aside).await;
        }
    }
}

impl<S> Following<S>
where
    S: Service<Routed, Response = Response<Body>, Error = CallError> + Clone + Send + 'static,
    S::Future: Send,
{
    fn frames(self) -> impl Stream<Item = Result<BodyFrame<Bytes>, BoxError>> {
        stream::unfold(self, |mut this| async move {
            let next = this.next().await?;
            Some((next.map(BodyFrame::data), this))
        })
    }

    /// What goes out next; nothing after the end.
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            while let Some(frame) = self.decoder.next_frame() {
                let bytes = self.follow.answer.pass(frame);
                self.remember_at_the_end().await;
                if !bytes.is_empty() {
                    return Some(Ok(bytes));
                }
            }
            match self.body.as_mut()?.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.decoder.push(data);
                    }
                }
                Some(Err(error)) => {
                    self.body = None;
                    return Some(Err(error));
                }
                None => {
                    let bytes = self.end().await;
                    if !bytes.is_empty() {
                        return Some(Ok(bytes));
                    }
                }
            }
        }
    }

    async fn remember_at_the_end(&mut self) {
        if self.follow.answer.is_whole() && !self.is_remembered {
            self.is_remembered = true;
            self.follow.remember().await;
        }
    }

    /// A provider has ended: so has the answer, or it goes on.
    async fn end(&mut self) -> Bytes {
        let mut rest = self.decoder.take_partial();
        let calls = match self.follow.answer.end() {
            Heard::Done(last) => {
                self.body = None;
                self.remember_at_the_end().await;
                return if rest.is_empty() {
                    last
                } else {
                    [last, rest].concat().into()
                };
            }
            Heard::Calls(calls) => calls,
        };
        // What does not end in a blank line is no event.
        rest.clear();
        self.decoder = Decoder::new();
        let failure = match self.follow.go_on(&calls, &mut self.inner).await {
            Ok(response) if is_event_stream(response.headers()) => {
                self.body = Some(response.into_body());
                return rest;
            }
            Ok(response) => AsideFault::Refused(response.status()).into(),
            Err(error) => error,
        };
        self.body = None;
        self.follow.receipt.failed(failure.label(), &failure);
        let mut told = rescue::tell(&failure).body;
        told.request_id = Some(self.follow.receipt.id().to_string());
        told.to_event_at(self.follow.endpoint, 0)
    }
}
