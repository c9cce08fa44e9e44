//! The decoder: one pass, a stack of open brackets instead of recursion, JSON written as it goes.

use super::error::{Fault, JtonErrorKind};
use super::{JtonError, decoded_limit, lex};

mod table;

use table::Table;

/// What the decoder forgives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Counts that are wrong, and rows that are short.
    Lenient,
    /// Neither.
    Strict,
}

pub(super) fn decode(text: &str, strictness: Strictness) -> Result<String, JtonError> {
    let mut decoder = Decoder {
        text,
        bytes: text.as_bytes(),
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        json: String::with_capacity(text.len()),
        limit: decoded_limit(text.len()),
        open: Vec::with_capacity(16),
        strictness,
    };
    decoder.run().map_err(|fault| fault.in_text(text))?;
    Ok(decoder.json)
}

/// A container that is not closed.
enum Open<'t> {
    Array,
    Object,
    Table(Box<Table<'t>>),
}

/// What is next.
enum Step {
    /// A value.
    Value,
    /// A table's cell, which may be empty.
    Cell,
    /// Whatever may follow a value.
    After,
}

struct Decoder<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    json: String,
    limit: usize,
    open: Vec<Open<'t>>,
    strictness: Strictness,
}

impl Decoder<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        self.skip_space()?;
        let mut step = Step::Value;
        loop {
            step = match step {
                Step::Value => self.value()?,
                Step::Cell => self.cell()?,
                Step::After => match self.open.last() {
                    None => break,
                    Some(Open::Array) => self.after_element()?,
                    Some(Open::Object) => self.after_member()?,
                    Some(Open::Table(_)) => self.after_cell()?,
                },
            };
        }
        self.skip_space()?;
        if self.at < self.bytes.len() {
            return Err(Fault::expected("the end", self.at));
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes over space and comments.
    fn skip_space(&mut self) -> Result<(), Fault> {
        self.skip(true).map(|_| ())
    }

    /// Passes over space and comments; true if there was a line break. Tabs are space unless they
    /// separate cells.
    #[inline]
    fn skip(&mut self, tabs: bool) -> Result<bool, Fault> {
        let mut has_break = false;
        loop {
            match self.peek() {
                Some(b' ') => {}
                Some(b'\t') if tabs => {}
                Some(b'\n' | b'\r') => has_break = true,
                Some(b'/') => {
                    self.comment()?;
                    continue;
                }
                _ => return Ok(has_break),
            }
            self.at += 1;
        }
    }

    /// Passes over a comment, not over the line break that ends it.
    fn comment(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let rest = &self.bytes[start + 1..];
        self.at = match rest.first() {
            Some(b'/') => memchr::memchr2(b'\n', b'\r', rest)
                .map_or(self.bytes.len(), |length| start + 1 + length),
            Some(b'*') => memchr::memmem::find(&rest[1..], b"*/")
                .map(|length| start + 2 + length + 2)
                .ok_or_else(|| Fault::expected("`*/`", self.bytes.len()))?,
            _ => return Err(Fault::expected("a value", start)),
        };
        Ok(())
    }

    /// Writes what runs from `start` to here.
    fn copy(&mut self, start: usize) {
        self.json.push_str(&self.text[start..self.at]);
    }

    fn value(&mut self) -> Result<Step, Fault> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                self.json.push('{');
                self.open.push(Open::Object);
                self.skip_space()?;
                if self.peek() == Some(b'}') {
                    return Ok(self.close('}'));
                }
                self.key()?;
                Ok(Step::Value)
            }
            Some(b'[') => self.bracket(),
            _ => {
                self.at = lex::scalar(self.bytes, start)?;
                self.copy(start);
                Ok(Step::After)
            }
        }
    }

    /// Reads `[`, and if a table follows, its head.
    fn bracket(&mut self) -> Result<Step, Fault> {
        self.at += 1;
        self.skip_space()?;
        let inside = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        let count = self.at;
        self.skip_space()?;
        if self.peek() == Some(b':') {
            self.at += 1;
            return self.head(&self.text[inside..count], inside);
        }
        self.at = inside;
        self.json.push('[');
        self.open.push(Open::Array);
        if self.peek() == Some(b']') {
            return Ok(self.close(']'));
        }
        Ok(Step::Value)
    }

    fn close(&mut self, bracket: char) -> Step {
        self.at += 1;
        self.json.push(bracket);
        self.open.pop();
        Step::After
    }

    fn after_element(&mut self) -> Result<Step, Fault> {
        self.skip_space()?;
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space()?;
                if self.peek() == Some(b']') {
                    return Ok(self.close(']'));
                }
                self.json.push(',');
                Ok(Step::Value)
            }
            Some(b']') => Ok(self.close(']')),
            _ => Err(Fault::expected("`,` or `]`", self.at)),
        }
    }

    fn after_member(&mut self) -> Result<Step, Fault> {
        self.skip_space()?;
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space()?;
                if self.peek() == Some(b'}') {
                    return Ok(self.close('}'));
                }
                self.json.push(',');
                self.key()?;
                Ok(Step::Value)
            }
            Some(b'}') => Ok(self.close('}')),
            _ => Err(Fault::expected("`,` or `}`", self.at)),
        }
    }

    /// Reads a key with its colon.
    fn key(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.peek() == Some(b'"') {
            self.at = lex::string(self.bytes, start)?;
            self.copy(start);
        } else {
            self.at = lex::identifier(self.bytes, start);
            if self.at == start {
                return Err(Fault::expected("a key", start));
            }
            self.json.push('"');
            self.copy(start);
            self.json.push('"');
        }
        self.skip_space()?;
        if self.peek() != Some(b':') {
            return Err(Fault::expected("`:`", self.at));
        }
        self.at += 1;
        self.json.push(':');
        self.skip_space()
    }

    /// Says so where the text has become longer than it may.
    fn check_length(&self) -> Result<(), Fault> {
        if self.json.len() > self.limit {
            return Err(Fault::new(JtonErrorKind::TooLarge, self.at));
        }
        Ok(())
    }
}
