//! A reference as a line of text.

use std::collections::HashMap;

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
}

/// Earlier blocks by their labels, and where the lines end of those that were asked for.
pub(super) struct Blocks<'e> {
    by_label: HashMap<&'e str, (&'e str, Option<Vec<usize>>)>,
}

impl<'e> Blocks<'e> {
    /// Of blocks with the same label the first counts.
    pub(super) fn new(earlier: &[Earlier<'e>]) -> Self {
        let mut by_label = HashMap::new();
        for block in earlier {
            by_label.entry(block.label).or_insert((block.text, None));
        }
        Self { by_label }
    }

    /// The passage that a reference names, without the end of its last line.
    pub(super) fn passage(&mut self, reference: &Reference<'_>) -> Result<&'e str, RepeatError> {
        let Reference { label, first, last } = *reference;
        let (text, ends) = self
            .by_label
            .get_mut(label)
            .ok_or_else(|| RepeatError::NoBlock(label.to_owned()))?;
        let ends = ends.get_or_insert_with(|| {
            memchr::memchr_iter(b'\n', text.as_bytes())
                .chain([text.len()])
                .collect()
        });
        let start = match first.checked_sub(2) {
            Some(before) => ends.get(before).map(|end| end + 1),
            None => Some(0),
        };
        start
            .zip(ends.get(last - 1).copied())
            .and_then(|(start, end)| text.get(start..end))
            .ok_or_else(|| RepeatError::NoLines {
                label: label.to_owned(),
                first,
                last,
            })
    }
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
