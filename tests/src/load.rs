//! Many calls at once, over few connections. See [`Load`].

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{net::TcpStream, time::Instant};
use tokio_util::task::TaskTracker;

/// Calls that share a connection: as many as the gateway takes on one.
const SHARE: usize = 100;
/// Bytes kept of an answer, from its end: all of an error, and the usage that ends a stream.
const TAIL: usize = 4 << 10;

/// A client that has thousands of calls in flight: HTTP/2 without TLS, a hundred calls to a connection.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    address: SocketAddr,
}

/// What became of a call.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status; none when the connection broke before the answer's head.
    pub status: Option<u16>,
    /// `x-skinflint-request-id`; empty when there is none.
    pub request_id: String,
    /// `error.type` of a refusal, and of an error event that ended a stream.
    pub error_type: Option<String>,
    /// False when the connection broke before the answer's end.
    pub is_whole: bool,
    /// Bytes of the body.
    pub length: usize,
    /// The body's last 4 KiB.
    pub tail: Bytes,
    /// From the call's start to the last byte of its answer.
    pub latency: Duration,
}

type Sender = SendRequest<Full<Bytes>>;

impl Load {
    /// Calls the listener at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Sends `calls` requests, never more than `concurrency` at a time, and gives their replies in order. `request` makes the request
    /// with this index, its target a path; [`Self::post`] makes the usual one.
    ///
    /// # Panics
    /// If the listener cannot be reached at the start.
    pub async fn run(
        &self,
        calls: usize,
        concurrency: usize,
        request: impl Fn(usize) -> Request<Bytes>,
    ) -> Vec<Reply> {
        let callers = concurrency.min(calls);
        let connections = TaskTracker::new();
        let connecting = (0..callers.div_ceil(SHARE)).map(|_| self.connect(&connections));
        let senders = join_all(connecting).await;
        let next = AtomicUsize::new(0);
        let calling = (0..callers).map(|caller| {
            let mut sender = senders[caller / SHARE].clone();
            let (next, request) = (&next, &request);
            async move {
                let mut replies = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= calls {
                        return replies;
                    }
                    let reply = self.call(&mut sender, request(index)).await;
                    replies.push((index, reply));
                }
            }
        });
        let mut replies = join_all(calling).await.concat();
        replies.sort_unstable_by_key(|(index, _)| *index);
        replies.into_iter().map(|(_, reply)| reply).collect()
    }

    /// A `POST` of a JSON body.
    ///
    /// # Panics
    /// If `path` is none.
    pub fn post(path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
        Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.into())
            .expect("a path")
    }

    async fn connect(&self, connections: &TaskTracker) -> Sender {
        let stream = TcpStream::connect(self.address).await.expect("connect");
        stream.set_nodelay(true).expect("set TCP_NODELAY");
        let handshake = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = handshake.expect("an HTTP/2 handshake");
        // Ends with the last sender; what ends it before shows in the replies.
        connections.spawn(connection);
        sender
    }

    async fn call(&self, sender: &mut Sender, request: Request<Bytes>) -> Reply {
        let began = Instant::now();
        let mut reply = Reply::none();
        let request = self.addressed(request);
        let answer = async {
            sender.ready().await.ok()?;
            sender.send_request(request).await.ok()
        };
        if let Some(answer) = answer.await {
            reply.status = Some(answer.status().as_u16());
            let id = answer.headers().get("x-skinflint-request-id");
            let id = id.and_then(|id| id.to_str().ok());
            reply.request_id = id.unwrap_or_default().into();
            reply.take(answer.into_body()).await;
        }
        reply.latency = began.elapsed();
        reply
    }

    /// With scheme and authority, which HTTP/2 wants.
    fn addressed(&self, request: Request<Bytes>) -> Request<Full<Bytes>> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("http://localhost:{}{path}", self.address.port());
        head.uri = uri.parse().expect("a URL");
        Request::from_parts(head, Full::new(body))
    }
}

impl Reply {
    fn none() -> Self {
        Self {
            status: None,
            request_id: String::new(),
            error_type: None,
            is_whole: false,
            length: 0,
            tail: Bytes::new(),
            latency: Duration::ZERO,
        }
    }

