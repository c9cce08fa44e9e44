//! JTON 1.0: JSON, with tables for lists of objects.
//!
//! JTON is a strict superset of JSON (SPEC.md 1.0 of `gowthamkumar-nandakishore/JTON`). Its tables, Zen
//! Grids, name the members once and hold a value a cell:
//!
//! ```text
//! table  = "[" [count] ":" column *(sep column) 1*(";" row) "]"
//! column = name ["?"] [group]
//! group  = "{" name [group] *(sep name [group]) "}"
//! row    = cell *(sep cell)
//! cell   = value / identifier (a string without quotes) / nothing
//! name   = string / identifier
//! sep    = "," / tab / "|", the same throughout a table
//! ```
//!
//! In JTON 1.0 an empty cell is `null`. The `?` behind a name is this project's own mark, written by
//! [`Profile::Union`] alone and refused by readers of JTON 1.0: rows may be without this member, and
//! an empty cell in the column says that this one is. So are groups: `a{b,c}` says that `a` is an object
//! with the members `b` and `c`, whose values stand in the row as two cells. A group may be optional
//! (`a?{b,c}`): a row is without it if the first of its cells is empty, and then so are the others.
//!
//! Written tables have no spaces, their count, and cells as JSON spelled them, so that
//! `decode(encode(x)) == minify(x)` for every JSON text, byte by byte. Texts are handled as they are
//! spelled: numbers of any size, lone surrogates, and objects with a key twice, which never become
//! rows. All of it is free of recursion or bounded in its depth, and linear in time.

mod columns;
mod decode;
mod encode;
mod error;
mod groups;
mod hint;
mod lex;
mod rows;
pub(crate) mod scan;
#[cfg(test)]
mod tests;

pub use error::{JtonError, JtonErrorKind};
pub use hint::Notation;

/// Which lists become tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// Lists of objects that have the same keys in the same order; any reader of JTON 1.0 reads them.
    /// (The reference, in 1.0.3, miscounts brackets in the strings of a table within a table.)
    #[default]
    Standard,
    /// Also lists of objects whose keys are some of the columns from left to right, and groups for
    /// columns of objects with the same keys; see `?` and `{` in the module's description. Only the
    /// decoders here read them.
    Union,
}

/// A JSON text without space between its tokens. Numbers, strings and the order of keys stay as they
/// are spelled.
///
/// The text must be JSON by RFC 8259, of any depth and shorter than 4 GiB.
pub fn minify(json: &str) -> Result<String, JtonError> {
    scan::minify(json)
}

/// A JSON text with its lists of objects as tables where that takes fewer bytes; else minified.
///
/// Accepts what [`minify`] accepts. Lists in more than 128 containers stay JSON.
pub fn encode(json: &str, profile: Profile) -> Result<String, JtonError> {
    encode::encode(json, profile, None)
}

/// Like [`encode()`], with tables where `cost` (tokens, say) says that they are smaller: of each list,
/// and of the whole, so that the result never costs more than the minified text.
///
/// However tables are nested, what is measured in all is at most 26 times as long as the text.
pub fn encode_by_cost(
    json: &str,
    profile: Profile,
    cost: &dyn Fn(&str) -> usize,
) -> Result<String, JtonError> {
    encode::encode(json, profile, Some(cost))
}

/// [`encode()`], or [`encode_by_cost`] where there is a cost, of a text that was read already; `None` where that gains
/// nothing.
pub(crate) fn tables(
    minified: &scan::Minified,
    profile: Profile,
    cost: Option<&dyn Fn(&str) -> usize>,
) -> Option<String> {
    encode::tables(minified, profile, cost)
}

/// Minified JSON of a JTON text, whoever wrote it.
///
/// Accepts names without quotes (also with hyphens), one comma too many at the end of an object or
/// list, `//` and `/* */`, a byte order mark, all three separators, tables without a count, strings
/// without quotes in cells, and empty cells and `[:]`. As the reference does, it takes a count that
/// differs from the rows, and gives short rows the nulls that they lack (an optional column or group:
/// nothing);
/// it refuses long rows, rows without a cell, and a line break before `;` or a separator.
///
/// A key that stands twice stays twice. `NaN` and `Infinity` are errors, as JSON has no words for
/// them. The result is at most 64 times as long as the text and a mebibyte.
pub fn decode(text: &str) -> Result<String, JtonError> {
    decode::decode(text, decode::Strictness::Lenient)
}

/// Like [`decode()`], for tables that must be whole: a count must be the number of rows, and each row
/// must have a cell a column. A text that was cut since it was written is an error here.
pub fn decode_strict(text: &str) -> Result<String, JtonError> {
    decode::decode(text, decode::Strictness::Strict)
}

/// The most bytes that a text of this length may decode to.
const fn decoded_limit(length: usize) -> usize {
    length.saturating_mul(64).saturating_add(1 << 20)
}
