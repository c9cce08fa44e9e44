//! Where the weights of local models lie on this machine.

use std::{env::var_os, path::PathBuf};

/// The folder that `skinflint models pull` fills when nobody says otherwise.
pub fn folder() -> PathBuf {
    let folder = |name| {
        var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = || folder("HOME").map(|home| home.join(".local/share"));
    let data = folder("XDG_DATA_HOME").or_else(home);
    data.unwrap_or_default().join("skinflint/models")
}
