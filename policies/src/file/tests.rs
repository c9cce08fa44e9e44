//! Whatever stands in a file, it is read or refused with its path and a line; nothing panics.

use std::path::Path;

use proptest::prelude::*;

use crate::{Config, FileError, PolicyFile};

const NOTHING: [(&str, &str); 0] = [];
const CONFIG: &str = include_str!("../../examples/skinflint.toml");
const TENANT: &str = include_str!("../../examples/tenants/search-team.toml");

/// Reads bytes as a configuration and as a tenant file.
fn read(bytes: &[u8]) -> [Option<FileError>; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any.toml");
    std::fs::write(&path, bytes).unwrap();
    let errors = [
        Config::load(&path, &NOTHING).err(),
        PolicyFile::load(&path).err(),
    ];
    for error in errors.iter().flatten() {
        check(error, &path, bytes);
    }
    errors
}

fn check(error: &FileError, path: &Path, bytes: &[u8]) {
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    if let FileError::Wrong { line, message, .. } = error {
        let lines = bytes.split(|byte| *byte == b'\n').count();
        assert!((1..=lines).contains(line), "line {line} of {lines}");
        assert!(!message.is_empty());
    }
}

/// What a file of ours is made of, and what it is not.
const KNOWN: &[&str] = &[
    "[tenant]\n",
    "id = 'a'\n",
    "keys = ",
    "[[tenant.keys]]\n",
    "keyless = true\n",
    "models = ",
    "rate_limit = ",
    "{ requests_per_minute = ",
    "holdout = ",
    "[[budget]]\n",
    "scope = ",
    "window = ",
    "limit_usd = ",
    "alert_at = ",
    "queue_for = ",
    "'tenant'",
    "'key:k'",
    "'model:*'",
    "'tag:\u{7f}'",
    "'rolling:1h'",
    "'rolling:99999999999999999999y'",
    "'month'",
    "\n",
    "[",
    "]",
    "{",
    "}",
    "}\n",
    ", ",
    "[ledger]\n",
    "store = 'off'\n",
    "[counters]\n",
    "share = ",
    "[alerts]\n",
    "anomaly = ",
    "{ factor = ",
    "[[upstream]]\n",
    "name = 'a'\n",
    "protocol = 'openai'\n",
    "base_url = 'https://x.y'\n",
    "on_disconnect = ",
    "{ drain = ",
    "[[model]]\n",
    "upstream = 'local'\n",
    "[listen]\n",
    "calls = '0.0.0.0:1'\n",
    "policies = '/nowhere'\n",
    "0",
    "-1",
    "0.05",
    "1e308",
    "nan",
    "inf",
    "9223372036854775807",
    "true",
    "1979-05-27T07:32:00Z",
    "# ",
    "\"\"\"",
    "\\",
    "\u{0}",
    "\u{1F4B8}",
    ".",
    "=",
];

/// Pieces of which most combinations are nearly a file of ours.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(KNOWN).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
        1 => any::<f64>().prop_map(|number| number.to_string()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }

    #[test]
    fn nearly_a_file(pieces in prop::collection::vec(piece(), 0..40)) {
        read(pieces.concat().as_bytes());
    }

    #[test]
    fn a_shipped_file_with_one_piece_put_somewhere(piece in piece(), config in any::<bool>(), at in any::<prop::sample::Index>()) {
        let text = if config { CONFIG } else { TENANT };
        let at = at.index(text.len() + 1);
        let bytes = [&text.as_bytes()[..at], piece.as_bytes(), &text.as_bytes()[at..]].concat();
        read(&bytes);
    }
}

#[test]
fn a_file_that_is_written_halfway_is_read_or_refused() {
    let mut refused = 0;
    for end in 0..=TENANT.len() {
        let [_, tenant] = read(&TENANT.as_bytes()[..end]);
        refused += usize::from(tenant.is_some());
    }
    assert!(refused > TENANT.len() / 4, "{refused}");
    assert!(read(TENANT.as_bytes())[1].is_none());
}
