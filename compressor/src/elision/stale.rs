//! Which reads of files are out of date.

use std::collections::HashMap;

use super::access::{Access, Read};
use super::{OldResult, Why};
use crate::failure;

/// What has been seen of a file behind a place in the conversation.
#[derive(Default)]
struct Later<'a> {
    is_changed: bool,
    /// The nearest read of all of it.
    whole: Option<Shown<'a>>,
    /// The nearest read of each part.
    parts: HashMap<&'a str, Shown<'a>>,
}

/// A read, with what it showed.
#[derive(Clone, Copy)]
struct Shown<'a> {
    read: &'a Read,
    text: &'a str,
    tokens: u64,
}

/// Why each result is out of date, if it is: reads of files that were changed later or are shown by a later read.
pub(super) fn outdated<'a>(
    results: &'a [OldResult<'_>],
    accesses: &'a [Option<Access>],
) -> Vec<Option<Why>> {
    let mut files: HashMap<&str, Later<'_>> = HashMap::new();
    let mut outdated = vec![None; results.len()];
    for (index, (result, access)) in results.iter().zip(accesses).enumerate().rev() {
        match access {
            Some(Access::Change(paths)) if !has_failed(result, paths) => {
                for path in paths {
                    files.entry(path).or_default().is_changed = true;
                }
            }
            // What is not sent shows nothing, and an error is not what the file was.
            Some(Access::Read(read)) if !result.failed && !result.elided => {
                let later = files.entry(&read.path).or_default();
                let shown = Shown {
                    read,
                    text: result.text,
                    tokens: result.tokens,
                };
                outdated[index] = later.why(shown);
                later.add(shown);
            }
            _ => {}
        }
    }
    outdated
}

/// Whether a change came to nothing, by the first line of what the tool says where the request does not tell.
fn has_failed(result: &OldResult<'_>, paths: &[String]) -> bool {
    let line = result.text.lines().next().unwrap_or_default();
    // Files are called `error.rs`.
    let line = paths
        .iter()
        .fold(line.to_owned(), |line, path| line.replace(path, " "));
    result.failed || failure::tells_of_failure(&line)
}

impl<'a> Later<'a> {
    fn why(&self, earlier: Shown<'a>) -> Option<Why> {
        let same = match earlier.read.range.as_str() {
            "" => self.whole,
            range => self.parts.get(range).copied(),
        };
        let is_shown = same.is_some_and(|later| later.repeats(earlier) || later.contains(earlier))
            || self.whole.is_some_and(|later| later.contains(earlier));
        if is_shown {
            return Some(Why::ReadAgain);
        }
        self.is_changed.then_some(Why::Edited)
    }

    fn add(&mut self, shown: Shown<'a>) {
        match shown.read.range.as_str() {
            "" => self.whole = Some(shown),
            range => {
                self.parts.insert(range, shown);
            }
        }
    }
}

impl Shown<'_> {
    /// Whether this read of the same part by the same tool shows what an earlier one did. A much shorter one does not: clients answer a
    /// second read of an unchanged file with a line that points to the first.
    fn repeats(self, earlier: Self) -> bool {
        let is_same =
            self.read.tool == earlier.read.tool && self.read.is_located && earlier.read.is_located;
        is_same && self.tokens >= earlier.tokens.div_ceil(2)
    }

    /// Whether the text of an earlier read stands in this one's. A read without a range need not be of the whole
    /// file: tools show the first lines of long ones.
    fn contains(self, earlier: Self) -> bool {
        // Some clients add reminders behind a file.
        let text = earlier.text.split("<system-reminder>").next();
        let text = text.unwrap_or_default().trim();
        !text.is_empty() && memchr::memmem::find(self.text.as_bytes(), text.as_bytes()).is_some()
    }
}
