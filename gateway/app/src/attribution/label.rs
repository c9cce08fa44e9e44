//! A name given by a client, made safe to log, to store and to show.

use std::fmt;

/// At most 128 characters without control characters; what is longer keeps its beginning and a hash of the whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Label(Box<str>);

const MAX_CHARS: usize = 128;
/// Room for `~` and 16 hexadecimal digits.
const KEPT_CHARS: usize = MAX_CHARS - 17;

// === impl Label ===

impl Label {
    /// A client's text as a label; `None` if there is nothing to read in it.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let clean: String = text.trim().chars().filter(|c| !c.is_control()).collect();
        if clean.is_empty() {
            return None;
        }
        if clean.chars().nth(MAX_CHARS).is_none() {
            return Some(Self(clean.into()));
        }
        let hash = blake3::hash(clean.as_bytes()).to_hex();
        let kept: String = clean.chars().take(KEPT_CHARS).collect();
        Some(Self(format!("{kept}~{}", &hash[..16]).into()))
    }

    /// `key:value`, as tags from structured metadata are written.
    pub(super) fn pair(key: &str, value: &str) -> Option<Self> {
        Self::new(&format!("{}:{}", key.trim(), value.trim()))
    }

    pub(super) fn fingerprint(hash: &str) -> Self {
        Self(format!("fp_{hash}").into())
    }

    /// The label as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_short_and_printable() {
        assert_eq!(Label::new("  fix bug \r\n").unwrap().as_str(), "fix bug");
        assert_eq!(Label::new("a\u{1b}[31mb").unwrap().as_str(), "a[31mb");
        assert_eq!(Label::new(" \n"), None);
    }

    #[test]
    fn long_texts_with_one_beginning_stay_apart() {
        let (a, b) = (
            format!("{}a", "x".repeat(500)),
            format!("{}b", "x".repeat(500)),
        );
        let (a, b) = (Label::new(&a).unwrap(), Label::new(&b).unwrap());
        assert_ne!(a, b);
        assert_eq!(a.as_str().chars().count(), MAX_CHARS);
    }
}
