//! Why a request cannot be read.

use crate::json::JsonError;

/// A fault in a request, with the place in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// The body is not JSON, or over the limits.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A key that is read stands twice in its object, so that readers could disagree.
    #[error("{path}: duplicate key at byte {offset}")]
    DuplicateKey {
        /// Where in the request.
        path: String,
        /// The first byte of the second value.
        offset: usize,
    },
    /// A key that is read stands there in another letter case, which some readers take for the same.
    #[error("{path}: key in another letter case at byte {offset}")]
    LetterCase {
        /// Where in the request, as it should be spelled.
        path: String,
        /// The first byte of its value.
        offset: usize,
    },
    /// Something required is absent or `null`.
    #[error("{path}: missing, expected {expected}")]
    Missing {
        /// Where in the request.
        path: String,
        /// What should be there.
        expected: &'static str,
    },
    /// Something has the wrong type or value.
    #[error("{path}: expected {expected}, found {found} at byte {offset}")]
    Unexpected {
        /// Where in the request.
        path: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: &'static str,
        /// Its first byte.
        offset: usize,
    },
    /// Two members that exclude each other.
    #[error("{path}: cannot be combined with {other}")]
    Conflict {
        /// Where in the request.
        path: String,
        /// The other member, in the same object.
        other: &'static str,
    },
}

impl ViewError {
    /// The place in the request, such as `messages[3].content`; none when it is not JSON at all.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Json(_) => None,
            Self::DuplicateKey { path, .. }
            | Self::LetterCase { path, .. }
            | Self::Missing { path, .. }
            | Self::Unexpected { path, .. }
            | Self::Conflict { path, .. } => Some(path),
        }
    }
}
