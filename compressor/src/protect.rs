//! What of a text is never cut: [`protected`].

use std::ops::Range;

use memchr::{memchr, memchr2};

use crate::failure;

/// The longest text between quotes that counts as quoted, in bytes: a quote that is not closed must not protect a page.
const MAX_QUOTED: usize = 200;

/// The most letters of hexadecimal digits alone that are still taken for a word.
const MAX_HEX_WORD: usize = 6;

const NEGATIONS: [&str; 17] = [
    "cannot", "except", "isnt", "neither", "never", "no", "nobody", "none", "nor", "not",
    "nothing", "nowhere", "dont", "unless", "without", "cant", "wont",
];

/// Parts of a text that carry what cannot be guessed from the rest: numbers, dates, versions, identifiers (also those of
/// code), hashes, paths, URLs, addresses, settings (`a=b`), text in quotes, negations, lines that tell of a failure, and
/// code between backquotes.
///
/// The ranges are of bytes, at boundaries of characters, sorted, and do not touch. Whoever leaves out words keeps these
/// as they are. Time is linear in the length.
pub fn protected(text: &str) -> Vec<Range<usize>> {
    let mut spans = Spans::default();
    let mut fence: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.trim_end_matches(['\n', '\r']).len();
        let is_fence = line.trim_start().starts_with("```");
        match fence {
            Some(start) if is_fence => {
                spans.push(start..end);
                fence = None;
            }
            Some(_) => {}
            None if is_fence => fence = Some(at),
            None if failure::tells_of_failure(&text[at..end]) && end - at <= MAX_FAILURE => {
                spans.push(at..end);
            }
            None => line_spans(text, at, end, &mut spans),
        }
        at += line.len();
    }
    if let Some(start) = fence {
        spans.push(start..text.len());
    }
    spans.ranges
}

/// Longer lines are paragraphs: that a word of failure is in one does not make it a message, in bytes.
const MAX_FAILURE: usize = 240;

/// Ranges in order, those that touch or overlap as one.
#[derive(Debug, Default)]
struct Spans {
    ranges: Vec<Range<usize>>,
}

impl Spans {
    fn push(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        match self.ranges.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => self.ranges.push(range),
        }
    }
}

/// The spans of a line that is neither code nor a failure.
fn line_spans(text: &str, start: usize, end: usize, spans: &mut Spans) {
    let line = &text[start..end];
    let mut at = 0;
    let mut quotes = Quotes::default();
    while let Some(symbol) = line[at..].chars().next() {
        if let Some(length) = quotes.quoted(line, at, symbol) {
            spans.push(start + at..start + at + length);
            at += length;
        } else if breaks(symbol) {
            at += symbol.len_utf8();
        } else {
            let length = atom_length(&line[at..]);
            let atom = &line[at..at + length];
            let kept = atom.trim_matches(is_edge);
            if is_protected(kept) {
                let lead = atom.len() - atom.trim_start_matches(is_edge).len();
                // A sign belongs to its number.
                let signed = lead > 0
                    && matches!(
                        atom.as_bytes()[lead - 1],
                        b'-' | b'+' | b'/' | b'.' | b'~' | b'$' | b'#' | b'@'
                    );
                let first = start + at + lead - usize::from(signed);
                let percent = atom[lead + kept.len()..].starts_with(['%', '/']);
                spans.push(first..start + at + lead + kept.len() + usize::from(percent));
            }
            at += length.max(symbol.len_utf8());
        }
    }
}

/// Where on a line no quotes are closed any more, so that none is looked for twice in vain.
#[derive(Debug, Default)]
struct Quotes {
    closed_before: [usize; 3],
}

impl Quotes {
    /// The length of a text in quotes that begins at `at`, quotes included.
    fn quoted(&mut self, line: &str, at: usize, open: char) -> Option<usize> {
        let (kind, close) = match open {
            '"' => (0, b'"'),
            '`' => (1, b'`'),
            '\'' => (2, b'\''),
            '“' => {
                let mut stop = line.len().min(at + MAX_QUOTED);
                while !line.is_char_boundary(stop) {
                    stop -= 1;
                }
                let inner = line[at..stop].find('”');
                return inner.map(|length| length + '”'.len_utf8());
            }
            _ => return None,
        };
        if at < self.closed_before[kind] {
            return None;
        }
        let bytes = line.as_bytes();
        let before = at.checked_sub(1).map(|before| bytes[before]);
        // An apostrophe stands behind a letter.
        if open == '\'' && before.is_some_and(|before| before.is_ascii_alphanumeric()) {
            return None;
        }
        let rest = &bytes[at + 1..bytes.len().min(at + 1 + MAX_QUOTED)];
        let length = match kind {
            2 => closing_apostrophe(rest),
            _ => memchr(close, rest),
        };
        if length.is_none() {
            self.closed_before[kind] = at + 1 + rest.len();
        }
        length.map(|length| length + 2)
    }
}

/// Where a single quote closes: before what is no letter.
fn closing_apostrophe(rest: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\'', rest)
        .find(|&at| !rest.get(at + 1).is_some_and(u8::is_ascii_alphanumeric))
}

