//! A line in pieces: words, spaces between them, and characters that structure it.

/// What kind of piece it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// A word, with what joins its parts: `worker-3`, `12:00:01.5`, `/var/log/x`.
    Word,
    /// Spaces.
    Space,
    /// A character that no slot crosses.
    Mark(u8),
}

/// A part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    pub(super) class: Class,
}

impl Piece<'_> {
    /// Whether it is a word with a digit, which rarely says the same twice.
    pub(super) fn is_number(&self) -> bool {
        self.class == Class::Word && self.text.bytes().any(|byte| byte.is_ascii_digit())
    }
}

/// Lines longer than this, in bytes, have no template.
const MAX_LINE: usize = 4096;

/// The pieces of a line, which joined are the line; nothing of a line that can have no template.
pub(super) fn pieces<'t>(line: &'t str, into: &mut Vec<Piece<'t>>) {
    into.clear();
    if line.len() > MAX_LINE {
        return;
    }
    let bytes = line.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        let class = class_of(bytes[start]);
        let end = match class {
            Class::Mark(_) => start + 1,
            _ => bytes[start..]
                .iter()
                .position(|&byte| class_of(byte) != class)
                .map_or(bytes.len(), |length| start + length),
        };
        into.push(Piece {
            text: &line[start..end],
            class,
        });
        start = end;
    }
}

const fn class_of(byte: u8) -> Class {
    match byte {
        b' ' => Class::Space,
        b'\t' | b'\r' | b',' | b';' | b'=' | b'"' | b'\'' | b'(' | b')' | b'[' | b']' | b'{'
        | b'}' | b'<' | b'>' | b'|' => Class::Mark(byte),
        _ => Class::Word,
    }
}
