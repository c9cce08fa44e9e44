//! Hearing what an answer says while it passes: [`listen`].

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::Response;
use http_body::Frame as BodyFrame;
use http_body_util::{BodyExt, StreamBody};
use skinflint_compressor::FETCH_TOOL;
use skinflint_protocol::{AsideAnswer, Endpoint, Said, sse::Decoder};
use tokio::sync::oneshot;

use crate::{
    body::{Body, BoxError, full},
    relay::is_event_stream,
};

/// A body on its way, and who waits for what it says.
struct Heard {
    body: Body,
    decoder: Decoder,
    answer: AsideAnswer,
    told: Option<oneshot::Sender<Said>>,
}

/// Passes an answer on as it is, and tells what it has said once it is whole. What is no answer of its protocol, or does
/// not come to its end, tells nothing.
pub(crate) async fn listen(
    endpoint: Endpoint,
    response: Response<Body>,
) -> Result<(Response<Body>, oneshot::Receiver<Said>), BoxError> {
    let (told, said) = oneshot::channel();
    let mut answer = AsideAnswer::new(endpoint, FETCH_TOOL);
    if response.status().is_success() && is_event_stream(response.headers()) {
        let response = response.map(|body| {
            let heard = Heard {
                body,
                decoder: Decoder::new(),
                answer,
                told: Some(told),
            };
            StreamBody::new(heard.frames()).boxed_unsync()
        });
        return Ok((response, said));
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    if parts.status.is_success() && answer.hear(&body).is_ok() {
        // Nobody may wait any more.
        let _ = told.send(answer.said());
    }
    Ok((Response::from_parts(parts, full(body)), said))
}

impl Heard {
    fn frames(self) -> impl Stream<Item = Result<BodyFrame<Bytes>, BoxError>> {
        stream::unfold(self, |mut this| async move {
            let next = this.body.frame().await?;
            if let Ok(data) = next.as_ref().map(BodyFrame::data_ref) {
                this.hear(data);
            }
            Some((next, this))
        })
    }

    fn hear(&mut self, data: Option<&Bytes>) {
        if self.told.is_none() {
            return;
        }
        if let Some(data) = data {
            self.decoder.push(data.clone());
        }
        while let Some(frame) = self.decoder.next_frame() {
            // What it would give to a client is of no interest.
            let _ = self.answer.pass(frame);
        }
        if self.answer.is_whole()
            && let Some(told) = self.told.take()
        {
            let _ = told.send(self.answer.said());
        }
    }
}
