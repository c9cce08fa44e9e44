//! How texts tell that something went wrong.

/// What the words of failures begin with.
const STEMS: [&str; 52] = [
    "abort",
    "alert",
    "anomal",
    "assert",
    "breach",
    "broken",
    "cannot",
    "conflict",
    "corrupt",
    "crash",
    "critical",
    "deadlock",
    "declin",
    "degraded",
    "denied",
    "deny",
    "emergency",
    "error",
    "exceed",
    "exception",
    "expired",
    "exploit",
    "fail",
    "fatal",
    "forbid",
    "fraud",
    "intrus",
    "invalid",
    "kill",
    "leak",
    "malicious",
    "mismatch",
    "missing",
    "overflow",
    "panic",
    "refus",
    "reject",
    "segfault",
    "severe",
    "spike",
    "suspicious",
    "throttl",
    "timeout",
    "traceback",
    "unable",
    "unauthori",
    "unavail",
    "unexpected",
    "unhandled",
    "unreach",
    "violat",
    "warn",
];

/// Words of failures that begin too many others.
const WORDS: [&str; 9] = [
    "crit",
    "emerg",
    "err",
    "lost",
    "oom",
    "outage",
    "rollback",
    "uncaught",
    "undefined",
];

const PHRASES: [&str; 5] = [
    "timed out",
    "not found",
    "no such",
    "could not",
    "out of memory",
];

/// Words before one of failure that say there is none.
const NONE_BEFORE: [&str; 5] = ["0", "no", "without", "zero", "ignore"];

/// Values behind one that say so.
const NONE_BEHIND: [&str; 6] = ["0", "none", "null", "false", "[]", "\"\""];

/// The longest word that is looked at, in bytes.
const MAX_WORD: usize = 24;

/// Whether a line, or another short text, tells of an error, a warning or anything else that went wrong: by its words,
/// the parts of `camelCase` each for themselves, by the status of an answer from 400 to 599, or by the code of an exit
/// other than 0. "0 errors" and `errors=0` tell of none. Time is linear.
pub(crate) fn tells_of_failure(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut exits = false;
    while at < bytes.len() {
        if bytes[at].is_ascii_digit() {
            let end = digits_end(bytes, at);
            if is_bad_number(bytes, at, end, exits) {
                return true;
            }
            at = end;
            continue;
        }
        if !bytes[at].is_ascii_alphabetic() {
            at += 1;
            continue;
        }
        let end = word_end(bytes, at);
        let word = &bytes[at..end];
        if is_failure(word) && !is_denied(text, at, end) {
            return true;
        }
        if word.len() <= "exited".len() {
            exits |= begins(word, "exit");
        }
        if begins_phrase(&bytes[at..]) {
            return true;
        }
        at = end;
    }
    false
}

/// Whether a word alone, whatever stands around it, is one of failure.
pub(crate) fn is_failure(word: &[u8]) -> bool {
    word.len() <= MAX_WORD
        && (STEMS.iter().any(|stem| begins(word, stem))
            || WORDS
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name.as_bytes())))
}

fn begins(text: &[u8], start: &str) -> bool {
    // Most words differ in their first letter.
    text.first()
        .is_some_and(|first| first.to_ascii_lowercase() == start.as_bytes()[0])
        && text
            .get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

fn begins_phrase(text: &[u8]) -> bool {
    PHRASES.iter().any(|phrase| begins(text, phrase))
}

fn digits_end(bytes: &[u8], at: usize) -> usize {
    let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
    at + digits.count()
}

/// Where the word ends that begins at `at`: before what is no letter, and where a capital begins the next word.
fn word_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(&byte) = bytes.get(end) {
        let is_upper = byte.is_ascii_uppercase();
        let after_lower = bytes[end - 1].is_ascii_lowercase();
        let before_lower = bytes.get(end + 1).is_some_and(u8::is_ascii_lowercase);
        // The plural of a word in capitals ("IDs") is no new word.
        let is_plural = !bytes.get(end + 2).is_some_and(u8::is_ascii_lowercase);
        if !byte.is_ascii_alphabetic()
            || (is_upper && (after_lower || (before_lower && !is_plural)))
        {
            break;
        }
        end += 1;
    }
    end
}

