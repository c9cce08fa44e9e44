//! A date that most lines begin with, said once.
//!
//! ```text
//! [skinflint:date "2026-03-01T" before each leading hh:mm]
//! 12:00:01 started
//! ```

use std::collections::HashMap;

use crate::form::{self, Form, FormError, MAX_UNFOLDED};

const BEFORE: &str = "[skinflint:date \"";
const AFTER: &str = "\" before each leading hh:mm]";

/// The furthest into a line that a time of day is looked for, in bytes.
const MAX_PREFIX: usize = 40;

/// Fewer lines than these do not pay for the hint.
const MIN_LINES: usize = 3;

/// Takes off the lines' commonest date; `None` where that gains nothing.
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
    let date = commonest(text)?;
    let mut body = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            body.push('\n');
        }
        match line.strip_prefix(date) {
            Some(rest) if is_time(rest.as_bytes()) => body.push_str(rest),
            _ => {
                if is_time(line.trim_start_matches('\\').as_bytes()) {
                    body.push('\\');
                }
                body.push_str(line);
            }
        }
    }
    Some(Form {
        hint: format!("{BEFORE}{date}{AFTER}"),
        body,
    })
}

/// The date that most lines begin with; of several the first.
fn commonest(text: &str) -> Option<&str> {
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    for (index, line) in text.split('\n').enumerate() {
        if let Some(date) = date_of(line) {
            counts.entry(date).or_insert((0, index)).0 += 1;
        }
    }
    let (date, (count, _)) = counts
        .into_iter()
        .max_by_key(|&(_, (count, first))| (count, std::cmp::Reverse(first)))?;
    (count >= MIN_LINES).then_some(date)
}

/// What stands before a line's time of day, if it is a date with at most brackets and a name around it.
fn date_of(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    let end = (1..bytes.len().min(MAX_PREFIX)).find(|&at| is_time(&bytes[at..]))?;
    let date = line.get(..end)?;
    let dated = super::normalise::has_date(date.as_bytes());
    (dated && !date.contains(['"', '\r'])).then_some(date)
}

/// Whether bytes begin with two digits, a colon and two digits.
fn is_time(bytes: &[u8]) -> bool {
    bytes.len() >= 5
        && bytes[2] == b':'
        && [0, 1, 3, 4]
            .iter()
            .all(|&at: &usize| bytes[at].is_ascii_digit())
}

/// Undoes [`fold`].
pub(crate) fn unfold(hint: &str, body: &str) -> Result<String, FormError> {
    let date = hint
        .strip_prefix(BEFORE)
        .and_then(|rest| rest.strip_suffix(AFTER))
        .ok_or(FormError::Hint)?;
    let mut text = String::with_capacity(body.len() * 2);
    for (index, line) in body.split('\n').enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if is_time(line.as_bytes()) {
            text.push_str(date);
            text.push_str(line);
        } else if is_time(line.trim_start_matches('\\').as_bytes()) {
            text.push_str(&line[1..]);
        } else {
            text.push_str(line);
        }
        if text.len() > MAX_UNFOLDED {
            return Err(FormError::TooLarge);
        }
    }
    Ok(text)
}
