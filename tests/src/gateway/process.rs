//! One run of the gateway, and the folder that outlives it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;

use super::binary;
use crate::{Log, patience::within};

/// What a gateway finds when it starts, the first time and again.
#[derive(Debug)]
pub(super) struct Place {
    /// Holds the configuration, and what the gateway keeps: it is the home folder too.
    pub(super) directory: TempDir,
    /// The command that serves.
    pub(super) verb: Vec<String>,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
}

/// A `skinflint serve`, or another command that serves.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pub(super) calls: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) log: Log,
    pub(super) stdout: Log,
    pub(super) has_ended: bool,
}

impl Place {
    /// Where a file of the gateway's folder is.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }
}

impl Process {
    /// Starts it, and waits until both listeners are up.
    pub(super) async fn start(place: &Place) -> Self {
        let environment = place.environment.iter();
        let mut child = binary::hermetic(place.directory.path())
            .args(&place.verb)
            .args(&place.arguments)
            .envs(environment.map(|(name, value)| (name, value)))
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
            log,
            stdout,
            has_ended: false,
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let id = self.child.id().expect("the gateway runs");
        let id = Pid::from_raw(id.try_into().expect("a process id is positive"));
        kill(id, signal).expect("signal the gateway");
    }

    /// Resident memory, in bytes.
    pub(super) fn resident(&self) -> u64 {
        let id = self.child.id().expect("the gateway runs");
        let path = format!("/proc/{id}/status");
        let status = std::fs::read_to_string(path).expect("read the status");
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: Option<u64> = kib.and_then(|kib| kib.parse().ok());
        kib.expect("resident memory in the status") << 10
    }

    pub(super) async fn exited(&mut self) -> ExitStatus {
        let status = within(self.child.wait()).await;
        let Some(status) = status else {
            panic!("the gateway does not exit; its log:\n{}", self.log.text());
        };
        self.has_ended = true;
        status.expect("wait for the gateway")
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
