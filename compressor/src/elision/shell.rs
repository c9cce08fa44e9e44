//! Commands of a shell that show or change one file, and do nothing else.

use super::access::{Access, Read, normal};

/// What a shell does not pass on as it stands, but for `&`, which may be part of `&&`.
const SPECIAL: &str = "|;<>$`*?(){[\n\\#";
const SPECIAL_IN_QUOTES: &str = "$`\\";

/// What a command does to a file: `cat`, `nl`, `head`, `tail`, `sed -n` and `sed -i`, behind `cd DIRECTORY &&` if need
/// be. Anything more elaborate is none: what it shows is not the file.
pub(super) fn access(tool: &str, command: &str, directory: Option<&str>) -> Option<Access> {
    let words = words(command.trim())?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (moved, words) = match words.as_slice() {
        ["cd", moved, "&&", rest @ ..] => (Some(*moved), rest),
        words => (None, words),
    };
    let joined = |path: &str| {
        [directory, moved, Some(path)]
            .into_iter()
            .flatten()
            .fold(String::new(), |before, part| {
                if part.starts_with('/') || before.is_empty() {
                    part.to_owned()
                } else {
                    format!("{before}/{part}")
                }
            })
    };
    let (path, range) = parts(words)?;
    if path.is_empty() || path.starts_with(['-', '~']) || path.contains('&') {
        return None;
    }
    let path = normal(&joined(path));
    if path.is_empty() {
        return None;
    }
    let Some(range) = range else {
        return Some(Access::Change(vec![path]));
    };
    Some(Access::Read(Read {
        // Shells remember where an earlier command went.
        is_located: path.starts_with('/'),
        path,
        range,
        tool: tool.to_owned(),
    }))
}

/// The file, and what part of it is shown; no part where the file is changed.
fn parts<'w>(words: &[&'w str]) -> Option<(&'w str, Option<String>)> {
    match *words {
        ["cat" | "nl", path] | ["cat", "-n", path] | ["nl", "-ba", path] => {
            Some((path, Some(String::new())))
        }
        ["sed", "-n", lines, path] if is_lines(lines) => Some((path, Some(lines.to_owned()))),
        ["sed", option, _, path] if option.starts_with("-i") => Some((path, None)),
        [name @ ("head" | "tail"), path] => Some((path, Some(name.to_owned()))),
        [name @ ("head" | "tail"), count, path] => Some((path, Some(format!("{name} {count}")))),
        [
            name @ ("head" | "tail"),
            option @ ("-n" | "-c"),
            count,
            path,
        ] => Some((path, Some(format!("{name} {option} {count}")))),
        _ => None,
    }
}

/// Whether a script of `sed` prints lines by their numbers.
fn is_lines(script: &str) -> bool {
    let is_place = |place: &str| {
        place == "$" || !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit())
    };
    script
        .strip_suffix('p')
        .is_some_and(|lines| lines.splitn(2, ',').all(is_place))
}

/// The words of a command, quotes taken off; `None` if a shell would do more with it than run it.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in command.chars() {
        let is_special = match quote {
            None => SPECIAL.contains(letter),
            Some('"') => SPECIAL_IN_QUOTES.contains(letter),
            Some(_) => false,
        };
        if is_special {
            return None;
        }
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}
