//! Names of models as written in a table: exact, or a prefix with one `*` at the end.

use std::fmt;

/// `claude-sonnet-5` matches itself; `claude-*` matches every name that begins with `claude-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelPattern {
    stem: String,
    prefix: bool,
}

/// What [`ModelPattern::parse`] expects, for messages.
pub(crate) const EXPECTED: &str = "expected a model's name, or a prefix with one `*` at its end";

// === impl ModelPattern ===

impl ModelPattern {
    /// Reads a pattern; `None` if it is empty or has a `*` anywhere but at the end.
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, prefix) = match text.strip_suffix('*') {
            Some(stem) => (stem, true),
            None => (text, false),
        };
        let sound = !text.is_empty() && !stem.contains('*');
        sound.then(|| Self {
            stem: stem.to_owned(),
            prefix,
        })
    }

    /// Whether the pattern covers `model`.
    pub fn matches(&self, model: &str) -> bool {
        if self.prefix {
            model.starts_with(&self.stem)
        } else {
            model == self.stem
        }
    }

    /// The name itself, unless the pattern stands for many.
    pub fn exact(&self) -> Option<&str> {
        (!self.prefix).then_some(self.stem.as_str())
    }

    /// Which of two matching patterns says more: an exact one before a prefix, a longer prefix before a shorter.
    pub(crate) fn specificity(&self) -> (bool, usize) {
        (!self.prefix, self.stem.len())
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.stem, if self.prefix { "*" } else { "" })
    }
}
