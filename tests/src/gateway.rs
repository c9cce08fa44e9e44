//! The real binary as a child process. See [`Gateway`].

use std::{
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;

#[cfg(test)]
pub(crate) use self::config::client;
pub use self::{binary::Command, config::GatewayBuilder};
use crate::{FakeProvider, Log, RawConnection, patience::within};

mod binary;
mod config;

/// How often a state that cannot announce itself is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Calls admitted and not yet answered to the last byte.
const IN_FLIGHT: &str = "skinflint_calls_in_flight";
/// Upstream calls whose answer has not ended.
const UPSTREAM_IN_FLIGHT: &str = "skinflint_upstream_calls_in_flight";

/// A running `skinflint serve`. End each test with [`Self::finish`], which proves that nothing leaked.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    calls: SocketAddr,
    admin: SocketAddr,
    scheme: &'static str,
    log: Log,
    stdout: Log,
    client: reqwest::Client,
    providers: Vec<FakeProvider>,
    /// Holds the configuration for as long as the process reads it.
    _directory: TempDir,
    finished: bool,
}

impl Gateway {
    /// A gateway whose models `gpt-*` and `text-embedding-*` (OpenAI) and `claude-*` (Anthropic) come from `provider`.
    pub fn builder(provider: &FakeProvider) -> GatewayBuilder {
        GatewayBuilder::new()
            .watch(provider)
            .upstreams_at(&provider.url())
    }

    /// Starts the gateway of [`Self::builder`] as it is.
    pub async fn start(provider: &FakeProvider) -> Self {
        Self::builder(provider).start().await
    }

    async fn spawn(
        mut command: tokio::process::Command,
        directory: TempDir,
        scheme: &'static str,
        providers: Vec<FakeProvider>,
        client: reqwest::Client,
    ) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("start the gateway");
        let log = Log::collect(child.stderr.take().expect("stderr is piped"));
        let stdout = Log::collect(child.stdout.take().expect("stdout is piped"));
        let calls = listening(&log, "calls").await;
        let admin = listening(&log, "admin").await;
        Self {
            child,
            calls,
            admin,
            scheme,
            log,
            stdout,
            client,
            providers,
            _directory: directory,
            finished: false,
        }
    }

    /// Where calls are taken.
    pub fn calls(&self) -> SocketAddr {
        self.calls
    }

    /// Where health and metrics are.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// URL of `path` on the calls listener.
    pub fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.calls.port())
    }

    /// A client without redirects, proxies and content decoding.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// A `POST` of a JSON body.
    pub fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.client
            .post(self.url(path))
            .header("content-type", "application/json")
            .body(body)
    }

    /// A connection to the calls listener that sends whatever it is told.
    pub async fn raw(&self) -> RawConnection {
        RawConnection::open(self.calls).await
    }

    /// The log: what the gateway wrote to stderr.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Everything written so far to stderr and stdout.
    pub fn output(&self) -> String {
        format!("{}\n{}", self.log.text(), self.stdout.text())
    }

    /// The log line of the call that was answered with this `x-skinflint-request-id`.
    ///
    /// # Panics
    /// If there is none in time.
    pub async fn call_line(&self, request_id: &str) -> Value {
        let wanted =
            |event: &Value| event["message"] == "call" && event["request_id"] == request_id;
        self.log
            .wait(&format!("the call {request_id}"), wanted)
            .await
    }

    /// Status and body of an admin path.
    ///
    /// # Panics
    /// If the admin listener does not answer.
    pub async fn admin_get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.admin);
        let response = self
            .client
            .get(url)
            .send()
            .await
            .expect("the admin listener answers");
        let status = response.status().as_u16();
        (status, response.text().await.expect("an admin body"))
    }

    /// Sum of a metric over its labels; `None` when it is not exported.
    ///
    /// # Panics
    /// If `/metrics` does not answer with 200.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let (status, text) = self.admin_get("/metrics").await;
        assert_eq!(status, 200, "/metrics: {text}");
        let sample = |line: &str| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{']).then_some(())?;
            rest.rsplit(' ').next()?.parse::<f64>().ok()
        };
        text.lines()
            .filter_map(sample)
            .reduce(|sum, value| sum + value)
    }

    /// Waits until a metric has this value.
    ///
    /// # Panics
    /// If it does not get there in time.
    pub async fn wait_metric(&self, name: &str, wanted: f64) {
        let mut last = None;
        let reached = within(async {
            loop {
                last = self.metric(name).await;
                if last.is_some_and(|value| (value - wanted).abs() < f64::EPSILON) {
                    return;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
        .await;
        assert!(
            reached.is_some(),
            "waited in vain for {name} = {wanted}; it is {last:?}"
        );
    }

    /// Waits until this many calls are admitted and not yet answered to the last byte.
    pub async fn wait_in_flight(&self, calls: u32) {
        self.wait_metric(IN_FLIGHT, calls.into()).await;
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the process has been waited for already.
    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the gateway runs");
        let id = Pid::from_raw(id.try_into().expect("a process id is positive"));
        kill(id, signal).expect("signal the gateway");
    }

    /// Waits for the end of the process.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn exited(&mut self) -> ExitStatus {
        let status = within(self.child.wait()).await;
        let Some(status) = status else {
            panic!("the gateway does not exit; its log:\n{}", self.log.text());
        };
        self.finished = true;
        status.expect("wait for the gateway")
    }

    /// Ends the process at once; for tests of what must survive it.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.exited().await;
    }

    /// Proves that nothing leaked, and ends the process: no upstream stream open, no call in flight, exit code 0 after SIGTERM,
    /// and no panic in the log.
    ///
    /// # Panics
    /// If something leaked.
    pub async fn finish(mut self) {
        if !self.finished {
            for provider in &self.providers {
                provider.wait_idle().await;
            }
            self.wait_metric(IN_FLIGHT, 0.0).await;
            self.wait_metric(UPSTREAM_IN_FLIGHT, 0.0).await;
            self.signal(Signal::SIGTERM);
        }
        let status = self.exited().await;
        let output = self.output();
        assert_eq!(
            status.code(),
            Some(0),
            "exit status {status}; output:\n{output}"
        );
        assert!(
            !output.contains("panicked at"),
            "the gateway panicked:\n{output}"
        );
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let forgotten = !self.finished && !std::thread::panicking();
        assert!(!forgotten, "end the test with `gateway.finish().await`");
    }
}

/// Address of the listener that the log names `listener`.
async fn listening(log: &Log, listener: &str) -> SocketAddr {
    let wanted = |event: &Value| event["message"] == "listening" && event["listener"] == listener;
    let event = log
        .wait(&format!("the listener `{listener}`"), wanted)
        .await;
    let address = event["addr"]
        .as_str()
        .and_then(|address| address.parse().ok());
    address.unwrap_or_else(|| panic!("no address in {event}"))
}
