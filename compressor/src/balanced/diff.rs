//! Patches with less context, and without the changes of files that programs write.
//!
//! Headers and changes stay as they are. Context at the two ends of a hunk goes without a mark: the hunk's header says
//! how many lines it has. `index` lines say nothing that a reader could use.

use super::gaps::{self, Fate};
use super::{Cut, SampleName};
use crate::omission::Unit;

/// Lines of context that stay around a change.
const CONTEXT: usize = 1;

/// Names, or ends of names, of files that programs write.
const GENERATED: [&str; 20] = [
    "Cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "poetry.lock",
    "Pipfile.lock",
    "uv.lock",
    "composer.lock",
    "Gemfile.lock",
    "go.sum",
    "flake.lock",
    ".min.js",
    ".min.css",
    ".map",
    ".snap",
    ".pb.go",
    "_pb2.py",
    ".g.dart",
];

/// What is left of a text; `None` if all of it.
pub(super) fn sample(text: &str) -> Option<Cut> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut fates = vec![Fate::Kept; lines.len()];
    let mut is_generated = false;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if let Some(path) = line
            .strip_prefix("+++ ")
            .or_else(|| line.strip_prefix("diff --git "))
        {
            is_generated = writes_itself(path);
        }
        if is_index(line) {
            fates[at] = Fate::Unmarked;
        }
        let Some(length) = hunk_length(&lines[at..]) else {
            at += 1;
            continue;
        };
        let body = at + 1..at + 1 + length;
        if is_generated {
            fates[body.clone()].fill(Fate::Omitted);
        } else {
            shorten(&lines[body.clone()], &mut fates[body.clone()]);
        }
        at = body.end;
    }
    gaps::write(
        &lines,
        &fates,
        lines.len(),
        (Unit::Lines, SampleName::Hunks),
    )
}

fn writes_itself(path: &str) -> bool {
    let path = path.trim_end_matches(['\r', '\t', '"']);
    GENERATED.iter().any(|end| path.ends_with(end))
}

/// Whether a line is `index 83db48f..bf3a2c1 100644`.
fn is_index(line: &str) -> bool {
    let hashes = line
        .strip_prefix("index ")
        .and_then(|rest| rest.split(' ').next());
    hashes
        .and_then(|hashes| hashes.split_once(".."))
        .is_some_and(|(one, other)| {
            one.len() >= 7
                && one
                    .bytes()
                    .chain(other.trim_end().bytes())
                    .all(|byte| byte.is_ascii_hexdigit())
        })
}

/// How many lines follow the header of a hunk that the first line is, as far as they look like its lines.
fn hunk_length(lines: &[&str]) -> Option<usize> {
    let ranges = lines.first()?.strip_prefix("@@ -")?;
    let (old, rest) = ranges.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let count = |range: &str| match range.split_once(',') {
        Some((_, count)) => count.parse::<usize>().ok(),
        None => Some(1),
    };
    let (mut old, mut new) = (count(old)?, count(new)?);
    let mut length = 0;
    for line in &lines[1..] {
        match line.as_bytes().first() {
            Some(b'\\') => {}
            _ if old == 0 && new == 0 => break,
            Some(b'+') => new = new.checked_sub(1)?,
            Some(b'-') => old = old.checked_sub(1)?,
            Some(b' ' | b'\t' | b'\r') | None => {
                old = old.checked_sub(1)?;
                new = new.checked_sub(1)?;
            }
            _ => return None,
        }
        length += 1;
    }
    (old == 0 && new == 0).then_some(length)
}

/// Leaves out the context of a hunk that is further than a line from a change.
fn shorten(lines: &[&str], fates: &mut [Fate]) {
    let changes: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].starts_with(['+', '-', '\\']))
        .collect();
    let (Some(first), Some(last)) = (changes.first().copied(), changes.last().copied()) else {
        return;
    };
    fates[..first.saturating_sub(CONTEXT)].fill(Fate::Unmarked);
    let end = (last + 1 + CONTEXT).min(lines.len());
    fates[end..].fill(Fate::Unmarked);
    for pair in changes.windows(2) {
        let (from, to) = (pair[0] + 1 + CONTEXT, pair[1].saturating_sub(CONTEXT));
        if from < to {
            fates[from..to].fill(Fate::Omitted);
        }
    }
}
