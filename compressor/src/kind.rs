//! What a text of a tool's result is.

mod log_line;
mod read;

use skinflint_protocol::JsonLimits;
use skinflint_protocol::json::Document;

use crate::search;

/// What a text is, as far as a look at its lines can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One JSON object or array.
    Json,
    /// A log, or the output of a build or of tests.
    Log,
    /// Lines with the path and the number of the line that they are from.
    SearchResults,
    /// A patch, with or without other text around it.
    Diff,
    /// A file, or part of one, with line numbers.
    FileRead,
    /// Sentences.
    Prose,
    /// All else: source code, listings, data.
    Other,
}

/// The lines that are looked at to tell logs, code and prose, from the beginning.
const SAMPLE: usize = 1000;

/// Fewer lines than these are too few to tell logs and search results by.
const MIN_LINES: usize = 3;

/// What a text is. In doubt it is something that an agent may depend on by its bytes: a patch or a read
/// anywhere in the text makes it one.
pub fn detect(text: &str) -> Kind {
    if is_json(text) {
        Kind::Json
    } else if read::has_diff(text) {
        Kind::Diff
    } else if is_search(text) {
        Kind::SearchResults
    } else if read::is_read(text) {
        Kind::FileRead
    } else if is_code(text) || is_table(text) {
        Kind::Other
    } else if is_log(text) {
        Kind::Log
    } else if is_prose(text) {
        Kind::Prose
    } else {
        Kind::Other
    }
}

fn is_json(text: &str) -> bool {
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    let enclosed = (trimmed.starts_with('{') && trimmed.ends_with('}'))
        || (trimmed.starts_with('[') && trimmed.ends_with(']'));
    enclosed && Document::parse(trimmed.as_bytes(), JsonLimits::default()).is_ok()
}

/// Lines to judge a text by: some from its beginning, and none that are empty.
fn sample(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take(SAMPLE)
        .filter(|line| !line.trim_ascii().is_empty())
}

/// Whether four lines in five are results, not counting separators and lines of context.
fn is_search(text: &str) -> bool {
    let mut path = None;
    let (mut hits, mut context, mut others) = (0, 0, 0);
    for line in sample(text) {
        if let Some(hit) = search::match_line(line) {
            hits += 1;
            path = Some(hit.path);
        } else if line != "--" {
            let known = path.is_some_and(|path| line.starts_with(path));
            if known || is_context(line) {
                context += 1;
            } else {
                others += 1;
            }
        }
    }
    hits >= MIN_LINES && (hits + context) >= 4 * others && context <= 30 * hits
}

/// Whether a line looks like `path-12-text`.
fn is_context(line: &str) -> bool {
    let Some((path, _)) = line.split_once(['-', ' ']) else {
        return false;
    };
    path.contains(['/', '\\', '.'])
        && line
            .split('-')
            .skip(1)
            .any(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a text looks like a file of values under their names: a first line without digits, and the
/// same number of separators, two or more, in all lines.
pub(crate) fn is_table(text: &str) -> bool {
    [b',', b';', b'\t'].into_iter().any(|separator| {
        let mut counts =
            sample(text).map(|line| memchr::memchr_iter(separator, line.as_bytes()).count());
        let named = sample(text)
            .next()
            .is_some_and(|line| !line.bytes().any(|byte| byte.is_ascii_digit()));
        named
            && counts
                .next()
                .is_some_and(|first| first >= 2 && counts.all(|count| count == first))
    })
}

/// Whether at least half of the lines that are not indented, and a fifth of all, are a log's.
fn is_log(text: &str) -> bool {
    let (mut logs, mut flush, mut all) = (0, 0, 0);
    for line in sample(text) {
        all += 1;
        let is_log = log_line::is_log_line(line);
        logs += usize::from(is_log);
        flush += usize::from(is_log || !line.starts_with([' ', '\t']));
    }
    logs >= MIN_LINES && logs * 2 >= flush && logs * 5 >= all
}

/// Whether a text looks like source code: a fifth of its lines do, and no logger wrote them.
pub(crate) fn is_code(text: &str) -> bool {
    let (mut code, mut all) = (0, 0);
    for line in sample(text) {
        all += 1;
        code += usize::from(is_code_line(line) && !log_line::is_dated(line));
    }
    code * 5 >= all && code > 0
}

/// Whether a line ends or begins as lines of common languages do.
fn is_code_line(line: &str) -> bool {
    const STARTS: [&str; 26] = [
        "#!",
        "#include",
        "#define",
        "@",
        "class ",
        "const ",
        "def ",
        "elif ",
        "enum ",
        "export ",
        "fn ",
        "for ",
        "from ",
        "func ",
        "function ",
        "if (",
        "import ",
        "let ",
        "package ",
        "pub ",
        "return ",
        "static ",
        "struct ",
        "use ",
        "var ",
        "//",
    ];
    let line = line.trim_ascii();
    line.ends_with(['{', ';', '}'])
        || line.ends_with("):")
        || line.ends_with("=>")
        || line.ends_with("});")
        || STARTS.iter().any(|start| line.starts_with(start))
}

/// Whether most lines are of several words that are nearly all letters, with sentences among them.
fn is_prose(text: &str) -> bool {
    let (mut wordy, mut all, mut sentences) = (0, 0, 0);
    for line in sample(text) {
        all += 1;
        let letters = line
            .chars()
            .filter(|symbol| symbol.is_alphabetic() || *symbol == ' ')
            .count();
        let first = line.split_ascii_whitespace().take(5).count();
        let length = line.chars().count();
        wordy += usize::from(first == 5 && letters * 10 >= length * 9);
        sentences +=
            usize::from(line.contains(". ") || line.trim_ascii_end().ends_with(['.', '?', '!']));
    }
    sentences > 0 && wordy * 2 >= all
}