/// Whether what stands around a word says that there is none of it.
fn is_denied(text: &str, start: usize, end: usize) -> bool {
    let is_between = |symbol: char| matches!(symbol, ' ' | ':' | '=' | '"' | '\'' | '\t');
    let before = text[..start].trim_end_matches([' ', '\t']);
    let denied_before = NONE_BEFORE.iter().any(|none| {
        let Some(cut) = before.len().checked_sub(none.len()) else {
            return false;
        };
        let bytes = before.as_bytes();
        bytes[cut..].eq_ignore_ascii_case(none.as_bytes())
            && !bytes[..cut]
                .last()
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.')
    });
    // At most a few bytes are looked at, so that time stays linear.
    let mut stop = text.len().min(end + 24);
    while !text.is_char_boundary(stop) {
        stop -= 1;
    }
    let behind = text.get(end..stop).unwrap_or_default();
    let name =
        behind.trim_start_matches(|symbol: char| symbol.is_ascii_alphabetic() || symbol == '_');
    let value = name.trim_start_matches(is_between);
    let assigned =
        name.len() > value.len() && name[..name.len() - value.len()].contains([':', '=']);
    let denied_behind = assigned
        && NONE_BEHIND.iter().any(|none| {
            value
                .get(..none.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(none))
                && !value[none.len()..]
                    .starts_with(|next: char| next.is_alphanumeric() || next == '.')
        });
    denied_before || denied_behind
}

/// Whether a number is the status of an answer that failed, or a code of an exit that did.
fn is_bad_number(bytes: &[u8], at: usize, end: usize, exits: bool) -> bool {
    let is_part = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    let before = &bytes[..at];
    if is_part(bytes.get(end)) || is_part(before.last()) {
        return false;
    }
    if exits && bytes[at..end].iter().any(|digit| *digit != b'0') && end - at <= 3 {
        return true;
    }
    if end - at != 3 || !matches!(bytes[at], b'4' | b'5') {
        return false;
    }
    let gap = before
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b':' | b'=' | b'"'))
        .count();
    let before_gap = &before[..before.len() - gap];
    let word = before_gap
        .iter()
        .rev()
        .take(200)
        .take_while(|byte| !matches!(byte, b' ' | b'"' | b'{' | b','))
        .count();
    let word = &before_gap[before_gap.len() - word..];
    let is_end = |name: &str| {
        word.len() >= name.len()
            && word[word.len() - name.len()..].eq_ignore_ascii_case(name.as_bytes())
    };
    gap > 0
        && (word.starts_with(b"/")
            || word.starts_with(b"HTTP/")
            || is_end("status")
            || is_end("code")
            || is_end("http"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_codes_tell_of_failures() {
        for text in [
            "ERROR disk full",
            "NullPointerException at x",
            "worker-3 OOMKilled",
            "java.lang.OutOfMemoryError: heap",
            "3 failed, 12 passed",
            "connection timed out",
            "GET /api/orders 503 in 8 ms",
            "\"GET / HTTP/1.1\" 404 12",
            "status=500",
            "process exited with code 137",
            "npm WARN deprecated",
            "test x ... FAILED",
        ] {
            assert!(tells_of_failure(text), "{text}");
        }
    }

    #[test]
    fn none_of_them_and_other_words_do_not() {
        for text in [
            "0 errors, 0 warnings",
            "no failures",
            "errors=0",
            "\"error\": null",
            "failed: 0",
            "Compiling thiserror v2",
            "GET /api/orders 200 in 503 ms",
            "exit code 0",
            "took 412 ms",
            "",
            "é",
        ] {
            assert!(!tells_of_failure(text), "{text}");
        }
    }
}
