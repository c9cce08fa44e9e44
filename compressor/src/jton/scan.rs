//! JSON in, minified JSON out, and where its values are.

use super::error::{Fault, JtonErrorKind};
use super::lex;

/// One value or key of the minified text. A container's contents follow it, up to but excluding `next`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    start: u32,
    end: u32,
    next: u32,
    pub(crate) kind: Kind,
    /// A list of at least two values, all of them objects.
    pub(crate) is_rows: bool,
    /// Rows are somewhere in it, or it is rows.
    pub(crate) has_rows: bool,
}

/// As much as the encoders need to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    Array,
    Object,
}

/// A JSON text without the space between its tokens, and its values.
#[derive(Debug)]
pub(crate) struct Minified {
    pub(crate) text: String,
    nodes: Vec<Node>,
}

impl Minified {
    pub(crate) fn node(&self, index: usize) -> Node {
        self.nodes[index]
    }

    /// The value or key as it is spelled.
    pub(crate) fn raw(&self, index: usize) -> &str {
        let node = self.nodes[index];
        &self.text[node.start as usize..node.end as usize]
    }

    /// The index after a value and its contents.
    pub(crate) fn next(&self, index: usize) -> usize {
        self.nodes[index].next as usize
    }

    /// The indices of a list's values.
    pub(crate) fn values(&self, array: usize) -> impl Iterator<Item = usize> {
        let end = self.next(array);
        let mut at = array + 1;
        std::iter::from_fn(move || {
            let value = at;
            (value < end).then(|| {
                at = self.next(value);
                value
            })
        })
    }

    /// The indices of an object's keys and values.
    pub(crate) fn members(&self, object: usize) -> impl Iterator<Item = (usize, usize)> {
        let end = self.next(object);
        let mut at = object + 1;
        std::iter::from_fn(move || {
            let key = at;
            (key < end).then(|| {
                at = self.next(key + 1);
                (key, key + 1)
            })
        })
    }
}

/// Minifies a text and records its values; the text must be JSON by RFC 8259, of any depth.
pub(crate) fn scan(json: &str) -> Result<Minified, super::JtonError> {
    run::<true>(json).map_err(|fault| fault.in_text(json))
}

/// Minifies a text.
pub(super) fn minify(json: &str) -> Result<String, super::JtonError> {
    let minified = run::<false>(json).map_err(|fault| fault.in_text(json))?;
    Ok(minified.text)
}

fn run<const KEEP: bool>(json: &str) -> Result<Minified, Fault> {
    if u32::try_from(json.len()).is_err() {
        return Err(Fault::new(JtonErrorKind::TooLong, 0));
    }
    let mut scanner = Scanner::<KEEP> {
        json,
        bytes: json.as_bytes(),
        at: 0,
        copied: 0,
        text: String::with_capacity(json.len()),
        nodes: Vec::with_capacity(if KEEP { 16 + json.len() / 16 } else { 0 }),
        open: Vec::with_capacity(16),
    };
    scanner.skip_space();
    while scanner.value()? || scanner.advance()? {}
    if scanner.at < json.len() {
        return Err(Fault::expected("the end", scanner.at));
    }
    scanner.flush();
    Ok(Minified {
        text: scanner.text,
        nodes: scanner.nodes,
    })
}

/// A container that is not closed.
#[derive(Clone, Copy)]
struct Open {
    index: u32,
    is_object: bool,
    values: u32,
    only_objects: bool,
    has_rows: bool,
}

impl Open {
    const fn closing_bracket(self) -> u8 {
        if self.is_object { b'}' } else { b']' }
    }
}

struct Scanner<'t, const KEEP: bool> {
    json: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Up to where the text is written.
    copied: usize,
    text: String,
    nodes: Vec<Node>,
    open: Vec<Open>,
}

impl<const KEEP: bool> Scanner<'_, KEEP> {
    /// Where a byte of the input comes to stand in the output.
    fn place(&self, at: usize) -> u32 {
        narrow(self.text.len() + at - self.copied)
    }

    fn flush(&mut self) {
        self.text.push_str(&self.json[self.copied..self.at]);
        self.copied = self.at;
    }

    #[inline]
    fn skip_space(&mut self) {
        if let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.flush();
            while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.copied = self.at;
        }
    }

    fn record(&mut self, kind: Kind, start: usize) {
        if KEEP {
            let node = Node {
                start: self.place(start),
                end: self.place(self.at),
                next: narrow(self.nodes.len() + 1),
                kind,
                is_rows: false,
                has_rows: false,
            };
            self.nodes.push(node);
        }
    }

    /// Reads a scalar, an empty container or the beginning of another one. True if the first value of
    /// that is next.
    fn value(&mut self) -> Result<bool, Fault> {
        let byte = self.bytes.get(self.at).copied();
        let is_object = byte == Some(b'{');
        if let Some(open) = self.open.last_mut() {
            open.values += 1;
            open.only_objects &= is_object;
        }
        if is_object || byte == Some(b'[') {
            return self.open(is_object);
        }
        let start = self.at;
        self.at = lex::scalar(self.bytes, start)?;
        self.record(Kind::Scalar, start);
        Ok(false)
    }

    fn open(&mut self, is_object: bool) -> Result<bool, Fault> {
        let container = Open {
            index: narrow(self.nodes.len()),
            is_object,
            values: 0,
            only_objects: true,
            has_rows: false,
        };
        self.at += 1;
        let kind = if is_object { Kind::Object } else { Kind::Array };
        self.record(kind, self.at - 1);
        self.open.push(container);
        self.skip_space();
        if self.bytes.get(self.at) == Some(&container.closing_bracket()) {
            self.close(container);
            return Ok(false);
        }
        if is_object {
            self.key()?;
        }
        Ok(true)
    }

    /// Leaves the innermost container by its closing bracket.
    fn close(&mut self, container: Open) {
        self.at += 1;
        self.open.pop();
        if !KEEP {
            return;
        }
        let is_rows = !container.is_object && container.values >= 2 && container.only_objects;
        let has_rows = is_rows || container.has_rows;
        let end = self.place(self.at);
        let next = narrow(self.nodes.len());
        let node = &mut self.nodes[container.index as usize];
        node.end = end;
        node.next = next;
        node.is_rows = is_rows;
        node.has_rows = has_rows;
        if let Some(outer) = self.open.last_mut() {
            outer.has_rows |= has_rows;
        }
    }

    /// Goes on from the end of a value to the start of the next, closing what ends on the way; false
    /// at the end of the outermost value.
    fn advance(&mut self) -> Result<bool, Fault> {
        loop {
            self.skip_space();
            let Some(container) = self.open.last().copied() else {
                return Ok(false);
            };
            let byte = self.bytes.get(self.at);
            if byte == Some(&b',') {
                self.at += 1;
                self.skip_space();
                if container.is_object {
                    self.key()?;
                }
                return Ok(true);
            }
            if byte != Some(&container.closing_bracket()) {
                let what = if container.is_object {
                    "`,` or `}`"
                } else {
                    "`,` or `]`"
                };
                return Err(Fault::expected(what, self.at));
            }
            self.close(container);
        }
    }

    /// Reads a key with its colon.
    fn key(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.bytes.get(start) != Some(&b'"') {
            return Err(Fault::expected("a key in quotes", start));
        }
        self.at = lex::string(self.bytes, start)?;
        self.record(Kind::Scalar, start);
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(Fault::expected("`:`", self.at));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }
}

/// Offsets and indices fit: the text is shorter than 4 GiB and has fewer values than bytes.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
