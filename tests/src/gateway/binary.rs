//! Where the built binaries are, and one-off runs of them.

use std::path::{Path, PathBuf};

use tokio::process;

/// Names another gateway binary than the one beside the tests.
const OVERRIDE: &str = "SKINFLINT_BIN";

/// Path of the gateway binary: `target/PROFILE/skinflint`, beside the folder of the running test.
pub(super) fn skinflint() -> PathBuf {
    let path = std::env::var_os(OVERRIDE).map_or_else(|| beside_tests("skinflint"), PathBuf::from);
    assert!(
        path.is_file(),
        "no gateway binary at {}: run `make build-test`",
        path.display()
    );
    path
}

/// The test executable lies in `target/PROFILE/deps`.
fn beside_tests(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("a test lies in target/PROFILE/deps");
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
        let mut command = hermetic(directory);
        let output = command
            .args(arguments)
            .output()
            .await
            .expect("run skinflint");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
