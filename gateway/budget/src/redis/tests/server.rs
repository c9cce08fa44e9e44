//! A real Redis on a socket of its own.

use std::{path::PathBuf, process::Stdio};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

pub(super) struct Server {
    directory: TempDir,
    options: Vec<&'static str>,
    run: Run,
}

struct Run {
    child: Child,
    /// Kept open, so that the server can go on writing.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(super) async fn with(options: &[&'static str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let run = spawn(directory.path().join("redis.sock"), options).await;
        Self {
            directory,
            options: options.to_vec(),
            run,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// The server hangs: it takes connections and bytes, and answers nothing.
    pub(super) fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(super) fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    pub(super) async fn kill(&mut self) {
        self.run.child.kill().await.unwrap();
    }

    /// A new server in the place of one that was killed, with nothing in it.
    pub(super) async fn restart(&mut self) {
        self.run = spawn(self.socket(), &self.options).await;
    }

    fn signal(&self, signal: Signal) {
        let id = self.run.child.id().expect("the server runs");
        let id = Pid::from_raw(i32::try_from(id).unwrap());
        signal::kill(id, signal).unwrap();
    }
}

async fn spawn(socket: PathBuf, options: &[&str]) -> Run {
    let child = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no"])
        .arg("--unixsocket")
        .arg(&socket)
        .arg("--dir")
        .arg(socket.parent().unwrap())
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.expect("start `redis-server` of the Debian package `redis-server`");
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = output.next_line().await.unwrap() {
        if line.contains("ready to accept connections") {
            return Run {
                child,
                _output: output,
            };
        }
    }
    panic!("redis-server has ended before it was ready");
}
