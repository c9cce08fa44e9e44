//! What a text says of the part of it that is not sent: [`Omission`].

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::marker::PREFIX;

/// The name of a whole text of which only a part is sent: the first 96 bits of its BLAKE3 hash, written as 24
/// hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle([u8; Handle::BYTES]);

/// A word that names no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a handle is {} hexadecimal digits", Handle::BYTES * 2)]
pub struct HandleError;

/// Something that was left out of a text; displayed as the line that says so, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Omission {
    /// The whole text.
    pub handle: Handle,
    /// So many are left out.
    pub omitted: usize,
    /// So many there were.
    pub of: usize,
    /// What they are.
    pub unit: Unit,
}

/// What is counted of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Elements of lists of JSON.
    Rows,
    /// Lines of a log, a patch or another text.
    Lines,
    /// Results of a search.
    Hits,
    /// Words of prose.
    Words,
}

/// The tool that gives a whole text back, by its handle as the argument `id`.
pub const FETCH_TOOL: &str = "skinflint_fetch";

impl Handle {
    const BYTES: usize = 12;

    /// Of this text.
    pub fn of(text: &str) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..Self::BYTES]);
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl Omission {
    /// The line at the beginning of a text that says what was left out of it, without its end, and what stands below;
    /// `None` if the first line is no such line.
    pub fn split(text: &str) -> Option<(Self, &str)> {
        let (line, rest) = text.split_once('\n')?;
        let (omitted, line_rest) = line
            .strip_prefix(PREFIX)?
            .strip_prefix(' ')?
            .split_once(" of ")?;
        let mut words = line_rest.splitn(3, ' ');
        let of = words.next()?.parse().ok()?;
        let unit = words.next().and_then(Unit::named)?;
        let (_, end) = words.next()?.split_once(" id ")?;
        let omission = Self {
            handle: end.split(' ').next()?.parse().ok()?,
            omitted: omitted.parse().ok()?,
            of,
            unit,
        };
        // Nothing but what we write ourselves counts.
        (omission.to_string() == line).then_some((omission, rest))
    }
}

impl Unit {
    fn named(name: &str) -> Option<Self> {
        [Self::Rows, Self::Lines, Self::Hits, Self::Words]
            .into_iter()
            .find(|unit| unit.to_string() == name)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Handle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        let digits = text.as_bytes();
        if digits.len() != Self::BYTES * 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(HandleError);
        }
        let mut bytes = [0; Self::BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| HandleError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| HandleError)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            handle,
            omitted,
            of,
            unit,
        } = self;
        // "Intact", since agents have taken such lines for the damage of a file.
        write!(
            f,
            "{PREFIX} {omitted} of {of} {unit} omitted; source intact; {FETCH_TOOL} id {handle} gives all]"
        )
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows => "rows",
            Self::Lines => "lines",
            Self::Hits => "hits",
            Self::Words => "words",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_it_is_written() {
        let handle = Handle::of("a text");
        assert_eq!(handle.to_string().parse(), Ok(handle));
        assert_eq!("".parse::<Handle>(), Err(HandleError));
        assert_eq!(
            "+f2c00000000000000000000".parse::<Handle>(),
            Err(HandleError)
        );
        assert_eq!(
            "é2c000000000000000000000".parse::<Handle>(),
            Err(HandleError)
        );
        assert_ne!(handle, Handle::of("another text"));
    }

    #[test]
    fn the_line_says_what_is_left_out_and_how_to_get_it() {
        let omission = Omission {
            handle: Handle([0x9f; 12]),
            omitted: 412,
            of: 500,
            unit: Unit::Rows,
        };
        assert_eq!(
            omission.to_string(),
            "[skinflint: 412 of 500 rows omitted; source intact; skinflint_fetch id 9f9f9f9f9f9f9f9f9f9f9f9f gives all]"
        );
        let text = format!("{omission}\n[1,2]\n");
        assert_eq!(Omission::split(&text), Some((omission, "[1,2]\n")));
        assert_eq!(Omission::split(&text.replace("412", "0412")), None);
        assert_eq!(Omission::split(&omission.to_string()), None);
        assert_eq!(Omission::split("[skinflint: 3 lines omitted]\nx"), None);
    }
}
