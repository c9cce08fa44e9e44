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
        tape: Vec::with_capacity(16 + bytes.len() / 128),
        open: Vec::new(),
        limits,
    };
    scanner.skip_space();
    scanner.value()?;
    while scanner.advance()? {
        scanner.value()?;
    }
    scanner.skip_space();
    if scanner.at < bytes.len() {
        return Err(scanner.fault(JsonErrorKind::TrailingCharacters));
    }
    Ok(scanner.tape)
}

struct Scanner<'t> {
    bytes: &'t [u8],
    at: usize,
    tape: Vec<Entry>,
    /// Tape indices of the containers that are still open.
    open: Vec<u32>,
    limits: JsonLimits,
}

impl Scanner<'_> {
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

    /// Reads a scalar or an opening bracket.
    fn value(&mut self) -> Result<(), JsonError> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' => self.open(JsonKind::Object),
            b'[' => self.open(JsonKind::Array),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", JsonKind::Bool),
            b'f' => self.word("false", JsonKind::Bool),
            b'n' => self.word("null", JsonKind::Null),
            b'N' | b'I' => Err(self.fault(JsonErrorKind::NonFiniteNumber)),
            _ => Err(self.fault(JsonErrorKind::ExpectedValue)),
        }
    }

    fn open(&mut self, kind: JsonKind) -> Result<(), JsonError> {
        if self.open.len() >= self.limits.max_depth {
            return Err(self.fault(JsonErrorKind::TooDeep));
        }
        self.open.push(narrow(self.tape.len()));
        self.at += 1;
        self.record(kind, self.at - 1, false)
    }

    /// Goes on to where the next value starts, closing what ends on the way; false at the end.
    fn advance(&mut self) -> Result<bool, JsonError> {
        while let Some(container) = self.open.last().map(|index| *index as usize) {
            self.skip_space();
            let in_object = self.tape[container].kind == JsonKind::Object;
            let byte = self.peek()?;
            if byte == if in_object { b'}' } else { b']' } {
                self.at += 1;
                self.open.pop();
                let next = narrow(self.tape.len());
                let entry = &mut self.tape[container];
                entry.end = narrow(self.at);
                entry.next = next;
                continue;
            }
            let is_first = self.tape.len() == container + 1;
            if !is_first {
                if byte != b',' {
                    return Err(self.fault(if in_object {
                        JsonErrorKind::ExpectedObjectEnd
                    } else {
                        JsonErrorKind::ExpectedArrayEnd
                    }));
                }
                self.at += 1;
                self.skip_space();
            }
            if in_object {
                self.key()?;
            }
            return Ok(true);
        }
        Ok(false)
    }

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
///
/// Eight bytes at a time. Subtracting a byte-wise constant borrows out of a byte that is smaller,
/// which can raise a false mark in a higher byte but never in a lower one, so the lowest mark is
/// right ("Bit Twiddling Hacks", S. E. Anderson: `hasless`, `haszero`).
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);

    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ QUOTES;
        let backslash = word ^ BACKSLASHES;
        let marks = (word.wrapping_sub(ONES * 0x20) & !word
            | quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash)
            & HIGH;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let tail = bytes[at..].iter();
    at + tail
        .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1F))
        .count()
}
