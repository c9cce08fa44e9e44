//! The response body type, and bodies that keep something alive until they end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};

/// Any error of a response body; the server ends the connection on it.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What every layer answers with.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A body that is wholly there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pin_project_lite::pin_project! {
    /// A body that owns a value until its last byte has gone, or nobody wants it any more.
    #[derive(Debug)]
    pub struct Holding<T> {
        #[pin]
        body: Body,
        held: Option<T>,
    }
}

// === impl Holding ===

impl<T> Holding<T> {
    /// Keeps `held` until `body` ends or is dropped.
    pub(crate) fn new(body: Body, held: T) -> Self {
        Self {
            body,
            held: Some(held),
        }
    }
}

impl<T> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let polled = this.body.poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            *this.held = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
