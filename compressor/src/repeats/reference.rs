//! A reference as a line of text.

use super::index::Passage;
use super::{Earlier, RepeatError};
use crate::form;

const BEFORE: &str = "[skinflint:same as lines ";

/// The most bytes of a passage's first words.
const MAX_WORDS: usize = 32;

/// What a reference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference<'t> {
    label: &'t str,
    first: usize,
    last: usize,
}

impl<'t> Reference<'t> {
    /// The line that stands for a passage; `start` is its first line that is not empty.
    pub(super) fn write(passage: &Passage<'_>, start: &str) -> String {
        let first = passage.start + 1;
        let last = passage.start + passage.length;
        let words = words(start);
        let label = passage.label;
        format!("{BEFORE}{first}-{last} of {label}: \"{words}\"]")
    }

    /// Reads a line that [`Reference::write`] may have written.
    pub(super) fn read(line: &'t str) -> Option<Self> {
        let (lines, rest) = line.strip_prefix(BEFORE)?.split_once(" of ")?;
        let (first, last) = lines.split_once('-')?;
        let (label, _) = rest.strip_suffix("\"]")?.split_once(": \"")?;
        Some(Self {
            label,
            first: form::number(first)?,
            last: form::number(last)?,
        })
    }

    /// The passage, without the end of its last line.
    pub(super) fn find<'e>(&self, earlier: &[Earlier<'e>]) -> Result<&'e str, RepeatError> {
        let block = earlier
            .iter()
            .find(|block| block.label == self.label)
            .ok_or_else(|| RepeatError::NoBlock(self.label.to_owned()))?;
        passage(block.text, self.first, self.last).ok_or_else(|| RepeatError::NoLines {
            label: self.label.to_owned(),
            first: self.first,
            last: self.last,
        })
    }
}

/// Lines of a text, counted from 1, without the end of the last.
fn passage(text: &str, first: usize, last: usize) -> Option<&str> {
    let skipped = last.checked_sub(first)?;
    let mut ends = memchr::memchr_iter(b'\n', text.as_bytes());
    let start = match first.checked_sub(2) {
        Some(before) => ends.nth(before)? + 1,
        None => 0,
    };
    let mut ends = memchr::memchr_iter(b'\n', &text.as_bytes()[start..]);
    if let Some(end) = ends.nth(skipped) {
        return Some(&text[start..start + end]);
    }
    let lines = memchr::memchr_iter(b'\n', &text.as_bytes()[start..]).count();
    (lines == skipped).then(|| &text[start..])
}

/// A line's first words.
fn words(line: &str) -> String {
    let line = line.trim();
    let mut end = line.len().min(MAX_WORDS);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    if end < line.len() {
        end = line[..end].rfind(' ').unwrap_or(end);
    }
    line[..end].replace(|symbol: char| symbol.is_control(), " ")
}

/// Whether a reference can name a block so.
pub(super) fn is_label(label: &str) -> bool {
    !label.is_empty() && !label.contains(char::is_control) && !label.contains(": \"")
}
