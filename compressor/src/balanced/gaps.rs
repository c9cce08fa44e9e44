//! Lines, and a mark where some are left out: [`write()`].

use super::{Cut, SampleName};
use crate::marker::PREFIX;
use crate::omission::Unit;

/// Fewer bytes in a row are not worth a mark, which has some ten tokens; nor is one line alone.
const MIN_GAP: usize = 80;

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays.
    Kept,
    /// It goes, and a mark says so.
    Omitted,
    /// It goes, which the lines around it show.
    Unmarked,
    /// It goes, and is none of what the unit counts.
    Uncounted,
}

/// Text from lines that are those between line breaks, with `[skinflint: 12 lines omitted]` in place of those that are
/// omitted. Gaps that are hardly larger than that are not made. `None` if nothing is left out. `of` is how many of the
/// lines the unit counts.
pub(super) fn write(
    lines: &[&str],
    fates: &[Fate],
    of: usize,
    (unit, name): (Unit, SampleName),
) -> Option<Cut> {
    let mut parts: Vec<String> = Vec::new();
    let mut omitted = 0;
    let mut at = 0;
    while at < lines.len() {
        let is_kept = fates[at] == Fate::Kept;
        let same = fates[at..]
            .iter()
            .take_while(|fate| (**fate == Fate::Kept) == is_kept)
            .count();
        let run = &lines[at..at + same];
        let is_marked = fates[at..at + same].contains(&Fate::Omitted);
        let bytes: usize = run.iter().map(|line| line.len() + 1).sum();
        let counted = fates[at..at + same]
            .iter()
            .filter(|fate| !matches!(fate, Fate::Kept | Fate::Uncounted))
            .count();
        if is_kept || (is_marked && (bytes < MIN_GAP || counted < 2)) {
            parts.push(run.join("\n"));
        } else {
            omitted += counted;
            if is_marked {
                parts.push(format!("{PREFIX} {counted} {unit} omitted]"));
            }
        }
        at += same;
    }
    (omitted > 0).then(|| Cut {
        text: parts.join("\n"),
        omitted,
        of,
        unit,
        name,
    })
}
