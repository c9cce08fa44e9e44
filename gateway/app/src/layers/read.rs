//! What is asked: the body, read within its limits, and the view of it.

mod decode;

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Response, header};
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use skinflint_policies::{Limits, Timeouts};
use skinflint_protocol::{JsonLimits, RequestView};
use tokio::time::timeout;
use tower::{Layer, Service, ServiceExt};

use crate::{
    body::{Body, BoxError},
    call::{Ask, Asked, Authenticated, Call},
    error::{CallError, ReadError},
    surface::Surface,
};

/// Puts [`Read`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct ReadLayer {
    rules: Arc<Rules>,
}

/// Reads the body and makes the view.
#[derive(Debug, Clone)]
pub(crate) struct Read<S> {
    inner: S,
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Rules {
    body: u64,
    decompressed: u64,
    json: JsonLimits,
    whole: Duration,
    idle: Duration,
}

// === impl ReadLayer ===

impl ReadLayer {
    /// Reads within these limits.
    pub(crate) fn new(limits: &Limits, timeouts: &Timeouts) -> Self {
        Self {
            rules: Arc::new(Rules {
                body: limits.body.0,
                decompressed: limits.decompressed.0,
                json: JsonLimits {
                    max_depth: limits.json_depth,
                    ..JsonLimits::default()
                },
                whole: timeouts.body,
                idle: timeouts.body_idle,
            }),
        }
    }
}

impl<S> Layer<S> for ReadLayer {
    type Service = Read<S>;

    fn layer(&self, inner: S) -> Read<S> {
        Read {
            inner,
            rules: self.rules.clone(),
        }
    }
}

// === impl Read ===

impl<S, B> Service<Authenticated<B>> for Read<S>
where
    S: Service<Asked, Response = Response<Body>, Error = CallError> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Response<Body>, CallError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        // Readiness of the inner service is awaited once the body is there.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, authenticated: Authenticated<B>) -> Self::Future {
        let (inner, rules) = (self.inner.clone(), self.rules.clone());
        Box::pin(async move {
            let asked = read(authenticated, &rules).await?;
            inner.oneshot(asked).await
        })
    }
}

async fn read<B>(authenticated: Authenticated<B>, rules: &Rules) -> Result<Asked, CallError>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let Authenticated {
        request,
        caller,
        receipt,
    } = authenticated;
    let (parts, body) = request.into_parts();
    let collected = timeout(rules.whole, collect(body, &parts.headers, rules));
    let sent = receipt
        .waiting(collected)
        .await
        .map_err(|_| ReadError::Slow(rules.whole))??;
    let body = match decode::Encoding::of(&parts.headers)? {
        Some(encoding) => encoding.decode(sent, rules.decompressed).await?,
        None => sent,
    };
    receipt.enter(|entries| entries.bytes_in = body.len());
    let ask = match receipt.surface() {
        Surface::Viewed(endpoint) => {
            let view = RequestView::parse(endpoint, &body, rules.json)?;
            receipt.enter(|entries| {
                entries.model = Some(view.model.value.clone());
                entries.stream = view.stream;
            });
            Ask::Model(endpoint, Arc::new(view))
        }
        Surface::Models => Ask::Models,
        Surface::Compress => Ask::Compress,
        Surface::Misused(_) | Surface::Other => Ask::Other,
    };
    let call = Call {
        parts,
        body,
        caller,
        receipt,
    };
    Ok(Asked { call, ask })
}

async fn collect<B>(mut body: B, headers: &HeaderMap, rules: &Rules) -> Result<Bytes, ReadError>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let too_large = || ReadError::TooLarge { limit: rules.body };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > rules.body) {
        return Err(too_large());
    }
    // Most bodies come in one piece, which is then kept as it is.
    let mut whole = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = timeout(rules.idle, body.frame())
        .await
        .map_err(|_| ReadError::Idle(rules.idle))?
    {
        let frame = frame.map_err(|error| ReadError::Broken(error.into()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if (whole.len() + joined.len() + data.len()) as u64 > rules.body {
            return Err(too_large());
        }
        if whole.is_empty() && joined.is_empty() {
            whole = data;
            continue;
        }
        if joined.is_empty() {
            let expected = announced.and_then(|length| usize::try_from(length).ok());
            joined.reserve(expected.unwrap_or(whole.len() + data.len()));
            joined.extend_from_slice(&std::mem::take(&mut whole));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() {
        whole
    } else {
        joined.freeze()
    })
}

#[cfg(test)]
mod tests;
