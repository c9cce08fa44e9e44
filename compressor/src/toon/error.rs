//! Why a text is not TOON or cannot become TOON, and where.

use crate::jton::{JtonError, JtonErrorKind};
use crate::place::Place;

/// A fault in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {kind}")]
pub struct ToonError {
    /// What is wrong.
    pub kind: ToonErrorKind,
    /// Where.
    pub place: Place,
}

impl From<JtonError> for ToonError {
    fn from(error: JtonError) -> Self {
        Self {
            kind: ToonErrorKind::Json(error.kind),
            place: error.place,
        }
    }
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ToonErrorKind {
    /// The text to encode is not JSON.
    #[error("{0}")]
    Json(JtonErrorKind),
    /// Half of a surrogate pair, which is no character.
    #[error("expected a character, found half of a surrogate pair")]
    LoneSurrogate,
    /// More containers in each other than are read or written.
    #[error("expected at most 128 containers in each other")]
    TooDeep,
    /// Tables repeat their names; what comes of a text is bounded in proportion to it.
    #[error("the decoded text is more than 64 times as long")]
    TooLarge,
    /// Something else stands here, or the text ends.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A string without its closing quote, or with something behind it (section 7.4).
    #[error("expected the string to end with a quote and nothing behind it")]
    InvalidString,
    /// A backslash with something that TOON does not know (section 7.1).
    #[error("expected an escape that TOON knows")]
    InvalidEscape,
    /// Brackets where a header stands that are none (section 6).
    #[error("expected a header: `key[N]:`, `key[N]{{fields}}:` or `key[N:]{{fields}}:`")]
    InvalidHeader,
    /// A header without a key where a field must have one, or with fields where an item has none.
    #[error("expected a header with a key")]
    KeylessHeader,
    /// Values behind a header with fields (section 6).
    #[error("expected the rows in lines of their own")]
    InlineRows,
    /// A key that its object has already (section 14).
    #[error("expected a key that is new to its object")]
    DuplicateKey,
    /// Indentation that is not a multiple of the unit, or has tabs (section 12).
    #[error("expected an indentation of a multiple of {unit} spaces")]
    Indentation {
        /// Spaces a level.
        unit: usize,
    },
    /// A line deeper than what may stand here.
    #[error("expected a line that is not as deep")]
    TooIndented,
    /// A blank line in a list or table (section 12).
    #[error("expected no blank line in a list or table")]
    BlankLine,
    /// More or fewer values than the header says (section 14.1).
    #[error("expected {counted} values, found {found}")]
    Count {
        /// Values by the header.
        counted: u64,
        /// Values that are there.
        found: u64,
    },
    /// A row with more or fewer cells than the table has fields (section 14.1).
    #[error("expected {fields} cells in the row, found {cells}")]
    RowWidth {
        /// Fields of the table, those in groups each by itself.
        fields: usize,
        /// Cells of the row.
        cells: usize,
    },
}

/// A fault at a byte of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) kind: ToonErrorKind,
    pub(super) offset: usize,
}

impl Fault {
    pub(super) fn new(kind: ToonErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    pub(super) fn in_text(self, text: &str) -> ToonError {
        ToonError {
            kind: self.kind,
            place: Place::of(text, self.offset),
        }
    }
}
