//! From a provider's response to the client's: byte for byte, watched by a tap.

mod left;
mod stream;
mod whole;

use std::time::Duration;

use http::{HeaderMap, Response, header};
use http_body_util::{BodyExt, StreamBody};
use skinflint_policies::Timeouts;
use skinflint_protocol::{Endpoint, Outcome};
use skinflint_upstream::{ProviderBody, relay_response_headers};
use tokio_util::sync::CancellationToken;

pub(crate) use self::left::LeftBehind;
use crate::{
    accounting::Spending,
    body::Body,
    error::{CallError, UpstreamFault},
    receipt::{Entries, Receipt},
};

/// How answers are relayed.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    /// Silence in a stream after which a ping is sent.
    pub keep_alive: Duration,
    /// How long an answer in one piece may take that is made here.
    pub first_byte: Duration,
    /// Cancelled when the gateway can wait no longer for running streams.
    pub deadline: CancellationToken,
    /// Whether a stream says what it cost, in a comment before its last event.
    pub cost_comments: bool,
}

/// Whose answer it is.
#[derive(Debug)]
pub(crate) struct From<'a> {
    /// The provider's name.
    pub upstream: &'a str,
    /// What becomes of its answers when the client is gone.
    pub left: &'a LeftBehind,
    /// Whether the client asked for usage.
    pub include_usage: bool,
}

// === impl Relay ===

impl Relay {
    /// Relays with these timeouts, until the deadline is cancelled.
    pub(crate) fn new(
        timeouts: &Timeouts,
        cost_comments: bool,
        deadline: CancellationToken,
    ) -> Self {
        Self {
            keep_alive: timeouts.keep_alive,
            first_byte: timeouts.first_byte,
            deadline,
            cost_comments,
        }
    }

    /// Relays the answer to a call whose protocol is known.
    pub(crate) async fn answer(
        &self,
        endpoint: Endpoint,
        from: From<'_>,
        response: Response<ProviderBody>,
        receipt: &Receipt,
        spending: Spending,
    ) -> Result<Response<Body>, CallError> {
        let (mut parts, body) = response.into_parts();
        relay_response_headers(&mut parts.headers);
        if parts.status.is_success() && is_event_stream(&parts.headers) {
            let about = stream::About {
                endpoint,
                upstream: from.upstream.to_owned(),
                receipt: receipt.clone(),
                left: from.left.clone(),
                include_usage: from.include_usage,
            };
            let stream = stream::EventRelay::new(body, about, self, spending);
            // Pings may be added, so the length is not the provider's.
            parts.headers.remove(header::CONTENT_LENGTH);
            return Ok(Response::from_parts(
                parts,
                StreamBody::new(stream.frames()).boxed_unsync(),
            ));
        }
        let whole = whole::read(body, &self.deadline);
        let relayed = async {
            let body = receipt.waiting(whole).await?;
            if parts.status.is_success() {
                let outcome = whole::check(endpoint, &parts.headers, &body)?;
                receipt.enter(|entries| enter(entries, &outcome));
                spending.settle_whole(&outcome, parts.status);
            } else {
                spending.settle_refused(parts.status);
            }
            Ok(Response::from_parts(parts, crate::body::full(body)))
        };
        relayed.await.map_err(|fault| CallError::Upstream {
            name: from.upstream.to_owned(),
            fault,
        })
    }

    /// Relays an answer that is not looked at.
    pub(crate) fn unread(response: Response<ProviderBody>) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        relay_response_headers(&mut parts.headers);
        Response::from_parts(parts, body.map_err(Into::into).boxed_unsync())
    }
}

/// Whether an answer comes in events.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    media_type(headers).eq_ignore_ascii_case("text/event-stream")
}

/// The media type without its parameters; empty if there is none.
fn media_type(headers: &HeaderMap) -> &str {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
}

/// Enters what an answer has said about itself.
fn enter(entries: &mut Entries, outcome: &Outcome) {
    entries.usage = outcome.usage();
    entries.answered_by.clone_from(&outcome.model);
    entries.stop = outcome.stop_reason;
    entries.complete = outcome.is_complete;
}

/// Enters a fault of a provider that shows after the response headers.
fn enter_fault(receipt: &Receipt, upstream: &str, fault: UpstreamFault) -> CallError {
    let error = CallError::Upstream {
        name: upstream.to_owned(),
        fault,
    };
    receipt.failed(error.label(), &error);
    error
}
