//! A provider's response body: given up after silence, counted until its end.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::in_flight::Held;

pin_project_lite::pin_project! {
    /// The bytes of an answer as they arrive.
    ///
    /// Dropping it before its end cancels the call.
    #[derive(Debug)]
    pub struct ProviderBody {
        #[pin]
        inner: reqwest::Body,
        #[pin]
        silence: Sleep,
        idle: Duration,
        held: Option<Held>,
    }
}

/// An answer that broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Nothing came for so long.
    #[error("the provider was silent for {0:?}")]
    Idle(Duration),
    /// The connection was closed or reset before the end.
    #[error("the provider broke off its answer: {0}")]
    Broken(#[source] reqwest::Error),
}

// === impl ProviderBody ===

impl ProviderBody {
    pub(crate) fn new(inner: reqwest::Body, idle: Duration, held: Held) -> Self {
        Self {
            inner,
            silence: tokio::time::sleep(idle),
            idle,
            held: Some(held),
        }
    }
}

impl Body for ProviderBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut this = self.project();
        match this.inner.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.silence.reset(Instant::now() + *this.idle);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                *this.held = None;
                Poll::Ready(Some(Err(BodyError::Broken(error))))
            }
            Poll::Ready(None) => {
                *this.held = None;
                Poll::Ready(None)
            }
            Poll::Pending => this
                .silence
                .as_mut()
                .poll(cx)
                .map(|()| Some(Err(BodyError::Idle(*this.idle)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
