//! Why a text is not JSON or not JTON, and where.

use crate::place::Place;

/// A fault in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {kind}")]
pub struct JtonError {
    /// What is wrong.
    pub kind: JtonErrorKind,
    /// Where.
    pub place: Place,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JtonErrorKind {
    /// Offsets are kept in 32 bits.
    #[error("text of 4 GiB or more")]
    TooLong,
    /// Tables repeat their column names; what comes of a text is bounded in proportion to it.
    #[error("the decoded text is more than 64 times as long")]
    TooLarge,
    /// Something else stands here, or the text ends.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A number with a leading zero, a bare sign, point or exponent.
    #[error("expected a number as JSON writes it")]
    InvalidNumber,
    /// `NaN` and `Infinity` are JTON, and there is no JSON for them.
    #[error("expected a finite number, which JSON can say")]
    NonFiniteNumber,
    /// A control character that must be escaped in a string.
    #[error("expected an escape in place of the control character")]
    ControlCharacter,
    /// A backslash with something that JSON does not know.
    #[error("expected an escape that JSON knows")]
    InvalidEscape,
    /// A row without any cell, not even an empty one beside a separator.
    #[error("expected a cell")]
    EmptyRow,
    /// A row with more cells than the table has columns.
    #[error("expected the end of the row, which has its {columns} cells")]
    LongRow {
        /// Columns of the table.
        columns: usize,
    },
    /// A row with fewer cells than the table has columns; an error of [`decode_strict`](super::decode_strict).
    #[error("expected {columns} cells in the row, found {cells}")]
    ShortRow {
        /// Columns of the table.
        columns: usize,
        /// Cells of the row.
        cells: usize,
    },
    /// A table with more or fewer rows than it says; an error of [`decode_strict`](super::decode_strict).
    #[error("expected {counted} rows, found {found}")]
    RowCount {
        /// Rows by the table's head.
        counted: u64,
        /// Rows that are there.
        found: u64,
    },
}

/// A fault at a byte, which becomes a [`JtonError`] once the text is at hand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) kind: JtonErrorKind,
    pub(super) offset: usize,
}

impl Fault {
    pub(super) fn new(kind: JtonErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    #[cold]
    pub(super) fn expected(what: &'static str, offset: usize) -> Self {
        Self::new(JtonErrorKind::Expected(what), offset)
    }

    pub(super) fn in_text(self, text: &str) -> JtonError {
        JtonError {
            kind: self.kind,
            place: Place::of(text, self.offset),
        }
    }
}
