//! Lines that loggers, builds and test runners write.

use crate::log::normalise::has_date;

/// How far into a line a time or a level is looked for, in bytes.
const HEAD: usize = 64;

const LEVELS: [&str; 12] = [
    "CRITICAL", "DEBUG", "ERROR", "FATAL", "INFO", "NOTICE", "SEVERE", "TRACE", "WARN", "WARNING",
    "level=", "ERR!",
];

const STARTS: [&str; 50] = [
    "Building ",
    "Built ",
    "Caused by",
    "Checking ",
    "Collecting ",
    "Compiling ",
    "Configuring ",
    "Copying ",
    "Creating ",
    "Deleting ",
    "Downloaded ",
    "Downloading ",
    "Fetched ",
    "Fetching ",
    "Finished ",
    "Fresh ",
    "Generating ",
    "Get:",
    "Hit:",
    "Installing ",
    "Linking ",
    "Loading ",
    "Locking ",
    "Preparing ",
    "Processing ",
    "Progress",
    "Pulling ",
    "Removing ",
    "Requirement already",
    "Resolving ",
    "Running ",
    "Selecting ",
    "Setting up ",
    "Starting ",
    "Successfully ",
    "Unpacking ",
    "Updating ",
    "Using cached",
    "Waiting ",
    "> Task ",
    "npm warn",
    "npm WARN",
    "npm notice",
    "npm error",
    "make[",
    "=== RUN",
    "--- PASS",
    "--- FAIL",
    "--- SKIP",
    "ok  \t",
];

const VERDICTS: [&str; 14] = [
    "error:",
    "error[",
    "warning:",
    "warning[",
    "PASSED",
    "FAILED",
    "SKIPPED",
    "XFAIL",
    " ... ok",
    " ... FAILED",
    " ... ignored",
    "✓",
    "✔",
    "✗",
];

/// Whether a line looks like one of a log's.
pub(super) fn is_log_line(line: &str) -> bool {
    let trimmed = line.trim_ascii_start();
    let head = head(trimmed);
    is_dated(line)
        || LEVELS.iter().any(|level| has_word(head, level))
        || STARTS.iter().any(|start| trimmed.starts_with(start))
        || VERDICTS.iter().any(|verdict| trimmed.contains(verdict))
        || is_share(trimmed)
        || (trimmed.starts_with("{\"") && trimmed.ends_with('}'))
}

/// Whether a time of day or a date is near a line's beginning.
pub(super) fn is_dated(line: &str) -> bool {
    let head = head(line.trim_ascii_start()).as_bytes();
    let clock = head.windows(8).any(|time| {
        time[2] == b':'
            && time[5] == b':'
            && [0, 1, 3, 4, 6, 7]
                .iter()
                .all(|&at: &usize| time[at].is_ascii_digit())
    });
    // A date alone, as loggers write it: not between the commas of a table.
    let start = &head[..head.len().min(11)];
    let dated = matches!(start.first(), Some(b'0'..=b'9' | b'[')) && has_date(start);
    clock
        || (dated
            && matches!(
                head.get(10..12),
                Some([b' ' | b'T', _] | [_, b' ' | b'T' | b']'])
            ))
}

/// A line's beginning.
fn head(line: &str) -> &str {
    let mut end = line.len().min(HEAD);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// Whether a word stands in a text with no letter or digit beside it.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |symbol: Option<char>| {
        symbol.is_some_and(|symbol| symbol.is_alphanumeric() || symbol == '_')
    };
    text.match_indices(word).any(|(at, _)| {
        !is_part(text[..at].chars().next_back())
            && (word.ends_with('=') || !is_part(text[at + word.len()..].chars().next()))
    })
}

/// Whether a line begins with a share or a count of steps: `[ 12%]`, `[3/17]`, `#12 `.
fn is_share(line: &str) -> bool {
    let Some(rest) = line.strip_prefix('[') else {
        return line
            .strip_prefix('#')
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    };
    let Some((inner, _)) = rest.split_once(']') else {
        return false;
    };
    !inner.is_empty()
        && inner.len() < 16
        && inner.contains(['%', '/'])
        && inner
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'%' | b'/' | b' ' | b'.'))
}
