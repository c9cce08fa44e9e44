//! What arrived and what became of it. See [`Exchange`].

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::bill::Meter;

/// One request and the state of its answer, as a snapshot.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Method of the request.
    pub method: Method,
    /// Path and query, exactly as sent.
    pub target: String,
    /// HTTP version spoken.
    pub version: Version,
    /// Header fields; names in lower case, values and their order as sent.
    pub headers: HeaderMap,
    /// Body without transfer coding; content coding is left as it is.
    pub body: Bytes,
    /// False when the peer went away in the middle of the body.
    pub body_complete: bool,
    /// Parts of the answer's body that were handed to the connection.
    pub sent: Vec<Bytes>,
    /// How the answer ended; none while it is being sent.
    pub end: Option<End>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Sent whole, with a clean end.
    Finished,
    /// Cut as the script wanted.
    Cut,
    /// The peer closed or reset before the answer was whole.
    PeerClosed {
        /// When the provider noticed.
        at: Instant,
    },
}

impl Exchange {
    /// Path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Everything sent of the answer's body so far.
    pub fn sent(&self) -> Vec<u8> {
        self.sent.concat()
    }

    /// The body read as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Value of a header; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// All exchanges, and a signal at each change of one.
#[derive(Debug)]
pub(super) struct Records {
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    changed: Arc<watch::Sender<u64>>,
    log: Option<Mutex<File>>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            exchanges: Arc::default(),
            changed: Arc::new(watch::Sender::new(0)),
            log: None,
        }
    }
}

impl Records {
    /// Appends one JSON line per request to the file at `path`, when there is one.
    pub(super) fn logging_to(path: Option<&Path>) -> std::io::Result<Self> {
        let open = |path| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            log: path.map(open).transpose()?.map(Mutex::new),
            ..Self::default()
        })
    }

    pub(super) fn snapshot(&self) -> Vec<Exchange> {
        self.look(<[Exchange]>::to_vec)
    }

    /// Looks at the exchanges where they are.
    pub(super) fn look<T>(&self, look: impl FnOnce(&[Exchange]) -> T) -> T {
        look(&self.exchanges.lock())
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Opens the record of a request whose head has arrived.
    pub(super) fn open(&self, exchange: Exchange) -> Recording {
        let mut exchanges = self.exchanges.lock();
        exchanges.push(exchange);
        let index = exchanges.len() - 1;
        drop(exchanges);
        let recording = Recording {
            exchanges: Arc::clone(&self.exchanges),
            changed: Arc::clone(&self.changed),
            index,
            meter: None,
        };
        recording.signal();
        recording
    }

    /// Writes the request's line, once its body is known.
    pub(super) fn write_line(&self, exchange: &Exchange) -> std::io::Result<()> {
        let Some(file) = &self.log else { return Ok(()) };
        let headers: Vec<(&str, String)> = exchange
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let body = serde_json::from_slice(&exchange.body).unwrap_or_else(|_| {
            Value::String(String::from_utf8_lossy(&exchange.body).into_owned())
        });
        let line = json!({
            "method": exchange.method.as_str(),
            "path": exchange.target,
            "headers": headers,
            "body": body,
        });
        writeln!(file.lock(), "{line}")
    }
}

/// The open record of one request, and what it costs. Dropped before [`Self::end`], it says that the peer closed.
#[derive(Debug)]
pub(super) struct Recording {
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    changed: Arc<watch::Sender<u64>>,
    index: usize,
    /// There while an answer is being produced whose tokens are charged.
    meter: Option<Meter>,
}

impl Recording {
    pub(super) fn exchange(&self) -> Exchange {
        self.exchanges.lock()[self.index].clone()
    }

    pub(super) fn received(&self, body: Bytes, complete: bool) {
        self.update(|exchange| {
            exchange.body = body;
            exchange.body_complete = complete;
        });
    }

    pub(super) fn sent(&self, part: Bytes) {
        self.update(|exchange| exchange.sent.push(part));
    }

    /// Counts what is produced from now on.
    pub(super) fn meter(&mut self, meter: Meter) {
        self.meter = Some(meter);
    }

    pub(super) fn produce(&mut self, tokens: u64) {
        if let Some(meter) = &mut self.meter {
            meter.produce(tokens);
        }
    }

    /// Charges the whole answer, durably.
    pub(super) async fn charge(&mut self) {
        if let Some(meter) = self.meter.take() {
            meter.close().await;
        }
    }

    /// The first end counts. Whoever sees it finds the call on the bill.
    pub(super) fn end(&mut self, end: End) {
        self.meter = None;
        self.update(|exchange| {
            exchange.end.get_or_insert(end);
        });
    }

    fn update(&self, change: impl FnOnce(&mut Exchange)) {
        change(&mut self.exchanges.lock()[self.index]);
        self.signal();
    }

    fn signal(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.end(End::PeerClosed { at: Instant::now() });
    }
}
