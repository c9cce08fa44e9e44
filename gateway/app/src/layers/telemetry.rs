//! One request id, one record, one log line and one set of counts a call, however it ends.

mod line;

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tower::{Layer, Service};
use tracing::{Instrument, debug_span};

use self::line::CallLine;
use crate::{
    accounting::Accounting,
    body::{Body, BoxError},
    call::Recorded,
    logs::CallLog,
    metrics::Metrics,
    receipt::Receipt,
    rescue::REQUEST_ID,
    surface::Surface,
};

/// Puts [`Telemetry`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct TelemetryLayer {
    metrics: Metrics,
    log: CallLog,
    accounting: Accounting,
}

/// Opens the record of a call, and closes it after the last byte of the answer.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry<S> {
    inner: S,
    layer: TelemetryLayer,
}

const TASK: HeaderName = HeaderName::from_static("x-skinflint-task");
const ROUTE: HeaderName = HeaderName::from_static("x-skinflint-route");
const OVERHEAD: HeaderName = HeaderName::from_static("x-skinflint-overhead-us");
const MODEL: HeaderName = HeaderName::from_static("x-skinflint-model");
const COST: HeaderName = HeaderName::from_static("x-skinflint-cost-usd");
const SAVED: HeaderName = HeaderName::from_static("x-skinflint-saved-usd");

// === impl TelemetryLayer ===

impl TelemetryLayer {
    /// Counts into these metrics, and writes into this log and the ledger of this accounting.
    pub(crate) fn new(metrics: Metrics, log: CallLog, accounting: Accounting) -> Self {
        Self {
            metrics,
            log,
            accounting,
        }
    }
}

impl<S> Layer<S> for TelemetryLayer {
    type Service = Telemetry<S>;

    fn layer(&self, inner: S) -> Telemetry<S> {
        Telemetry {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl Telemetry ===

impl<S, B> Service<Request<B>> for Telemetry<S>
where
    S: Service<Recorded<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let surface = Surface::of(request.method(), request.uri().path());
        let receipt = Receipt::open(surface);
        let span = debug_span!("call", request_id = %receipt.id());
        // Written when it is dropped, so that a call given up half-way has its line too.
        let mut line = CallLine::open(receipt.clone(), self.layer.clone());
        let recorded = Recorded {
            request,
            receipt: receipt.clone(),
        };
        let answer = span.in_scope(|| self.inner.call(recorded));
        let answer = async move {
            let mut response = answer.await?;
            line.answered(response.status());
            label(&mut response, &receipt);
            Ok(response.map(|body| Observed::new(body, line).boxed_unsync()))
        };
        Box::pin(answer.instrument(span))
    }
}

/// Tells the client what became of its call. What cannot be written in a header, such as a task's name outside ASCII, is left out.
fn label(response: &mut Response<Body>, receipt: &Receipt) {
    let headers = response.headers_mut();
    let mut insert = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    insert(REQUEST_ID, receipt.id().to_string());
    insert(OVERHEAD, receipt.overhead().as_micros().to_string());
    let known = receipt.read(|entries| {
        let task = entries.attribution.as_ref().map(|of| of.task.to_string());
        let model = entries.answered_by.as_ref().or(entries.model.as_ref());
        [
            (TASK, task),
            (ROUTE, entries.route.as_ref().map(ToString::to_string)),
            (MODEL, model.cloned()),
            (COST, entries.cost.map(|cost| cost.to_string())),
            (SAVED, entries.saved.map(|saved| saved.to_string())),
        ]
    });
    for (name, value) in known {
        if let Some(value) = value {
            insert(name, value);
        }
    }
}

pin_project_lite::pin_project! {
    /// A response body whose end closes the record.
    struct Observed {
        #[pin]
        body: Body,
        line: CallLine,
    }
}

impl Observed {
    fn new(body: Body, mut line: CallLine) -> Self {
        line.ended |= body.is_end_stream();
        Self { body, line }
    }
}

impl HttpBody for Observed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let polled = this.body.as_mut().poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                this.line.bytes_out += frame.data_ref().map_or(0, Bytes::len);
                // A server that knows the length does not ask for the end.
                this.line.ended |= this.body.is_end_stream();
            }
            Poll::Ready(None) => this.line.ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
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

impl CallLine {
    fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}
