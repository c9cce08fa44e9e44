//! Backslash escapes in strings.

use super::JsonErrorKind;

/// Reads the escape that starts at `bytes[0]`, a backslash: its character and its length in bytes.
#[inline]
pub(super) fn read(bytes: &[u8]) -> Result<(char, usize), JsonErrorKind> {
    let simple = match bytes.get(1).ok_or(JsonErrorKind::UnexpectedEnd)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(bytes),
        _ => return Err(JsonErrorKind::InvalidEscape),
    };
    Ok((simple, 2))
}

/// Kept out of [`read`], so that the common short escapes are inlined into the scanner.
#[inline(never)]
fn unicode(bytes: &[u8]) -> Result<(char, usize), JsonErrorKind> {
    let unit = code_unit(bytes)?;
    if let Some(character) = char::from_u32(unit) {
        return Ok((character, 6));
    }
    let rest = &bytes[6..];
    if !rest.starts_with(b"\\u") {
        return Err(JsonErrorKind::LoneSurrogate);
    }
    let low = code_unit(rest)?;
    if unit > 0xDBFF || !(0xDC00..=0xDFFF).contains(&low) {
        return Err(JsonErrorKind::LoneSurrogate);
    }
    let scalar = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    char::from_u32(scalar)
        .map(|character| (character, 12))
        .ok_or(JsonErrorKind::LoneSurrogate)
}

fn code_unit(bytes: &[u8]) -> Result<u32, JsonErrorKind> {
    let digits = bytes.get(2..6).ok_or(JsonErrorKind::UnexpectedEnd)?;
    digits.iter().try_fold(0, |unit, digit| {
        let value = char::from(*digit)
            .to_digit(16)
            .ok_or(JsonErrorKind::InvalidEscape)?;
        Ok(unit << 4 | value)
    })
}

/// Decodes the inside of a string that the scanner has passed.
pub(super) fn decode(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        let (character, length) =
            read(&rest.as_bytes()[at..]).unwrap_or((char::REPLACEMENT_CHARACTER, 1));
        text.push(character);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    text
}
