//! What may be done to requests to make them smaller.

use serde::Deserialize;

/// What may be done to results of tools when they are first sent. A mode may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompressMode {
    /// Nothing.
    Off,
    /// Another notation for the same content.
    #[default]
    Safe,
    /// Parts of lists, logs, patches and search results are left out as well; the model can fetch them.
    Balanced,
    /// So are words of prose.
    Aggressive,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    #[serde(default)]
    pub(super) mode: CompressMode,
}

impl CompressMode {
    /// The mode of this name, as policies and headers spell it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::Off),
            "safe" => Some(Self::Safe),
            "balanced" => Some(Self::Balanced),
            "aggressive" => Some(Self::Aggressive),
            _ => None,
        }
    }
}
