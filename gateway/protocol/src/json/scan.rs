//! The scanner: one pass over the bytes, a stack of open brackets instead of recursion.

use super::{Entry, JsonError, JsonErrorKind, JsonKind, JsonLimits, escape};

/// Records every value and key of a text that is known to be UTF-8.
pub(super) fn tape(bytes: &[u8], limits: JsonLimits) -> Result<Vec<Entry>, JsonError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(JsonError {
            kind: JsonErrorKind::TooLong,
            offset: 0,
        });
    }
    let mut scanner = Scanner {
        bytes,
        at: 0,
        tape: Vec::with_capacity(expected_values(bytes.len()).min(limits.max_values)),
        open: Vec::with_capacity(16),
        limits,
    };
    scanner.skip_space();
    while scanner.value()? || scanner.advance()? {}
    if scanner.at < bytes.len() {
        return Err(scanner.fault(JsonErrorKind::TrailingCharacters));
    }
    Ok(scanner.tape)
}

/// Requests of agents have a value or key every 40 to 120 bytes; more than that grows the tape.
const fn expected_values(length: usize) -> usize {
    16 + length / 32
}

struct Scanner<'t> {
    bytes: &'t [u8],
    at: usize,
    tape: Vec<Entry>,
    /// The containers that are not closed, the innermost last.
    open: Vec<Open>,
    limits: JsonLimits,
}

#[derive(Clone, Copy)]
struct Open {
    /// Where the container stands on the tape, if it is kept.
    index: u32,
    is_object: bool,
}

impl Open {
    const fn closing_bracket(self) -> u8 {
        if self.is_object { b'}' } else { b']' }
    }
}

