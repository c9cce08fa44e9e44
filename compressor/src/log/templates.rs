//! Lines that share a template as the values in its slots.
//!
//! ```text
//! [skinflint:templates 1; "A|x|y" = A with <*> filled by x, y]
//! A=2026-03-01 12:<*> INFO worker-<*> finished in 3 ms
//! A|00:01|3
//! A|00:02|17
//! ```
//!
//! Templates are found as by Drain (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth
//! Tree", ICWS 2017); see `cluster`. Lines stay in their order, and those without a template as they
//! are.

mod cluster;
mod pieces;
mod template;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use crate::form::{self, Form, FormError, MAX_UNFOLDED};
use cluster::Clusters;
use template::Template;

const BEFORE: &str = "[skinflint:templates ";

/// What may stand for a slot; the first that the text does not have.
const SLOTS: [&str; 4] = ["<*>", "{}", "<_>", "<?>"];

/// What may stand between values; the first that works.
const SEPARATORS: [char; 4] = ['|', ',', ';', '\t'];

/// The most templates of a text.
const MAX_TEMPLATES: usize = 200;

/// Folds lines into templates and values; `None` where that gains nothing.
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
    let slot = SLOTS
        .into_iter()
        .find(|slot| memchr::memmem::find(text.as_bytes(), slot.as_bytes()).is_none())?;
    let lines: Vec<&str> = text.split('\n').collect();
    let clusters = Clusters::of(&lines);
    let mut templates = clusters.templates(&lines);
    templates.retain(Template::is_worthwhile);
    templates.sort_by_key(|template| std::cmp::Reverse(template.rows.len()));
    templates.truncate(MAX_TEMPLATES);
    if templates.is_empty() {
        return None;
    }
    SEPARATORS
        .into_iter()
        .find_map(|separator| write(&lines, &templates, slot, separator))
}

/// The form with a separator, unless lines would read as what they are not.
fn write(lines: &[&str], templates: &[Template<'_>], slot: &str, separator: char) -> Option<Form> {
    let mut coded: Vec<Option<String>> = vec![None; lines.len()];
    let labels: HashSet<String> = (0..templates.len()).map(label).collect();
    for (index, template) in templates.iter().enumerate() {
        for (row, line) in template.rows.iter().enumerate() {
            let mut code = label(index);
            let mut values = template.values(row);
            if values.any(|value| value.contains(separator)) {
                continue;
            }
            for value in template.values(row) {
                code.push(separator);
                code.push_str(value);
            }
            coded[*line] = Some(code);
        }
    }
    let mut body = String::new();
    for (index, template) in templates.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(body, "{}={}", label(index), template.literals.join(slot));
    }
    for (index, (line, code)) in lines.iter().zip(&coded).enumerate() {
        if index > 0 {
            body.push('\n');
        }
        if let Some(code) = code {
            body.push_str(code);
        } else {
            let first = line.split(separator).next().unwrap_or(line);
            if labels.contains(first) {
                return None;
            }
            body.push_str(line);
        }
    }
    Some(Form {
        hint: hint(templates.len(), slot, separator),
        body,
    })
}

fn hint(count: usize, slot: &str, separator: char) -> String {
    format!("{BEFORE}{count}; \"A{separator}x{separator}y\" = A with {slot} filled by x, y]")
}

/// `A` to `Z`, then `AA` to `ZZ`.
fn label(index: usize) -> String {
    let letter = |index: usize| char::from(b'A' + u8::try_from(index % 26).unwrap_or(0));
    if index < 26 {
        letter(index).to_string()
    } else {
        [letter(index / 26 - 1), letter(index)].iter().collect()
    }
}

/// Reads a hint as number of templates, slot and separator.
fn read_hint(hint: &str) -> Option<(usize, &'static str, char)> {
    let (count, _) = hint.strip_prefix(BEFORE)?.split_once(';')?;
    let count = form::number(count).filter(|&count| count <= MAX_TEMPLATES)?;
    SLOTS.into_iter().find_map(|slot| {
        SEPARATORS
            .into_iter()
            .find(|&separator| self::hint(count, slot, separator) == hint)
            .map(|separator| (count, slot, separator))
    })
}

/// Undoes [`fold`].
pub(crate) fn unfold(hint: &str, body: &str) -> Result<String, FormError> {
    let (count, slot, separator) = read_hint(hint).ok_or(FormError::Hint)?;
    let mut lines = body.split('\n').enumerate();
    let mut templates: HashMap<String, Vec<&str>> = HashMap::new();
    for index in 0..count {
        let label = label(index);
        let literals = lines
            .next()
            .and_then(|(_, line)| line.strip_prefix(label.as_str()))
            .and_then(|line| line.strip_prefix('='))
            .ok_or(FormError::Line(index + 1))?;
        templates.insert(label, literals.split(slot).collect());
    }
    let mut text = String::with_capacity(body.len() * 2);
    for (index, line) in lines {
        if index > count {
            text.push('\n');
        }
        let mut values = line.split(separator);
        let Some(literals) = values.next().and_then(|label| templates.get(label)) else {
            text.push_str(line);
            continue;
        };
        for (at, literal) in literals.iter().enumerate() {
            if at > 0 {
                text.push_str(values.next().ok_or(FormError::Line(index + 1))?);
            }
            text.push_str(literal);
        }
        if values.next().is_some() {
            return Err(FormError::Line(index + 1));
        }
        if text.len() > MAX_UNFOLDED {
            return Err(FormError::TooLarge);
        }
    }
    Ok(text)
}
