//! Results of `grep` and `rg` under their paths, as `rg --heading` shows them.
//!
//! ```text
//! [skinflint:grep each path once, above its lines]
//! src/main.rs
//! 12:fn main() {
//! 13-    run();
//! --
//! src/lib.rs
//! 3:pub fn run() {
//! ```
//!
//! A line that is no result begins with a space that is not its own.

use crate::form::{self, Form, FormError, MAX_UNFOLDED};

const HINT: &str = "[skinflint:grep each path once, above its lines]";

/// The longest path that is taken for one, in bytes.
const MAX_PATH: usize = 512;

/// One line of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit<'t> {
    pub(crate) path: &'t str,
    /// Number, `:` or `-`, and the line's text.
    pub(crate) rest: &'t str,
}

impl Hit<'_> {
    /// Whether the line is what was searched for, and not context.
    pub(crate) fn is_match(&self) -> bool {
        separator(self.rest) == Some(b':')
    }
}

/// Says each path once; `None` where that gains nothing.
pub fn encode(text: &str) -> Option<String> {
    form::encode(text, fold)
}

/// The text that [`encode`] was given.
pub fn decode(text: &str) -> Result<String, FormError> {
    form::decode(text, unfold)
}

/// [`encode`] without the look for markers.
pub(crate) fn fold(text: &str) -> Option<Form> {
    form::checked(text, fold_unchecked, unfold)
}

fn fold_unchecked(text: &str) -> Option<Form> {
    let lines: Vec<&str> = text.split('\n').collect();
    let hits = hits(&lines);
    let mut body = String::with_capacity(text.len());
    let mut path = None;
    for (index, (line, hit)) in lines.iter().zip(&hits).enumerate() {
        if index > 0 {
            body.push('\n');
        }
        if let Some(hit) = hit {
            if path != Some(hit.path) {
                body.push_str(hit.path);
                body.push('\n');
                path = Some(hit.path);
            }
            body.push_str(hit.rest);
        } else {
            if !line.is_empty() && *line != "--" {
                body.push(' ');
            }
            body.push_str(line);
        }
    }
    path.is_some().then(|| Form {
        hint: HINT.to_owned(),
        body,
    })
}

/// The lines that are results. A line of context (`path-12-text`) is known by the path of the matches
/// around it, since a path may have such a number in it.
pub(crate) fn hits<'t>(lines: &[&'t str]) -> Vec<Option<Hit<'t>>> {
    let mut hits: Vec<Option<Hit<'t>>> = lines.iter().map(|line| match_line(line)).collect();
    let mut near = None;
    for (line, hit) in lines.iter().zip(&mut hits).rev() {
        context_near(line, hit, &mut near);
    }
    near = None;
    for (line, hit) in lines.iter().zip(&mut hits) {
        context_near(line, hit, &mut near);
    }
    hits
}

fn context_near<'t>(line: &'t str, hit: &mut Option<Hit<'t>>, near: &mut Option<&'t str>) {
    if hit.is_none() {
        *hit = near.and_then(|path| context_line(line, path));
    }
    if let Some(hit) = hit {
        *near = Some(hit.path);
    }
}

/// Reads `path:12:text`.
pub(crate) fn match_line(line: &str) -> Option<Hit<'_>> {
    let bytes = line.as_bytes();
    let drive = bytes.len() > 3
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && matches!(bytes[2], b'\\' | b'/');
    let start = if drive { 2 } else { 0 };
    let head = &bytes[..bytes.len().min(MAX_PATH)];
    let colon = start + memchr::memchr(b':', &head[start..])?;
    let path = &line[..colon];
    let rest = &line[colon + 1..];
    (separator(rest) == Some(b':') && is_path(path)).then_some(Hit { path, rest })
}

/// Reads `path-12-text` of a known path.
fn context_line<'t>(line: &'t str, path: &str) -> Option<Hit<'t>> {
    let rest = line.strip_prefix(path)?.strip_prefix('-')?;
    (separator(rest) == Some(b'-')).then(|| Hit {
        path: &line[..path.len()],
        rest,
    })
}

/// The byte after a number of one to nine digits, if it is `:` or `-`.
fn separator(rest: &str) -> Option<u8> {
    let digits = rest.bytes().take(10).take_while(u8::is_ascii_digit).count();
    let byte = *rest.as_bytes().get(digits)?;
    ((1..10).contains(&digits) && matches!(byte, b':' | b'-')).then_some(byte)
}

/// Whether the text before a colon can be a path, and a line of its own that nothing else is.
fn is_path(path: &str) -> bool {
    let like =
        path.contains(['/', '\\', '.']) && path.bytes().any(|byte| byte.is_ascii_alphabetic());
    like && !path.starts_with([' ', '['])
        && !path.contains(['\r', '\t', '"'])
        && separator(path).is_none()
}

/// Undoes [`fold`].
pub(crate) fn unfold(hint: &str, body: &str) -> Result<String, FormError> {
    if hint != HINT {
        return Err(FormError::Hint);
    }
    let mut text = String::with_capacity(body.len() * 2);
    let mut path: Option<&str> = None;
    let mut is_first = true;
    let mut heading = false;
    for (index, line) in body.split('\n').enumerate() {
        let place = FormError::Line(index + 1);
        let mark = separator(line);
        heading = mark.is_none() && !line.is_empty() && line != "--" && !line.starts_with(' ');
        if heading {
            path = Some(line);
            continue;
        }
        if !is_first {
            text.push('\n');
        }
        is_first = false;
        match mark {
            Some(mark) => {
                text.push_str(path.ok_or(place)?);
                text.push(char::from(mark));
                text.push_str(line);
            }
            None => text.push_str(line.strip_prefix(' ').unwrap_or(line)),
        }
        if text.len() > MAX_UNFOLDED {
            return Err(FormError::TooLarge);
        }
    }
    if heading {
        return Err(FormError::Line(body.split('\n').count()));
    }
    Ok(text)
}