impl Scanner<'_> {
    #[cold]
    fn fault(&self, kind: JsonErrorKind) -> JsonError {
        JsonError {
            kind,
            offset: self.at,
        }
    }

    /// The next byte; a text that ends here is at fault.
    fn peek(&self) -> Result<u8, JsonError> {
        self.bytes
            .get(self.at)
            .copied()
            .ok_or_else(|| self.fault(JsonErrorKind::UnexpectedEnd))
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// Records what runs from `start` to here. A container's end and successor come when it closes.
    fn record(&mut self, kind: JsonKind, start: usize, escaped: bool) -> Result<(), JsonError> {
        if self.open.len() > self.limits.kept_depth {
            return Ok(());
        }
        if self.tape.len() >= self.limits.max_values {
            return Err(self.fault(JsonErrorKind::TooManyValues));
        }
        let next = narrow(self.tape.len() + 1);
        self.tape.push(Entry {
            start: narrow(start),
            end: narrow(self.at),
            next,
            kind,
            escaped,
        });
        Ok(())
    }

    /// Reads a scalar, an empty container or the beginning of another one. True if the first value of
    /// that is next.
    fn value(&mut self) -> Result<bool, JsonError> {
        match self.peek()? {
            b'"' => self.string()?,
            b'{' => return self.open(JsonKind::Object),
            b'[' => return self.open(JsonKind::Array),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word("true", JsonKind::Bool)?,
            b'f' => self.word("false", JsonKind::Bool)?,
            b'n' => self.word("null", JsonKind::Null)?,
            b'N' | b'I' => return Err(self.fault(JsonErrorKind::NonFiniteNumber)),
            _ => return Err(self.fault(JsonErrorKind::ExpectedValue)),
        }
        Ok(false)
    }

    fn open(&mut self, kind: JsonKind) -> Result<bool, JsonError> {
        if self.open.len() >= self.limits.max_depth {
            return Err(self.fault(JsonErrorKind::TooDeep));
        }
        let container = Open {
            index: narrow(self.tape.len()),
            is_object: kind == JsonKind::Object,
        };
        self.at += 1;
        self.record(kind, self.at - 1, false)?;
        self.open.push(container);
        self.skip_space();
        if self.peek()? == container.closing_bracket() {
            self.close(container);
            return Ok(false);
        }
        if container.is_object {
            self.key()?;
        }
        Ok(true)
    }

    /// Leaves the innermost container by its closing bracket.
    fn close(&mut self, container: Open) {
        self.at += 1;
        self.open.pop();
        if self.open.len() <= self.limits.kept_depth {
            let next = narrow(self.tape.len());
            let entry = &mut self.tape[container.index as usize];
            entry.end = narrow(self.at);
            entry.next = next;
        }
    }

    /// Goes on from the end of a value to the start of the next, closing what ends on the way; false
    /// at the end of the outermost value.
    fn advance(&mut self) -> Result<bool, JsonError> {
        loop {
            self.skip_space();
            let Some(container) = self.open.last().copied() else {
                return Ok(false);
            };
            let byte = self.peek()?;
            if byte == b',' {
                self.at += 1;
                self.skip_space();
                if container.is_object {
                    self.key()?;
                }
                return Ok(true);
            }
            if byte != container.closing_bracket() {
                return Err(self.fault(if container.is_object {
                    JsonErrorKind::ExpectedObjectEnd
                } else {
                    JsonErrorKind::ExpectedArrayEnd
                }));
            }
            self.close(container);
        }
    }

    /// Reads a key with its colon.
    fn key(&mut self) -> Result<(), JsonError> {
        if self.peek()? != b'"' {
            return Err(self.fault(JsonErrorKind::ExpectedKey));
        }
        self.string()?;
        self.skip_space();
        if self.peek()? != b':' {
            return Err(self.fault(JsonErrorKind::ExpectedColon));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at += plain_length(&self.bytes[self.at..]);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return self.record(JsonKind::String, start, escaped);
                }
                b'\\' => {
                    let (_, length) =
                        escape::read(&self.bytes[self.at..]).map_err(|kind| self.fault(kind))?;
                    self.at += length;
                    escaped = true;
                }
                _ => return Err(self.fault(JsonErrorKind::ControlCharacter)),
            }
        }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
            if self.bytes.get(self.at) == Some(&b'I') {
                return Err(self.fault(JsonErrorKind::NonFiniteNumber));
            }
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        if let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            return Err(self.fault(JsonErrorKind::InvalidNumber));
        }
        self.record(JsonKind::Number, start, false)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.peek()?.is_ascii_digit() {
            return Err(self.fault(JsonErrorKind::InvalidNumber));
        }
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        Ok(())
    }

    fn word(&mut self, word: &str, kind: JsonKind) -> Result<(), JsonError> {
        let start = self.at;
        for expected in word.bytes() {
            if self.peek()? != expected {
                return Err(self.fault(JsonErrorKind::ExpectedValue));
            }
            self.at += 1;
        }
        self.record(kind, start, false)
    }
}

/// Offsets and indices fit: the text is shorter than 4 GiB and has fewer values than bytes.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// How many bytes stand before the next quote, backslash or control character.
fn plain_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk() {
        if let Some(before) = plain_bytes(u64::from_le_bytes(*word)) {
            return at + before;
        }
        at += size_of::<u64>();
    }
    let tail = bytes[at..].iter();
    at + tail
        .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1F))
        .count()
}

/// How many bytes, from the lowest on, stand before the first special one, if there is one.
///
/// Flipping the second bit brings the quote, 0x22, down to 0x20, next to the control characters, so
/// that one comparison finds both. Subtracting a byte-wise constant borrows out of a byte that is
/// smaller, which can raise a false mark in a higher byte but never in a lower one, so the lowest mark
/// is right ("Bit Twiddling Hacks", S. E. Anderson: `hasless`, `haszero`).
fn plain_bytes(word: u64) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;

    let controls_and_quotes = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslashes = (word ^ (ONES * 0x5C)).wrapping_sub(ONES);
    let marks = (controls_and_quotes | backslashes) & !word & HIGH;
    (marks != 0).then(|| marks.trailing_zeros() as usize / 8)
}
