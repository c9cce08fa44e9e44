//! What the provider does with one request. See [`Script`].

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{Answer, Exchange};

/// One request's fate; the default is the protocol's realistic answer, at once and whole.
///
/// As JSON in the header `x-fake-script`, for example
/// `{"status": 429, "headers": [["retry-after", "1"]]}` or `{"answer": {"tokens": 50}, "event_delay_ms": 10, "cut": {"at": {"events": 3}, "then": "stall"}}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Milliseconds between the request's last byte and the answer's head.
    pub head_delay_ms: u64,
    /// Milliseconds before each event (or other part) of the body: 10 is a hundred tokens per second.
    pub event_delay_ms: u64,
    /// Milliseconds that the model takes for each output token: before its event when streamed, else before the whole answer.
    pub token_delay_ms: u64,
    /// Status; by default 200, and 404 for an unknown path. From 400 on the default body is an error of the protocol.
    pub status: Option<u16>,
    /// Header fields in place of the usual ones of the same name, or beside them.
    pub headers: Vec<(String, String)>,
    /// A body in place of `answer`.
    pub body: Option<Payload>,
    /// What the model says.
    pub answer: Answer,
    /// Where the body breaks off, and how.
    pub cut: Option<Cut>,
    /// Content coding of the body.
    pub encoding: Option<Encoding>,
    /// Lets a test release the body's parts one by one.
    #[serde(skip)]
    pub gate: Option<Gate>,
}

/// A body of the script's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// Sent in one part.
    Text(String),
    /// Sent in one part, with the content type `application/json`.
    Json(Value),
    /// Sent part by part: exact bytes with exact chunk boundaries.
    Parts(Vec<String>),
    /// The same for bytes that are no UTF-8; from Rust only.
    #[serde(skip)]
    Bytes(Vec<Bytes>),
}

/// Where a body breaks off, and how.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The place.
    pub at: CutAt,
    /// What happens then.
    pub then: Ending,
}

/// A place in a body; beyond its end means at its end.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutAt {
    /// After this many whole events (parts).
    Events(usize),
    /// After this many bytes.
    Bytes(usize),
    /// In the middle of the event (part) with this index, which is also the middle of its JSON.
    InsideEvent(usize),
    /// After the first byte of the n-th character (from 0) that takes more than one byte.
    InsideCharacter(usize),
    /// Before the first event that ends the protocol's stream (`[DONE]`, `message_stop`, `response.completed`, and the events
    /// that already tell the end: a finish reason or `message_delta`).
    BeforeTerminal,
}

/// What happens at a [`Cut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Nothing more comes, and the connection stays open.
    Stall,
    /// TCP RST (HTTP/2: `RST_STREAM`).
    Reset,
    /// FIN in the middle of the HTTP body.
    Close,
    /// The HTTP body ends cleanly, as if this were all.
    Finish,
}

/// Content coding of a body.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// RFC 1952.
    Gzip,
}

impl Script {
    /// An error of the protocol with this status.
    pub fn status(status: StatusCode) -> Self {
        Self {
            status: Some(status.as_u16()),
            ..Self::default()
        }
    }

    /// The default answer with this text.
    pub fn text(text: &str) -> Self {
        Self::answer(Answer {
            text: text.into(),
            ..Answer::default()
        })
    }

    /// The default answer of this many tokens.
    pub fn tokens(count: usize) -> Self {
        Self::answer(Answer {
            tokens: Some(count),
            ..Answer::default()
        })
    }

    /// This answer.
    pub fn answer(answer: Answer) -> Self {
        Self {
            answer,
            ..Self::default()
        }
    }

    /// An event stream of exactly these parts.
    pub fn sse<P: Into<Bytes>>(parts: impl IntoIterator<Item = P>) -> Self {
        Self {
            body: Some(Payload::Bytes(parts.into_iter().map(Into::into).collect())),
            ..Self::default()
        }
        .header("content-type", "text/event-stream; charset=utf-8")
    }

    /// Takes the request, and never even sends the head.
    pub fn silent() -> Self {
        Self {
            head_delay_ms: u64::MAX,
            ..Self::default()
        }
    }

    /// What a misrouted proxy answers: an HTML page with status 200.
    pub fn html() -> Self {
        Self {
            body: Some(Payload::Text(
                "<!doctype html><title>It works</title>".into(),
            )),
            ..Self::default()
        }
        .header("content-type", "text/html")
    }

    /// Adds a header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Breaks the body off.
    pub fn cut(mut self, at: CutAt, then: Ending) -> Self {
        self.cut = Some(Cut { at, then });
        self
    }

    /// Holds every part of the body back until `gate` releases it.
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    pub(super) fn head_delay(&self) -> Duration {
        Duration::from_millis(self.head_delay_ms)
    }

    pub(super) fn event_delay(&self) -> Duration {
        Duration::from_millis(self.event_delay_ms)
    }

    pub(super) fn token_delay(&self) -> Duration {
        Duration::from_millis(self.token_delay_ms)
    }
}

/// Holds the parts of a body back until the test releases them. Clones share the count.
#[derive(Clone, Debug)]
pub struct Gate {
    permits: Arc<Semaphore>,
}

impl Gate {
    /// A gate that lets nothing through yet.
    pub fn closed() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(0)),
        }
    }

    /// Lets `parts` more through, over all bodies that wait here.
    pub fn release(&self, parts: usize) {
        self.permits.add_permits(parts);
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.permits.close();
    }

    pub(super) async fn pass(&self) {
        // An error means that the gate is open for good.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }
}

type Choice = dyn Fn(&Exchange) -> Option<Script> + Send + Sync;

/// Gives some requests a script.
pub(super) struct Rule {
    choose: Box<Choice>,
}

impl Rule {
    pub(super) fn new(
        choose: impl Fn(&Exchange) -> Option<Script> + Send + Sync + 'static,
    ) -> Self {
        Self {
            choose: Box::new(choose),
        }
    }

    pub(super) fn script(&self, exchange: &Exchange) -> Option<Script> {
        (self.choose)(exchange)
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").finish_non_exhaustive()
    }
}
