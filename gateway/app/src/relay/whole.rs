//! Answers that come in one piece: relayed when they are complete, so that half an answer never looks like one.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use skinflint_protocol::{Endpoint, Outcome, body_tap};
use skinflint_upstream::ProviderBody;
use tokio_util::sync::CancellationToken;

use super::media_type;
use crate::error::UpstreamFault;

/// The largest answer that is kept in memory: a batch of 2,048 embeddings of 3,072 numbers is about as large.
const MAX_ANSWER: usize = 128 << 20;

/// Reads a body to its end.
pub(super) async fn read(
    body: ProviderBody,
    deadline: &CancellationToken,
) -> Result<Bytes, UpstreamFault> {
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    loop {
        let frame = tokio::select! {
            () = deadline.cancelled() => return Err(UpstreamFault::Stopping),
            frame = body.frame() => frame,
        };
        let Some(frame) = frame else { break };
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if first.len() + joined.len() + data.len() > MAX_ANSWER {
            return Err(UpstreamFault::TooLarge { limit: MAX_ANSWER });
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}

/// Makes sure that a body is an answer of its endpoint; gives what it says about itself.
pub(super) fn check(
    endpoint: Endpoint,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Outcome, UpstreamFault> {
    let media_type = media_type(headers);
    let is_json = media_type.ends_with("json");
    // Not every server labels its JSON; what says that it is something else is believed.
    if !is_json && !media_type.is_empty() {
        return Err(UpstreamFault::MediaType(media_type.to_owned()));
    }
    Ok(body_tap(endpoint, body)?)
}
