//! Lines that repeat the lines above them, said once: run-length encoding over lines.
//!
//! ```text
//! [skinflint:runs (xN) = line above N times]
//! waiting for database
//! (x14)
//! ```

use std::fmt::Write as _;

use crate::form::{self, Form, FormError, MAX_UNFOLDED};

/// Where all runs are of one line.
const HINT: &str = "[skinflint:runs (xN) = line above N times]";

const HINT_FOR_SEVERAL: &str =
    "[skinflint:runs (xN) = line above N times, (p lines xN) = p lines above N times]";

/// The most lines that are seen to repeat together.
const MAX_PERIOD: usize = 8;

/// Folds runs of the same one to eight lines; `None` where that gains nothing.
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
    let mut body = String::new();
    let mut hint = HINT;
    let mut rest = 0;
    let mut at = 0;
    while at < lines.len() {
        if parse_mark(lines[at]).is_some() {
            return None;
        }
        let Some((period, times)) = run_at(&lines, at) else {
            at += 1;
            continue;
        };
        for line in &lines[rest..at + period] {
            body.push_str(line);
            body.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = if period == 1 {
            writeln!(body, "(x{times})")
        } else {
            hint = HINT_FOR_SEVERAL;
            writeln!(body, "({period} lines x{times})")
        };
        at += period * times;
        rest = at;
    }
    if rest == 0 {
        return None;
    }
    body.push_str(&lines[rest..].join("\n"));
    if rest == lines.len() {
        body.pop();
    }
    Some(Form {
        hint: hint.to_owned(),
        body,
    })
}

/// The shortest period that is worth folding at a line, and how many times it stands there.
fn run_at(lines: &[&str], at: usize) -> Option<(usize, usize)> {
    (1..=MAX_PERIOD).find_map(|period| {
        let again = lines.get(at + period..)?;
        let same = lines[at..]
            .iter()
            .zip(again)
            .take_while(|(one, other)| one == other)
            .count();
        let times = (same / period + 1).min(9_999_999);
        let length: usize = lines[at..at + period]
            .iter()
            .map(|line| line.len() + 1)
            .sum();
        let mark = if period == 1 { 8 } else { 16 };
        let marked = lines[at..at + period]
            .iter()
            .any(|line| parse_mark(line).is_some());
        (times > 1 && (times - 1) * length > mark && !marked).then_some((period, times))
    })
}

/// Reads `(x4)` or `(2 lines x4)` as lines and times.
fn parse_mark(line: &str) -> Option<(usize, usize)> {
    let inner = line.strip_prefix('(')?.strip_suffix(')')?;
    if let Some(times) = inner.strip_prefix('x') {
        return Some((1, form::number(times)?));
    }
    let (period, times) = inner.split_once(" lines x")?;
    Some((form::number(period)?, form::number(times)?))
}

/// Undoes [`fold`].
pub(crate) fn unfold(hint: &str, body: &str) -> Result<String, FormError> {
    if hint != HINT && hint != HINT_FOR_SEVERAL {
        return Err(FormError::Hint);
    }
    let mut lines: Vec<&str> = Vec::new();
    let mut length = 0_usize;
    for (index, line) in body.split('\n').enumerate() {
        let Some((period, times)) = parse_mark(line) else {
            length += line.len() + 1;
            lines.push(line);
            continue;
        };
        let start = lines
            .len()
            .checked_sub(period)
            .ok_or(FormError::Line(index + 1))?;
        let one: usize = lines[start..].iter().map(|line| line.len() + 1).sum();
        length = one
            .checked_mul(times)
            .and_then(|more| more.checked_add(length))
            .filter(|&length| length <= MAX_UNFOLDED)
            .ok_or(FormError::TooLarge)?;
        for _ in 1..times {
            lines.extend_from_within(start..start + period);
        }
    }
    Ok(lines.join("\n"))
}
