//! Names of tenants.

use std::{fmt, sync::Arc};

use crate::name;

/// The name of a tenant: ASCII letters, digits, `-`, `_` and `.`, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

/// Who calls a gateway that has no tenant files.
const DEFAULT: &str = "default";

// === impl TenantId ===

impl TenantId {
    /// Reads a tenant's name; `None` if it is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let sound = name::is_one(text) && !text.starts_with('.');
        sound.then(|| Self(text.into()))
    }

    /// The tenant that everybody is while none is described.
    pub(crate) fn of_everybody() -> Self {
        Self(DEFAULT.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
