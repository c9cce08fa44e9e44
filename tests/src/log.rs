//! What the gateway wrote to its log. See [`Log`].

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::watch,
};
use tokio_util::task::TaskTracker;

use crate::patience::wait_on;

/// The lines that a process has written so far. Clones share them.
#[derive(Clone, Debug)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    changed: Arc<watch::Sender<u64>>,
}

impl Log {
    /// Collects the lines of `source` until it ends.
    pub(crate) fn collect(source: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let log = Self {
            lines: Arc::default(),
            changed: Arc::new(watch::Sender::new(0)),
        };
        let into = log.clone();
        TaskTracker::new().spawn(async move {
            let mut lines = BufReader::new(source).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                into.lines.lock().push(line);
                into.changed.send_modify(|count| *count += 1);
            }
        });
        log
    }

    /// All lines, as they were written.
    pub fn text(&self) -> String {
        self.lines.lock().join("\n")
    }

    /// The lines that are JSON.
    pub fn events(&self) -> Vec<Value> {
        let lines = self.lines.lock();
        lines
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Waits for the first event for which `wanted` holds.
    ///
    /// # Panics
    /// If none comes in time; `what` and the log are in the text.
    pub async fn wait(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.try_wait(&wanted)
            .await
            .unwrap_or_else(|| panic!("waited in vain for {what} in the log:\n{}", self.text()))
    }

    /// The same, giving up with `None`.
    pub(crate) async fn try_wait(&self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let mut changes = self.changed.subscribe();
        wait_on(&mut changes, || self.events().into_iter().find(&wanted)).await
    }
}
