//! JSON as a flat list of byte spans.
//!
//! [`Document::parse`] checks a whole text against RFC 8259 in one pass without recursion and keeps
//! where each value starts and ends, nothing else. Values are decoded when they are asked for, so a
//! body of long strings costs one look at each byte.

mod error;
mod escape;
mod scan;
mod write;

use std::borrow::Cow;
use std::ops::Range;

pub use error::{JsonError, JsonErrorKind, Location};
pub use write::literal;
pub(crate) use write::{encode, with_members};

/// Where a value stands in the parsed bytes, quotes and brackets included.
pub type Span = Range<usize>;

/// How much of a text the scanner is willing to take in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Open arrays and objects at one time.
    pub max_depth: usize,
    /// Values and keys in all; each costs 16 bytes while the document lives.
    pub max_values: usize,
    /// Values with more containers around them are checked and not kept: their container looks empty.
    pub kept_depth: usize,
}

impl Default for JsonLimits {
    /// Agents nest tool schemas some twenty deep; a million values bound the tape at 16 MB, twice that
    /// where it has to grow.
    fn default() -> Self {
        Self {
            max_depth: 64,
            max_values: 1_000_000,
            kept_depth: usize::MAX,
        }
    }
}

/// What sort of value a span holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, of any size and precision.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonKind {
    /// The kind with its article, for messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// One value or key. A container is followed by its contents, up to but excluding `next`.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    end: u32,
    next: u32,
    kind: JsonKind,
    escaped: bool,
}

/// A text that is JSON, and where its values are.
#[derive(Debug)]
pub struct Document<'t> {
    text: &'t str,
    tape: Vec<Entry>,
}

impl<'t> Document<'t> {
    /// Checks the text and records its values.
    pub fn parse(bytes: &'t [u8], limits: JsonLimits) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|error| JsonError {
            kind: JsonErrorKind::InvalidUtf8,
            offset: error.valid_up_to(),
        })?;
        let tape = scan::tape(bytes, limits)?;
        Ok(Self { text, tape })
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value {
            document: self,
            index: 0,
        }
    }
}

/// A value in a [`Document`].
#[derive(Debug, Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    index: usize,
}

impl<'d> Value<'d> {
    fn entry(&self) -> Entry {
        self.document.tape[self.index]
    }

    fn at(&self, index: usize) -> Self {
        Self { index, ..*self }
    }

    fn next(&self) -> usize {
        self.entry().next as usize
    }

    /// The value's bytes.
    pub fn span(&self) -> Span {
        let entry = self.entry();
        entry.start as usize..entry.end as usize
    }

    /// The value as it is spelled.
    pub fn raw(&self) -> &'d str {
        &self.document.text[self.span()]
    }

    /// What the value is.
    pub fn kind(&self) -> JsonKind {
        self.entry().kind
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// The text of a string; borrowed when nothing in it is escaped.
    pub fn as_str(&self) -> Option<Cow<'d, str>> {
        let entry = self.entry();
        if entry.kind != JsonKind::String {
            return None;
        }
        let raw = &self.document.text[entry.start as usize + 1..entry.end as usize - 1];
        Some(if entry.escaped {
            Cow::Owned(escape::decode(raw))
        } else {
            Cow::Borrowed(raw)
        })
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        (self.kind() == JsonKind::Bool).then(|| self.raw() == "true")
    }

    /// A number as the nearest `f64`; none when it is too large for one.
    pub fn as_f64(&self) -> Option<f64> {
        if self.kind() != JsonKind::Number {
            return None;
        }
        self.raw()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    /// A whole number that is not negative. `1.0` and `1e2` are whole, as JSON has one number type.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i128().and_then(|number| u64::try_from(number).ok())
    }

    /// A whole number.
    pub fn as_i64(&self) -> Option<i64> {
        self.as_i128().and_then(|number| i64::try_from(number).ok())
    }

    fn as_i128(&self) -> Option<i128> {
        /// Whole numbers below are exact in an `f64`; this one is also what its successor rounds to.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.kind() != JsonKind::Number {
            return None;
        }
        self.raw().parse().ok().or_else(|| {
            let number = self.as_f64()?;
            #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^53")]
            (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i128)
        })
    }

    /// The values of an array.
    pub fn as_array(&self) -> Option<Elements<'d>> {
        (self.kind() == JsonKind::Array).then(|| Elements {
            next: self.at(self.index + 1),
            end: self.next(),
        })
    }

    /// The members of an object, as they stand, duplicates included.
    pub fn as_object(&self) -> Option<Members<'d>> {
        (self.kind() == JsonKind::Object).then(|| Members {
            next: self.at(self.index + 1),
            end: self.next(),
        })
    }

    /// The member with this key; the last one where there are several, as most readers have it.
    pub fn get(&self, key: &str) -> Option<Self> {
        self.as_object()?
            .filter_map(|(name, value)| (name == key).then_some(value))
            .last()
    }

    /// The member with this key, unless it is `null`.
    pub fn non_null(&self, key: &str) -> Option<Self> {
        self.get(key).filter(|value| !value.is_null())
    }
}

/// The values of an array in order.
#[derive(Debug, Clone)]
pub struct Elements<'d> {
    next: Value<'d>,
    end: usize,
}

impl<'d> Iterator for Elements<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        if self.next.index >= self.end {
            return None;
        }
        let value = self.next;
        self.next = value.at(value.next());
        Some(value)
    }
}

/// The members of an object in order, keys decoded.
#[derive(Debug, Clone)]
pub struct Members<'d> {
    next: Value<'d>,
    end: usize,
}

impl<'d> Iterator for Members<'d> {
    type Item = (Cow<'d, str>, Value<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next.index >= self.end {
            return None;
        }
        let key = self.next.as_str()?;
        let value = self.next.at(self.next.index + 1);
        self.next = value.at(value.next());
        Some((key, value))
    }
}

#[cfg(test)]
mod tests;
