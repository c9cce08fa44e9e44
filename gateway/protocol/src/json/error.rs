//! Why a text is not JSON, and where.

use std::fmt;

/// A fault in a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid json: {kind} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// The first byte at which the text cannot be right, counted from 0.
    pub offset: usize,
}

impl JsonError {
    /// The fault's place in the text, found by counting line feeds up to it.
    pub fn location(&self, bytes: &[u8]) -> Location {
        let before = &bytes[..self.offset.min(bytes.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        Location {
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: String::from_utf8_lossy(&before[line_start..])
                .chars()
                .count()
                + 1,
        }
    }
}

/// A place in a text, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Lines, ended by line feeds.
    pub line: usize,
    /// Characters, not bytes.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum JsonErrorKind {
    /// Offsets are kept in 32 bits.
    #[error("text of 4 GiB or more")]
    TooLong,
    /// More open brackets than the limit.
    #[error("nesting too deep")]
    TooDeep,
    /// More values than the limit.
    #[error("too many values")]
    TooManyValues,
    /// Bytes that are not UTF-8.
    #[error("invalid utf-8")]
    InvalidUtf8,
    /// The text stops inside a value.
    #[error("unexpected end")]
    UnexpectedEnd,
    /// Something else stands where a value must.
    #[error("expected a value")]
    ExpectedValue,
    /// Something else stands where an object's key must.
    #[error("expected a key in quotes")]
    ExpectedKey,
    /// A key without its colon.
    #[error("expected `:`")]
    ExpectedColon,
    /// An array that neither goes on nor ends.
    #[error("expected `,` or `]`")]
    ExpectedArrayEnd,
    /// An object that neither goes on nor ends.
    #[error("expected `,` or `}}`")]
    ExpectedObjectEnd,
    /// A number with a leading zero, a bare sign, point or exponent.
    #[error("invalid number")]
    InvalidNumber,
    /// `NaN` or `Infinity`, which are not JSON.
    #[error("non-finite number")]
    NonFiniteNumber,
    /// A control character that must be escaped in a string.
    #[error("control character in a string")]
    ControlCharacter,
    /// A backslash with something that JSON does not know.
    #[error("invalid escape")]
    InvalidEscape,
    /// Half of a surrogate pair, which is no character.
    #[error("lone surrogate")]
    LoneSurrogate,
    /// Something after the value.
    #[error("trailing characters")]
    TrailingCharacters,
}
