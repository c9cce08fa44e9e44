//! What a text looks like, whatever its numbers and identifiers are: [`shape`].

use std::hash::{DefaultHasher, Hasher};

/// Fewer digits, hyphens and letters up to f in a row are no identifier, in bytes.
const MIN_HEX: usize = 8;

/// The longest identifier of parts that hyphens join, in bytes.
const MAX_IDENTIFIER: usize = 64;

/// A hash of a text in which all words with digits, and all hexadecimal identifiers, are the same. Only whether two of
/// them are equal means anything. Time is linear.
pub(super) fn shape(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    each_piece(text.as_bytes(), |piece| match piece {
        Piece::Constant(bytes) => hasher.write(bytes),
        Piece::Slot(_) => hasher.write_u8(b'#'),
    });
    hasher.finish()
}

/// Slots of a text behind these are not looked at.
const MAX_SLOTS: usize = 12;

/// More digits are an identifier.
const MAX_DIGITS: usize = 12;

/// A longer word behind a number is no unit, in bytes.
const MAX_UNIT: usize = 3;

/// Calls with the numbers of a text, with or without a unit, and the slots in which texts of the same shape have theirs.
pub(super) fn each_number(text: &str, mut call: impl FnMut(usize, f64)) {
    let mut slot = 0;
    each_piece(text.as_bytes(), |piece| {
        let Piece::Slot(word) = piece else { return };
        slot += 1;
        let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if slot > MAX_SLOTS || digits > MAX_DIGITS || word.len() - digits > MAX_UNIT {
            return;
        }
        let number = std::str::from_utf8(&word[..digits]).ok();
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            call(slot, number);
        }
    });
}

/// A part of a text.
enum Piece<'t> {
    /// What texts of a shape have in common.
    Constant(&'t [u8]),
    /// What they do not.
    Slot(&'t [u8]),
}

fn each_piece<'t>(bytes: &'t [u8], mut call: impl FnMut(Piece<'t>)) {
    let mut at = 0;
    let mut constant = 0;
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            at += 1;
            continue;
        }
        let mut end = end_of(bytes, at, is_word);
        if bytes[at..end].iter().any(u8::is_ascii_digit) || end - at >= MIN_HEX {
            // The parts of an identifier may have letters alone.
            let near = &bytes[..bytes.len().min(at + MAX_IDENTIFIER).max(end)];
            let joined = end_of(near, at, |byte| is_word(byte) || byte == b'-');
            let is_identifier = is_hex(&bytes[at..joined]);
            if is_identifier || bytes[at..end].iter().any(u8::is_ascii_digit) {
                end = if is_identifier { joined } else { end };
                call(Piece::Constant(&bytes[constant..at]));
                call(Piece::Slot(&bytes[at..end]));
                constant = end;
            }
        }
        at = end;
    }
    call(Piece::Constant(&bytes[constant..]));
}

/// A hash of a text as it is.
pub(super) fn exact(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn is_hex(word: &[u8]) -> bool {
    word.len() >= MIN_HEX
        && word
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
        && word.iter().any(u8::is_ascii_digit)
}

fn end_of(bytes: &[u8], at: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = &bytes[at..];
    at + rest
        .iter()
        .position(|byte| !belongs(*byte))
        .unwrap_or(rest.len())
}

/// As often as this, or less, a value or shape among so many is rare.
pub(super) fn rare(all: usize) -> usize {
    (all / 50).clamp(2, 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_identifiers_are_alike() {
        for (one, other) in [
            ("GET /orders/17 in 3 ms", "GET /orders/99812 in 12 ms"),
            (
                "job 9f86d081-aaaa-4bcd-bdef-abcdefabcdef",
                "job 11111111-2222-4bcd-3333-444444444444",
            ),
            ("worker-3", "worker-x17"),
        ] {
            assert_eq!(shape(one), shape(other), "{one}");
            assert_ne!(exact(one), exact(other));
        }
        assert_ne!(shape("user alice"), shape("user bob"));
        assert_ne!(shape("us-west-2"), shape("us-east-1"));
    }
}