/// Whether no atom has this in it.
fn breaks(symbol: char) -> bool {
    symbol.is_whitespace()
        || matches!(
            symbol,
            '"' | '`' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | ';' | '|' | ',' | '“' | '”'
        )
        // Scripts without spaces between words.
        || matches!(symbol, '\u{3000}'..='\u{303f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ff0f}')
}

/// What an atom has at its ends that does not belong to it.
fn is_edge(symbol: char) -> bool {
    !symbol.is_alphanumeric() && symbol != '_'
}

/// The length of the word at the beginning of a text with all that joins its parts: commas between digits, and of a
/// URL everything up to a space or a quote.
fn atom_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    for (at, symbol) in text.char_indices() {
        if text[at..].starts_with("://") && at > 0 {
            let rest = &bytes[at..];
            let stop = rest.iter().position(|byte| {
                byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>' | b'`' | b'\'')
            });
            return at + stop.unwrap_or(rest.len());
        }
        let in_number = symbol == ','
            && at > 0
            && bytes[at - 1].is_ascii_digit()
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if breaks(symbol) && !in_number {
            return at;
        }
        length = at + symbol.len_utf8();
    }
    length
}

/// Whether a word without punctuation around it is one that cannot be guessed.
fn is_protected(word: &str) -> bool {
    let bytes = word.as_bytes();
    if bytes.is_empty() {
        return false;
    }
    if word.chars().any(char::is_numeric) {
        return true;
    }
    let joined = bytes.windows(3).any(|part| {
        matches!(
            part[1],
            b'/' | b'\\' | b'@' | b'_' | b'.' | b'=' | b':' | b'+' | b'#'
        ) && !part[0].is_ascii_whitespace()
            && is_letter(part[0])
            && (is_letter(part[2]) || matches!(part[2], b'/' | b':' | b'\\'))
    });
    // A capital behind a small letter: a name of code.
    let camel = bytes
        .windows(2)
        .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    joined || camel || bytes[0] == b'_' || is_hex(bytes) || is_negation(word)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || byte == b'_'
}

fn is_hex(bytes: &[u8]) -> bool {
    bytes.len() > MAX_HEX_WORD && bytes.iter().all(u8::is_ascii_hexdigit)
}

fn is_negation(word: &str) -> bool {
    let contracted = memchr2(b'\'', 0xe2, word.as_bytes()).is_some_and(|at| {
        let end = word.get(at..).unwrap_or_default();
        let before = &word.as_bytes()[..at];
        matches!(end, "'t" | "’t") && before.ends_with(b"n")
    });
    contracted
        || NEGATIONS.iter().any(|no| word.eq_ignore_ascii_case(no))
        || word
            .get(..4)
            .is_some_and(|head| head.eq_ignore_ascii_case("non-"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(text: &str) -> Vec<&str> {
        protected(text)
            .into_iter()
            .map(|range| &text[range])
            .collect()
    }

    #[test]
    fn what_cannot_be_guessed_is_protected() {
        let cases = [
            (
                "it took -3.5 seconds or 1,234 ms, 12% more",
                &["-3.5", "1,234", "12%"][..],
            ),
            (
                "see ABC-123, v1.2.3 and 2026-03-01T12:00:01Z.",
                &["ABC-123", "v1.2.3", "2026-03-01T12:00:01Z"],
            ),
            (
                "open /var/log/x and src/main.rs now",
                &["/var/log/x", "src/main.rs"],
            ),
            (
                "at https://a.example/b?c=d&e=(f) today",
                &["https://a.example/b?c=d&e=(f"],
            ),
            ("mail bob@example.com please", &["bob@example.com"]),
            ("commit deadbeef of facade", &["deadbeef"]),
            (
                "it does not work, and isn't \"the one\"",
                &["not", "isn't", "\"the one\""],
            ),
            (
                "call `run it` or max_tokens or userName",
                &["`run it`", "max_tokens", "userName"],
            ),
            ("set a=b in Foo::bar", &["a=b", "Foo::bar"]),
            ("plain words, don't touch", &["don't"]),
            ("温度是25度", &["25"]),
            ("the user's dog's bone", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(spans(text), expected, "{text}");
        }
    }

    #[test]
    fn failures_and_code_are_protected_as_wholes() {
        let text = "All went well.\nERROR disk full\nSo it goes:\n```\nlet x = y;\n```\nThe end";
        assert_eq!(spans(text), ["ERROR disk full", "```\nlet x = y;\n```"]);
        assert_eq!(spans("a b\n```\nopen end"), ["```\nopen end"]);
    }

    proptest! {
        #[test]
        fn ranges_are_sorted_and_apart(text in prop_oneof![any::<String>(), "[a-z0-9'\"`/:. ,-]{0,60}", "(`{3}|[a-z ]{1,9}|\n|\"|“|”){0,20}"]) {
            let mut end = None;
            for range in protected(&text) {
                prop_assert!(range.start < range.end);
                prop_assert!(end.is_none_or(|end| end < range.start));
                prop_assert!(text.get(range.clone()).is_some());
                end = Some(range.end);
            }
        }

        #[test]
        fn every_digit_is_protected(text in "[a-z0-9 ,.;/-]{0,60}") {
            let ranges = protected(&text);
            for (at, byte) in text.bytes().enumerate() {
                if byte.is_ascii_digit() {
                    prop_assert!(ranges.iter().any(|range| range.contains(&at)));
                }
            }
        }
    }
}
