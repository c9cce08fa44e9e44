//! A provider that answers like OpenAI and Anthropic, records what it got and misbehaves on demand. See [`FakeProvider`].

use std::{collections::VecDeque, net::SocketAddr, path::Path, sync::Arc};

use http::Method;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    agent::AgentScenario,
    answer::{Answer, Thinking, ToolCall, Usage, UsageShape},
    bill::{BadBillLine, BillLine},
    record::{End, Exchange},
    script::{Cut, CutAt, Encoding, Ending, Gate, Payload, Script},
};
use self::{bill::Bill, record::Records, script::Rule};
use crate::patience::wait_on;

mod agent;
mod answer;
mod bill;
mod body;
mod chat;
mod endpoint;
mod messages;
mod output;
mod record;
mod responses;
mod script;
mod server;
mod socket;
mod vectors;

/// A provider on a loopback port of the system's choice; speaks HTTP/1.1 and h2c. Clones share the same provider.
///
/// What it does with a request, first match wins: the request's `x-fake-script` header, a rule of [`Self::script_when`] or [`Self::script_by`],
/// the next of the queue filled by [`Self::script`], the agent scenario if one is set, the realistic default answer.
#[derive(Clone, Debug)]
pub struct FakeProvider {
    inner: Arc<Inner>,
}

/// Dropped with the last handle, which ends the accept loop and every connection.
#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the connections' tasks see.
#[derive(Debug)]
struct Shared {
    records: Records,
    scripts: Mutex<Scripts>,
    agent: Option<AgentScenario>,
    bill: Mutex<Option<Arc<Bill>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Scripts {
    rules: Vec<Rule>,
    queue: VecDeque<Script>,
}

impl FakeProvider {
    /// Starts on `127.0.0.1:0`.
    ///
    /// # Panics
    /// If no loopback port can be bound.
    pub async fn start() -> Self {
        Self::listen(0, None, Records::default())
            .await
            .expect("bind a loopback port")
    }

    /// Starts on `127.0.0.1:port`, plays `agent` when it is given, and appends one JSON line per request to `log`.
    pub async fn start_on(
        port: u16,
        agent: Option<AgentScenario>,
        log: Option<&Path>,
    ) -> std::io::Result<Self> {
        Self::listen(port, agent, Records::logging_to(log)?).await
    }

    async fn listen(
        port: u16,
        agent: Option<AgentScenario>,
        records: Records,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            records,
            scripts: Mutex::default(),
            agent,
            bill: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared
            .tasks
            .spawn(server::accept(listener, Arc::clone(&shared)));
        Ok(Self {
            inner: Arc::new(Inner { address, shared }),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// Base URL without `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}", self.inner.address)
    }

    /// Queues `script` for the next request that no rule takes.
    pub fn script(&self, script: Script) {
        self.inner.shared.scripts.lock().queue.push_back(script);
    }

    /// Answers every request for which `matches` holds with `script`.
    pub fn script_when(
        &self,
        matches: impl Fn(&Exchange) -> bool + Send + Sync + 'static,
        script: Script,
    ) {
        self.script_by(move |request| matches(request).then(|| script.clone()));
    }

    /// Answers every request for which `choose` gives a script with that.
    pub fn script_by(&self, choose: impl Fn(&Exchange) -> Option<Script> + Send + Sync + 'static) {
        let mut scripts = self.inner.shared.scripts.lock();
        scripts.rules.push(Rule::new(choose));
    }

    /// Charges every call from now on, by a [`BillLine`] each at the end of the file at `path`.
    pub fn bill(&self, path: &Path) -> std::io::Result<()> {
        let bill = Arc::new(Bill::open(path)?);
        *self.inner.shared.bill.lock() = Some(bill);
        Ok(())
    }

    /// Everything that arrived, in order of the request heads.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.inner.shared.records.snapshot()
    }

    /// The single exchange of the test so far.
    ///
    /// # Panics
    /// If there was none, or more than one.
    pub fn only_exchange(&self) -> Exchange {
        let mut all = self.exchanges();
        assert_eq!(
            all.len(),
            1,
            "expected exactly one upstream request, got {all:#?}"
        );
        all.remove(0)
    }

    /// Requests whose answer has neither been sent whole nor been given up.
    pub fn open_streams(&self) -> usize {
        let open = |all: &[Exchange]| all.iter().filter(|e| e.end.is_none()).count();
        self.inner.shared.records.look(open)
    }

    /// Waits until `holds` is true of the exchanges, and returns them. `holds` must not ask the provider for them.
    ///
    /// # Panics
    /// If that takes too long; `what` is in the text.
    pub async fn wait_until(
        &self,
        what: &str,
        holds: impl Fn(&[Exchange]) -> bool,
    ) -> Vec<Exchange> {
        let mut changes = self.inner.shared.records.changes();
        wait_on(&mut changes, || {
            let look = |all: &[Exchange]| holds(all).then(|| all.to_vec());
            self.inner.shared.records.look(look)
        })
        .await
        .unwrap_or_else(|| {
            panic!(
                "fake provider: waited in vain until {what}; exchanges: {:#?}",
                self.exchanges()
            )
        })
    }

    /// Waits until no answer is being sent any more.
    pub async fn wait_idle(&self) {
        self.wait_until("no stream is open", |all| {
            all.iter().all(|e| e.end.is_some())
        })
        .await;
    }

    /// Completes once the provider is stopped; for the binary.
    pub async fn stopped(&self) {
        self.inner.shared.stop.cancelled().await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl Shared {
    fn script_for(&self, request: &Exchange) -> Result<Script, serde_json::Error> {
        if let Some(header) = request.headers.get("x-fake-script") {
            return serde_json::from_slice(header.as_bytes());
        }
        let mut scripts = self.scripts.lock();
        if let Some(script) = scripts.rules.iter().find_map(|rule| rule.script(request)) {
            return Ok(script);
        }
        if let Some(script) = scripts.queue.pop_front() {
            return Ok(script);
        }
        drop(scripts);
        let agent = self
            .agent
            .as_ref()
            .filter(|_| request.method == Method::POST);
        Ok(agent.map_or_else(Script::default, |agent| agent.script(request)))
    }
}

#[cfg(test)]
mod tests;
