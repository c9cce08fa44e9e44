//! A local answer as an event stream.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body::Frame;
use skinflint_local_model::{Event, Generation};
use skinflint_protocol::{Emitter, Endpoint, keep_alive};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    answer::{self, CallLimit},
    enter,
};
use crate::{
    accounting::Spending,
    body::BoxError,
    error::{CallError, LocalError},
    receipt::Receipt,
    relay::Relay,
    rescue,
};

/// An answer that is being generated; dropping it gives the generation up.
pub(super) struct LocalStream {
    generation: Generation,
    emitter: Emitter,
    limit: CallLimit,
    endpoint: Endpoint,
    receipt: Receipt,
    spending: Spending,
    keep_alive: Duration,
    deadline: CancellationToken,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Running,
    Done,
}

// === impl LocalStream ===

impl LocalStream {
    pub(super) fn new(
        generation: Generation,
        emitter: Emitter,
        limit: CallLimit,
        endpoint: Endpoint,
        receipt: Receipt,
        relay: &Relay,
        spending: Spending,
    ) -> Self {
        Self {
            spending,
            generation,
            emitter,
            limit,
            endpoint,
            receipt,
            keep_alive: relay.keep_alive,
            deadline: relay.deadline.clone(),
            state: State::Start,
        }
    }

    /// The answer's events, as frames of a body.
    pub(super) fn frames(self) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> {
        stream::unfold(self, |mut this| async move {
            let bytes = this.next().await?;
            Some((Ok(Frame::data(bytes)), this))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        match self.state {
            State::Start => {
                self.state = State::Running;
                Some(self.emitter.start(self.generation.prompt_tokens().into()))
            }
            State::Running => loop {
                let bytes = self.advance().await;
                if !bytes.is_empty() || self.state == State::Done {
                    return Some(bytes);
                }
            },
            State::Done => None,
        }
    }

    async fn advance(&mut self) -> Bytes {
        let event = tokio::select! {
            event = timeout(self.keep_alive, self.generation.next()) => event,
            () = self.deadline.cancelled() => return self.fail(LocalError::Stopping),
        };
        match event {
            Err(_) => Bytes::from_static(keep_alive(self.endpoint)),
            Ok(Some(Event::Text { text, tokens })) => {
                self.receipt.first_token();
                let tokens: Vec<_> = tokens.into_iter().map(answer::token).collect();
                self.emitter.text(&text, &tokens)
            }
            Ok(Some(Event::Call(call))) => {
                self.receipt.first_token();
                if self.limit.admits() {
                    self.emitter.call(&answer::call(call))
                } else {
                    Bytes::new()
                }
            }
            Ok(Some(Event::Done { finish, usage })) => {
                self.state = State::Done;
                let (stop, reason) = answer::ended(finish);
                let usage = answer::counted(usage);
                enter(&self.receipt, usage, Some(reason));
                let spending = std::mem::replace(&mut self.spending, Spending::nothing());
                spending.settle_local(usage);
                self.emitter.finish(&stop, &usage)
            }
            Ok(Some(Event::Failed(fault))) => self.fail(fault.into()),
            // An engine says how an answer ends before it ends it.
            Ok(None) => self.fail(LocalError::Stopping),
        }
    }

    fn fail(&mut self, error: LocalError) -> Bytes {
        self.state = State::Done;
        let error = CallError::from(error);
        self.receipt.failed(error.label(), &error);
        let mut told = rescue::tell(&error).body;
        told.request_id = Some(self.receipt.id().to_string());
        told.to_event(self.endpoint)
    }
}
