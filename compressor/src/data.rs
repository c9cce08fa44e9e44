//! Test data that lies outside of the project.

use std::path::PathBuf;

/// A file of the evaluation data, named by `SKINFLINT_EVAL_DATA` or beside the project; none, and a
/// word about it, where it is not there.
pub(crate) fn read(name: &str) -> Option<String> {
    let folder = std::env::var_os("SKINFLINT_EVAL_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: {} is not there", path.display());
    }
    text
}