    async fn take(&mut self, mut body: Incoming) {
        let mut tail = BytesMut::new();
        self.is_whole = loop {
            match body.frame().await {
                None => break true,
                Some(Err(_)) => break false,
                Some(Ok(frame)) => {
                    let data = frame.data_ref().map_or(&[][..], |data| data);
                    self.length += data.len();
                    tail.extend_from_slice(data);
                    // Twice as much is let grow, so that the bytes are seldom moved.
                    if tail.len() > 2 * TAIL {
                        tail = BytesMut::from(&tail[tail.len() - TAIL..]);
                    }
                }
            }
        };
        let surplus = tail.len().saturating_sub(TAIL);
        self.tail = tail.freeze().slice(surplus..);
        self.error_type = error_type(&self.tail);
    }
}

/// `error.type` of an error body, or of the last event of a stream that has one.
fn error_type(tail: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(tail);
    let data = text.lines().rev().map(|line| {
        let data = line.strip_prefix("data:").unwrap_or(line);
        serde_json::from_str::<Value>(data).unwrap_or_default()
    });
    let kind = |value: Value| {
        // Responses wrap it: `response.failed`.
        let errors = [&value["error"], &value["response"]["error"]];
        let kind = errors.into_iter().find_map(|error| {
            let kind = error["type"].as_str().or(error["code"].as_str());
            kind.map(ToOwned::to_owned)
        });
        kind.or_else(|| {
            (value["type"] == "error").then(|| value["code"].as_str().unwrap_or("error").to_owned())
        })
    };
    data.map(kind).find_map(|kind| kind)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{CutAt, Ending, FakeProvider, Script};

    #[tokio::test]
    async fn calls_are_in_flight_together_and_replies_come_in_order() {
        let provider = FakeProvider::start().await;
        provider.script_by(|request| {
            let index: usize = request.header("x-index").parse().ok()?;
            (index % 10 == 3).then(|| Script::status(http::StatusCode::TOO_MANY_REQUESTS))
        });
        let request = |index: usize| {
            let mut request = Load::post("/v1/messages", r#"{"model":"m"}"#);
            request.headers_mut().insert("x-index", index.into());
            request
        };
        let replies = Load::new(provider.address()).run(450, 250, request).await;
        assert_eq!(replies.len(), 450);
        for (index, reply) in replies.iter().enumerate() {
            let refused = index % 10 == 3;
            assert_eq!(reply.status, Some(if refused { 429 } else { 200 }));
            let expected = refused.then_some("rate_limit_error");
            assert_eq!(reply.error_type.as_deref(), expected, "{reply:?}");
            assert!(reply.is_whole && reply.tail.len() == reply.length);
        }
        let sent = provider.exchanges();
        let indices: HashSet<&str> = sent.iter().map(|one| one.header("x-index")).collect();
        assert_eq!((sent.len(), indices.len()), (450, 450));
    }

    #[tokio::test]
    async fn a_broken_answer_is_not_whole() {
        let provider = FakeProvider::start().await;
        provider.script(Script::tokens(2_000).cut(CutAt::Events(1_900), Ending::Reset));
        let body = r#"{"model":"m","stream":true}"#;
        let load = Load::new(provider.address());
        let replies = load.run(1, 1, |_| Load::post("/v1/messages", body)).await;
        assert_eq!(replies[0].status, Some(200));
        assert!(!replies[0].is_whole);
        assert!(replies[0].tail.len() <= TAIL && replies[0].length > TAIL);
    }

    #[test]
    fn error_types_are_found_in_bodies_and_events() {
        let of = |text: &str| error_type(text.as_bytes());
        assert_eq!(
            of(r#"{"error":{"type":"budget_exceeded"}}"#).unwrap(),
            "budget_exceeded"
        );
        assert_eq!(of("data: {\"a\":1}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n").unwrap(), "overloaded_error");
        assert_eq!(
            of("data: {\"type\":\"error\",\"code\":\"server_error\"}\n\n").unwrap(),
            "server_error"
        );
        assert_eq!(
            of(
                "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"x\"}}}\n\n"
            )
            .unwrap(),
            "x"
        );
        assert_eq!(
            of("data: {\"type\":\"response.completed\",\"response\":{\"error\":null}}\n\n"),
            None
        );
        assert_eq!(of("data: [DONE]\n\n"), None);
    }
}
