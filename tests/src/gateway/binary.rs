//! Where the built binaries are, and one-off runs of them.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process;

use crate::patience::within;

/// Names another gateway binary than the one beside the tests.
const OVERRIDE: &str = "SKINFLINT_BIN";

/// Path of the gateway binary: `target/PROFILE/skinflint`, where the running program was built.
pub(super) fn skinflint() -> PathBuf {
    let path = std::env::var_os(OVERRIDE).map_or_else(|| beside_tests("skinflint"), PathBuf::from);
    assert!(
        path.is_file(),
        "no gateway binary at {}: run `make build-test`",
        path.display()
    );
    path
}

/// A test lies in `target/PROFILE/deps`, another program in `target/PROFILE`.
fn beside_tests(name: &str) -> PathBuf {
    let program = std::env::current_exe().expect("the path of the running program");
    let folder = program.parent().expect("a program lies in a folder");
    let profile = match folder.parent() {
        Some(profile) if folder.ends_with("deps") => profile,
        _ => folder,
    };
    profile.join(name)
}

/// A process with an environment of its own: the search path, a home in `directory`, nothing else.
pub(super) fn hermetic(directory: &Path) -> process::Command {
    let mut command = process::Command::new(skinflint());
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", directory)
        .current_dir(directory);
    command
}

/// A one-off run of `skinflint`.
#[derive(Clone, Debug)]
pub struct Command {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Command {
    /// Runs `skinflint` with `arguments` in `directory`, to its end.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn run(directory: &Path, arguments: &[&str]) -> Self {
        Self::run_in(directory, &[], arguments).await
    }

    /// The same with these environment variables; the run is interrupted (SIGTERM) as soon as `interrupt` is over.
    ///
    /// # Panics
    /// If it cannot be started, or ends by itself before.
    pub async fn run_until(
        directory: &Path,
        environment: &[(String, String)],
        arguments: &[&str],
        interrupt: impl Future<Output = ()>,
    ) -> Self {
        let mut command = hermetic(directory);
        command
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let child = command.spawn().expect("run skinflint");
        let id = child.id().expect("it runs");
        let id = Pid::from_raw(id.try_into().expect("a process id is positive"));
        let output = child.wait_with_output();
        tokio::pin!(output);
        tokio::select! {
            () = interrupt => {}
            ended = &mut output => panic!("it ended by itself: {ended:?}"),
        }
        // Not SIGINT: it is ignored in whatever a shell runs in the background, these tests perhaps.
        kill(id, Signal::SIGTERM).expect("interrupt skinflint");
        let ended = within(output).await.expect("it ends in time");
        Self::of(ended.expect("wait for skinflint"))
    }

    /// The same with these environment variables, to its end.
    ///
    /// # Panics
    /// If it cannot be started.
    pub async fn run_in(
        directory: &Path,
        environment: &[(String, String)],
        arguments: &[&str],
    ) -> Self {
        let mut command = hermetic(directory);
        let output = command
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .args(arguments)
            .output()
            .await
            .expect("run skinflint");
        Self::of(output)
    }

    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
