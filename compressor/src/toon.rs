//! TOON 4.0, in which indentation stands for braces and a list of objects is a table.
//!
//! Section numbers are those of SPEC.md 4.0 of `toon-format/spec`. TOON carries what JSON means, not how
//! it is spelled: numbers come in one form without an exponent, and of a key that an object has twice
//! the last value counts, in the place of the first.
//!
//! Where the specification leaves a choice: a number that would take more than 400 zeros is written
//! as a string of its JSON spelling and read as it is spelled; numbers are never rounded.

mod decode;
mod encode;
mod error;
mod header;
mod lines;
mod number;
mod shape;
#[cfg(test)]
mod tests;
mod token;
mod value;

pub use error::{ToonError, ToonErrorKind};

/// Containers that may stand in each other, reading or writing.
const MAX_DEPTH: usize = 128;

/// What separates values in a line (section 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Delimiter {
    /// `,`, which headers leave out.
    #[default]
    Comma,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
}

impl Delimiter {
    const fn as_char(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Tab => '\t',
            Self::Pipe => '|',
        }
    }

    /// How a header names it.
    const fn symbol(self) -> &'static str {
        match self {
            Self::Comma => "",
            Self::Tab => "\t",
            Self::Pipe => "|",
        }
    }
}

/// How TOON is written (section 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Spaces a level; 0 counts as 1.
    pub indent: usize,
    /// What separates values.
    pub delimiter: Delimiter,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            indent: 2,
            delimiter: Delimiter::Comma,
        }
    }
}

/// How TOON is read (section 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Spaces a level; 0 counts as 1.
    pub indent: usize,
    /// Whether the errors of section 14 are errors. Else counts are not checked, blank lines may stand
    /// anywhere, indentation is rounded down, the last of equal keys wins, and a header that is none is
    /// a key.
    pub strict: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            indent: 2,
            strict: true,
        }
    }
}

/// A JSON text as TOON, without a line feed at its end.
///
/// Errors: text that is not JSON, lone surrogates, which TOON cannot say, and more than 128 containers
/// in each other. Places are those in the JSON text.
pub fn encode(json: &str, options: EncodeOptions) -> Result<String, ToonError> {
    let value = value::Value::from_json(json)?;
    Ok(encode::encode(&value, options))
}

/// A TOON text as minified JSON.
///
/// The result is at most 64 times as long as the text and a mebibyte: tables repeat their names.
pub fn decode(text: &str, options: DecodeOptions) -> Result<String, ToonError> {
    let value = decode::decode(text, options)?;
    let mut json = String::with_capacity(text.len());
    value.write_json(&mut json);
    Ok(json)
}
