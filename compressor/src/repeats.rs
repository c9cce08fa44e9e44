//! Passages that stand in an earlier block, as references to it.
//!
//! ```text
//! [skinflint:same as lines 3-41 of block 7: "use std::fmt;"]
//! ```
//!
//! A reference names the block by the label that the caller gave it, its lines counted from 1, and the
//! first words of the passage. The passage stands there byte for byte. Found as `diff` and `rsync` find
//! moved text: windows of lines are looked up by hash, compared, and extended.

mod index;
mod reference;

use crate::marker;
use index::Index;
use reference::{Blocks, Reference};

/// A block that the reader already has, verbatim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier<'t> {
    /// How a reference names the block, such as `block 7`: without control characters or `: "`, and
    /// unlike the other blocks' labels. A block with another label is not referred to.
    pub label: &'t str,
    /// The block's text, as it was forwarded.
    pub text: &'t str,
}

/// Which passages are worth a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passages {
    /// At least so many lines; at least 1.
    pub min_lines: usize,
    /// At least so many bytes.
    pub min_bytes: usize,
}

impl Default for Passages {
    /// Three lines, and twice the bytes of a reference.
    fn default() -> Self {
        Self {
            min_lines: 3,
            min_bytes: 160,
        }
    }
}

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepeatError {
    /// No earlier block has the label.
    #[error("no earlier block is called `{0}`")]
    NoBlock(String),
    /// The block does not have these lines.
    #[error("`{label}` has no lines {first} to {last}")]
    NoLines {
        /// The block.
        label: String,
        /// The first line asked for.
        first: usize,
        /// The last line asked for.
        last: usize,
    },
    /// The references stand for more than a text may have.
    #[error(
        "the references stand for more than {} bytes",
        crate::form::MAX_UNFOLDED
    )]
    TooLarge,
}

/// A text with references in place of passages that stand in earlier blocks; `None` if there are none,
/// or if the text has a marker in it.
///
/// Of several places the one with the longest passage is taken, then the first. Depends on nothing but
/// the arguments, and takes time linear in their lengths.
pub fn encode(text: &str, earlier: &[Earlier<'_>], passages: Passages) -> Option<String> {
    if text.len() < passages.min_bytes || earlier.is_empty() || marker::contains_marker(text) {
        return None;
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let index = Index::new(earlier, &lines, passages.min_lines.max(1));
    let mut out = String::new();
    let mut rest = 0;
    for (start, passage) in index.passages(&lines, passages.min_bytes) {
        let first = lines[start..start + passage.length]
            .iter()
            .find(|line| !line.trim().is_empty());
        let line = Reference::write(&passage, first.copied().unwrap_or_default());
        let length: usize = lines[start..start + passage.length]
            .iter()
            .map(|line| line.len() + 1)
            .sum();
        if length <= line.len() + 1 {
            continue;
        }
        for line in &lines[rest..start] {
            out.push_str(line);
            out.push('\n');
        }
        out.push_str(&line);
        out.push('\n');
        rest = start + passage.length;
    }
    if rest == 0 {
        return None;
    }
    out.push_str(&lines[rest..].join("\n"));
    if rest == lines.len() {
        out.pop();
    }
    (restore(&out, earlier).as_deref() == Ok(text)).then_some(out)
}

/// The text that [`encode`] was given, with the same earlier blocks. Lines that are no references stay.
pub fn restore(text: &str, earlier: &[Earlier<'_>]) -> Result<String, RepeatError> {
    let mut out = String::with_capacity(text.len());
    let mut blocks = Blocks::new(earlier);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        match Reference::read(line) {
            Some(reference) => out.push_str(blocks.passage(&reference)?),
            None => out.push_str(line),
        }
        if out.len() > crate::form::MAX_UNFOLDED {
            return Err(RepeatError::TooLarge);
        }
    }
    Ok(out)
}
