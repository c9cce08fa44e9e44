//! Strings, numbers and words, which JSON and JTON have in common.

use super::error::{Fault, JtonErrorKind};

/// The end of the string whose opening quote stands at `start`. Escaped surrogates may stand alone:
/// RFC 8259 allows them, and they are copied as they are spelled.
pub(super) fn string(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start + 1;
    loop {
        at += plain_length(bytes.get(at..).unwrap_or_default());
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += escape(bytes, at)?,
            Some(_) => return Err(Fault::new(JtonErrorKind::ControlCharacter, at)),
            None => return Err(Fault::expected("`\"`", bytes.len())),
        }
    }
}

/// The length of the escape whose backslash stands at `at`.
fn escape(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let fault = || Fault::new(JtonErrorKind::InvalidEscape, at);
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => {
            let digits = bytes.get(at + 2..at + 6).ok_or_else(fault)?;
            if digits.iter().all(u8::is_ascii_hexdigit) {
                Ok(6)
            } else {
                Err(fault())
            }
        }
        _ => Err(fault()),
    }
}

/// The end of the number that starts at `start`, by RFC 8259 section 6.
pub(super) fn number(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
        if bytes.get(at) == Some(&b'I') {
            return Err(Fault::new(JtonErrorKind::NonFiniteNumber, start));
        }
    }
    let whole = at;
    at = digits(bytes, at)?;
    if bytes[whole] == b'0' && at > whole + 1 {
        return Err(Fault::new(JtonErrorKind::InvalidNumber, whole));
    }
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = digits(bytes, at)?;
    }
    Ok(at)
}

/// The end of the digits that start at `start`, of which there must be one.
fn digits(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start;
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    if at == start {
        return Err(Fault::new(JtonErrorKind::InvalidNumber, start));
    }
    Ok(at)
}

/// The end of `true`, `false` or `null` at `start`.
pub(super) fn literal(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let rest = bytes.get(start..).unwrap_or_default();
    for word in [&b"true"[..], b"false", b"null"] {
        if rest.starts_with(word) {
            return Ok(start + word.len());
        }
    }
    if rest.starts_with(b"NaN") || rest.starts_with(b"Infinity") {
        return Err(Fault::new(JtonErrorKind::NonFiniteNumber, start));
    }
    Err(Fault::expected("a value", start))
}

/// The end of the scalar at `start`.
pub(super) fn scalar(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    match bytes.get(start) {
        Some(b'"') => string(bytes, start),
        Some(b'-' | b'0'..=b'9') => number(bytes, start),
        _ => literal(bytes, start),
    }
}

/// The end of the identifier at `start`, or `start` where there is none. JTON 1.0 section 5.1, and a
/// hyphen after the first character, which the reference takes in cells.
pub(super) fn identifier(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        let goes_on = matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$')
            || (at > start && matches!(byte, b'0'..=b'9' | b'-'));
        if !goes_on {
            break;
        }
        at += 1;
    }
    at
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

/// How many bytes, from the lowest on, stand before the first special one, if there is one; by the
/// method of `skinflint_protocol::json`, whose scanner refuses lone surrogates and is not used here.
fn plain_bytes(word: u64) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;

    let controls_and_quotes = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslashes = (word ^ (ONES * 0x5C)).wrapping_sub(ONES);
    let marks = (controls_and_quotes | backslashes) & !word & HIGH;
    (marks != 0).then(|| marks.trailing_zeros() as usize / 8)
}
