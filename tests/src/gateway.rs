//! The real binary as a child process. See [`Gateway`].

use std::{net::SocketAddr, path::PathBuf, process::ExitStatus, time::Duration};

use nix::sys::signal::Signal;
use serde_json::Value;

#[cfg(test)]
pub(crate) use self::config::client;
use self::process::{Place, Process};
pub use self::{binary::Command, config::GatewayBuilder};
use crate::{FakeProvider, Load, Log, RawConnection, patience::within};

mod binary;
mod config;
mod process;

/// How often a state that cannot announce itself is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Calls admitted and not yet answered to the last byte.
const IN_FLIGHT: &str = "skinflint_calls_in_flight";
/// Upstream calls whose answer has not ended.
const UPSTREAM_IN_FLIGHT: &str = "skinflint_upstream_calls_in_flight";
const RESERVATIONS: &str = "skinflint_reservations_open";

/// A running `skinflint serve`. End each test with [`Self::finish`], which proves that nothing leaked.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    place: Place,
    scheme: &'static str,
    client: reqwest::Client,
    providers: Vec<FakeProvider>,
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

    fn new(
        process: Process,
        place: Place,
        scheme: &'static str,
        providers: Vec<FakeProvider>,
        client: reqwest::Client,
    ) -> Self {
        Self {
            process,
            place,
            scheme,
            client,
            providers,
        }
    }

    /// Where calls are taken.
    pub fn calls(&self) -> SocketAddr {
        self.process.calls
    }

    /// Where health and metrics are.
    pub fn admin(&self) -> SocketAddr {
        self.process.admin
    }

    /// URL of `path` on the calls listener.
    pub fn url(&self, path: &str) -> String {
        format!(
            "{}://localhost:{}{path}",
            self.scheme,
            self.process.calls.port()
        )
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
        RawConnection::open(self.process.calls).await
    }

    /// Calls to the calls listener, thousands at once.
    pub fn load(&self) -> Load {
        Load::new(self.process.calls)
    }

    /// The log: what the gateway wrote to stderr.
    pub fn log(&self) -> &Log {
        &self.process.log
    }

    /// Everything written so far to stderr and stdout.
    pub fn output(&self) -> String {
        format!(
            "{}\n{}",
            self.process.log.text(),
            self.process.stdout.text()
        )
    }

    /// The log line of the call that was answered with this `x-skinflint-request-id`.
    ///
    /// # Panics
    /// If there is none in time.
    pub async fn call_line(&self, request_id: &str) -> Value {
        let wanted =
            |event: &Value| event["message"] == "call" && event["request_id"] == request_id;
        self.process
            .log
            .wait(&format!("the call {request_id}"), wanted)
            .await
    }

    /// Status and body of an admin path.
    ///
    /// # Panics
    /// If the admin listener does not answer.
    pub async fn admin_get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.process.admin);
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

    /// Resident memory of the process, in bytes.
    ///
    /// # Panics
    /// If it does not run.
    pub fn resident(&self) -> u64 {
        self.process.resident()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the process has been waited for already.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for the end of the process.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn exited(&mut self) -> ExitStatus {
        self.process.exited().await
    }

    /// Ends the process at once; for tests of what must survive it.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.exited().await;
    }

    /// Starts it again in the same folder once it has ended: with what it kept there, new ports and a new log.
    ///
    /// # Panics
    /// If it runs still, or does not come up.
    pub async fn start_again(&mut self) {
        assert!(self.process.has_ended, "the gateway runs still");
        self.process = Process::start(&self.place).await;
    }

    /// Sets an environment variable of the gateway, which it finds when it is next started.
    pub fn set_env(&mut self, name: &str, value: &str) {
        let environment = &mut self.place.environment;
        environment.retain(|(known, _)| known != name);
        environment.push((name.into(), value.into()));
    }

    /// Where a file of the gateway's folder is; the folder holds the configuration and is its home.
    pub fn path(&self, path: &str) -> PathBuf {
        self.place.path(path)
    }

    /// The SQLite ledger, where no other is configured.
    pub fn ledger(&self) -> PathBuf {
        self.path(".local/share/skinflint/ledger.db")
    }

    /// Replaces a file of the gateway's folder at one stroke, as an editor does.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn replace(&self, path: &str, text: &str) {
        // Beside the folder, so that the file itself is all that changes in it.
        let new = self.path("").with_extension("new");
        std::fs::write(&new, text).expect("write the file");
        std::fs::rename(new, self.path(path)).expect("put the file in its place");
    }

    /// Runs another command of the binary with the gateway's configuration and environment, while it runs or after.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn cli(&self, arguments: &[&str]) -> Command {
        let Place {
            directory,
            environment,
            ..
        } = &self.place;
        Command::run_in(directory.path(), environment, arguments).await
    }

    /// Proves that nothing leaked, and ends the process: no upstream stream open, no call in flight, exit code 0 after SIGTERM,
    /// and no panic in the log.
    ///
    /// # Panics
    /// If something leaked.
    pub async fn finish(mut self) {
        if !self.process.has_ended {
            for provider in &self.providers {
                provider.wait_idle().await;
            }
            self.wait_metric(IN_FLIGHT, 0.0).await;
            self.wait_metric(UPSTREAM_IN_FLIGHT, 0.0).await;
            self.wait_metric(RESERVATIONS, 0.0).await;
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
        let forgotten = !self.process.has_ended && !std::thread::panicking();
        assert!(!forgotten, "end the test with `gateway.finish().await`");
    }
}

#[cfg(test)]
mod tests;
