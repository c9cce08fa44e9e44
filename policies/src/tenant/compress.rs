//! What may be done to requests to make them smaller.

mod prose;

use serde::Deserialize;

pub use self::prose::{Prose, ProseMethod};
use crate::{file::Invalid, share::Share};

/// What may be done to requests to make them smaller, and on what evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compress {
    /// How far it may go.
    pub mode: CompressMode,
    /// What leaves something out is served only while its share of changed answers is shown to be at most this.
    pub max_error: Share,
    /// The share of calls that are asked both ways, to see whether the answer is the same.
    pub audit: Share,
    /// Whether that evidence is asked for at all.
    pub guard: bool,
    /// How words of prose are left out.
    pub prose: Prose,
}

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
    mode: CompressMode,
    max_error: Option<Share>,
    audit: Option<Share>,
    guard: Option<bool>,
    #[serde(default)]
    prose: prose::Raw,
}

/// One answer in twenty changed: as much as two runs of the same call differ with many models.
const DEFAULT_MAX_ERROR: Share = Share::millionths(50_000);
/// What the guard can show in a day of work, for a tenth more cost on the calls that bring long results.
const DEFAULT_AUDIT: Share = Share::millionths(100_000);
/// What the guard can be asked for.
const MAX_ERROR: std::ops::RangeInclusive<Share> =
    Share::millionths(100)..=Share::millionths(250_000);

// === impl Compress ===

impl Compress {
    pub(super) fn validate(raw: &Raw) -> Result<Self, Invalid> {
        let max_error = raw.max_error.unwrap_or(DEFAULT_MAX_ERROR);
        if !MAX_ERROR.contains(&max_error) {
            return Err(Invalid::new(
                "max_error",
                format!(
                    "expected a share from {} to {}",
                    MAX_ERROR.start(),
                    MAX_ERROR.end()
                ),
            ));
        }
        // Nothing has to be shown of what changes no content.
        let default_audit = if raw.mode > CompressMode::Safe {
            DEFAULT_AUDIT
        } else {
            Share::NONE
        };
        let audit = raw.audit.unwrap_or(default_audit);
        let guard = raw.guard.unwrap_or(true);
        if audit > Share::WHOLE {
            return Err(Invalid::new("audit", "expected a share of at most 1"));
        }
        if guard && raw.mode > CompressMode::Safe && audit == Share::NONE {
            return Err(Invalid::new(
                "audit",
                "without audits the guard never lets anything be left out; `guard = false` does so without evidence",
            ));
        }
        Ok(Self {
            mode: raw.mode,
            max_error,
            audit,
            guard,
            prose: Prose::validate(&raw.prose).map_err(|invalid| invalid.under("prose"))?,
        })
    }
}

impl Default for Compress {
    fn default() -> Self {
        Self {
            mode: CompressMode::default(),
            max_error: DEFAULT_MAX_ERROR,
            audit: Share::NONE,
            guard: true,
            prose: Prose::default(),
        }
    }
}

// === impl CompressMode ===

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
