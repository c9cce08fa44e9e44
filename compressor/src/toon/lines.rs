//! Lines, their depth, and what is none: comments and blank lines.

use super::DecodeOptions;
use super::error::{Fault, ToonErrorKind};

/// A line with something in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'t> {
    pub(super) depth: usize,
    /// Without indentation and spaces at the end.
    pub(super) content: &'t str,
    /// Where the content stands in the text.
    pub(super) offset: usize,
    /// Blank lines before it, from the beginning of the text.
    pub(super) blanks: usize,
}

/// The lines of a text (section 12).
pub(super) fn lines(text: &str, options: DecodeOptions) -> Result<Vec<Line<'_>>, Fault> {
    let unit = options.indent.max(1);
    let mut lines = Vec::new();
    let mut blanks = 0;
    let mut next = 0;
    for line in text.split('\n') {
        let start = next;
        next += line.len() + 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        let content = line.trim_start_matches(' ');
        if content.trim_matches([' ', '\t']).is_empty() {
            blanks += 1;
            continue;
        }
        if content.starts_with('#') {
            continue;
        }
        let spaces = line.len() - content.len();
        let is_crooked = !spaces.is_multiple_of(unit) || content.starts_with('\t');
        if options.strict && is_crooked {
            return Err(Fault::new(
                ToonErrorKind::Indentation { unit },
                start + spaces,
            ));
        }
        let content = content.trim_start_matches([' ', '\t']);
        lines.push(Line {
            depth: spaces / unit,
            content: content.trim_end_matches(' '),
            offset: start + line.len() - content.len(),
            blanks,
        });
    }
    Ok(lines)
}
