//! Names that become metric labels, file names and parts of keys.

/// Longest name.
const MAX_LEN: usize = 64;

/// What [`is_one`] expects, for messages.
pub(crate) const EXPECTED: &str = "expected 1 to 64 ASCII letters, digits, `-`, `_` or `.`";

/// Whether `text` has 1 to 64 ASCII letters, digits, `-`, `_` and `.`, and nothing else.
pub(crate) fn is_one(text: &str) -> bool {
    (1..=MAX_LEN).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
