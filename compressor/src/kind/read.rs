//! Texts whose bytes an agent edits by: patches, and files with line numbers.

use memchr::memmem;

/// Lines in a row with numbers that go up by one, from which on a text is a read.
const IN_A_ROW: usize = 3;

/// Whether there is a patch in a text.
pub(super) fn has_diff(text: &str) -> bool {
    ["diff --git ", "@@ -", "Index: ", "*** Begin Patch"]
        .iter()
        .any(|start| has_line(text, start))
        || (has_line(text, "--- ") && has_line(text, "+++ "))
}

/// Whether a line of a text begins so, whatever the spaces before it.
fn has_line(text: &str, start: &str) -> bool {
    let bytes = text.as_bytes();
    memmem::find_iter(bytes, start.as_bytes()).any(|at| {
        let before = bytes[..at].iter().rev().take(16);
        let mut before = before.skip_while(|byte| matches!(byte, b' ' | b'\t'));
        before.next().is_none_or(|&byte| byte == b'\n')
    })
}

/// Whether a text has lines in a row with numbers that go up by one, as `cat -n` and tools that read
/// files write them, or consists of no others.
pub(super) fn is_read(text: &str) -> bool {
    let mut previous = None;
    let mut row = 0;
    let (mut numbered, mut others) = (0, 0);
    for line in text.lines() {
        let number = line_number(line);
        if number.is_some() {
            numbered += 1;
        } else if !line.trim_ascii().is_empty() {
            others += 1;
        }
        let follows =
            number.is_some() && previous.is_some_and(|last: u32| number == Some(last + 1));
        row = match number {
            Some(_) if follows => row + 1,
            Some(_) => 1,
            None => 0,
        };
        if row >= IN_A_ROW {
            return true;
        }
        previous = number;
    }
    numbered > 0 && others == 0
}

/// The number that a line begins with, if `→`, a tab, `|`, or a colon that is no clock's follows.
fn line_number(line: &str) -> Option<u32> {
    let line = line.trim_ascii_start();
    let digits = line.bytes().take(9).take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let (number, rest) = line.split_at(digits);
    let clock = || {
        let rest = rest.as_bytes();
        rest.len() >= 3 && rest[1..3].iter().all(u8::is_ascii_digit) && digits <= 2
    };
    let follows = rest.starts_with(['→', '\t', '|'])
        || rest.starts_with(" |")
        || rest.starts_with(" │")
        || rest.starts_with('│')
        || (rest.starts_with(':') && !clock())
        || rest.starts_with(": ");
    follows.then(|| number.parse().ok()).flatten()
}
