//! A template: what its lines share, and what each has in its slots.

use super::pieces::{Piece, pieces};

/// Lines as constant text around slots.
#[derive(Debug)]
pub(super) struct Template<'t> {
    /// The text before, between and after the slots: one more than there are slots.
    pub(super) literals: Vec<String>,
    /// The lines, as indices into the text's.
    pub(super) rows: Vec<usize>,
    /// The values of all rows, one row after the other.
    values: Vec<&'t str>,
}

impl<'t> Template<'t> {
    /// From what the lines have in common, piece by piece. Neighbouring slots are one.
    pub(super) fn new(constant: &[Option<&'t str>], rows: Vec<usize>, lines: &[&'t str]) -> Self {
        let mut literals = vec![String::new()];
        let mut in_slot = false;
        for text in constant {
            match text {
                Some(text) => {
                    if let Some(last) = literals.last_mut() {
                        last.push_str(text);
                    }
                }
                None if !in_slot => literals.push(String::new()),
                None => {}
            }
            in_slot = text.is_none();
        }
        let mut values = Vec::with_capacity(rows.len() * (literals.len() - 1));
        let mut parts = Vec::new();
        for &row in &rows {
            pieces(lines[row], &mut parts);
            push_values(lines[row], &parts, constant, &mut values);
        }
        let mut template = Self {
            literals,
            rows,
            values,
        };
        template.hoist();
        template
    }

    fn slots(&self) -> usize {
        self.literals.len() - 1
    }

    /// The values of a row, in the order of the slots.
    pub(super) fn values(&self, row: usize) -> impl Iterator<Item = &'t str> {
        let slots = self.slots();
        self.values[row * slots..(row + 1) * slots].iter().copied()
    }

    /// Whether the form probably has fewer tokens: a token has some four bytes of constant text, and a
    /// label or a separator is one.
    pub(super) fn is_worthwhile(&self) -> bool {
        let constant: usize = self.literals.iter().map(String::len).sum();
        let tokens = constant / 4;
        let slots = self.slots();
        tokens > slots + 2 && self.rows.len() * (tokens - slots - 2) > tokens + 3 * slots + 3
    }

    /// Moves what the values of a slot begin or end with into the constant text; a slot whose values are
    /// all the same goes.
    fn hoist(&mut self) {
        let slots = self.slots();
        let mut kept = vec![true; slots];
        let mut literals = vec![std::mem::take(&mut self.literals[0])];
        for (slot, kept) in kept.iter_mut().enumerate() {
            let column = self.values.iter().skip(slot).step_by(slots);
            let first = self.values[slot];
            let after = std::mem::take(&mut self.literals[slot + 1]);
            let mut before = first;
            let mut end = String::new();
            if column.clone().all(|value| *value == first) {
                *kept = false;
            } else {
                let prefix = common_prefix(&column);
                let suffix = common_suffix(&column, prefix);
                before = &first[..prefix];
                first[first.len() - suffix..].clone_into(&mut end);
                for value in self.values.iter_mut().skip(slot).step_by(slots) {
                    *value = &value[prefix..value.len() - suffix];
                }
            }
            if let Some(last) = literals.last_mut() {
                last.push_str(before);
                if !*kept {
                    last.push_str(&after);
                }
            }
            if *kept {
                end.push_str(&after);
                literals.push(end);
            }
        }
        let mut slot = 0;
        self.values.retain(|_| {
            slot += 1;
            kept[(slot - 1) % slots]
        });
        self.literals = literals;
    }
}

/// The texts in the slots of a line.
fn push_values<'t>(
    line: &'t str,
    parts: &[Piece<'t>],
    constant: &[Option<&'t str>],
    values: &mut Vec<&'t str>,
) {
    let mut at = 0;
    let mut slot = None;
    for (piece, constant) in parts.iter().zip(constant) {
        match (constant, slot) {
            (Some(_), Some(start)) => {
                values.push(&line[start..at]);
                slot = None;
            }
            (None, None) => slot = Some(at),
            _ => {}
        }
        at += piece.text.len();
    }
    if let Some(start) = slot {
        values.push(&line[start..]);
    }
}

/// Whether a text may be cut between two characters without cutting a word or a number.
fn is_between(before: Option<char>, after: Option<char>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => {
            !(before.is_alphabetic() && after.is_alphabetic()
                || before.is_numeric() && after.is_numeric())
        }
        _ => true,
    }
}

/// How many bytes all values begin with, cut between words.
fn common_prefix<'v>(column: &(impl Iterator<Item = &'v &'v str> + Clone)) -> usize {
    let Some(first) = column.clone().next() else {
        return 0;
    };
    let common = column.clone().fold(first.len(), |common, value| {
        let same = first.bytes().zip(value.bytes()).take(common);
        same.take_while(|(one, other)| one == other).count()
    });
    (1..=common)
        .rev()
        .find(|&length| {
            column.clone().all(|value| {
                value.is_char_boundary(length)
                    && is_between(
                        value[..length].chars().next_back(),
                        value[length..].chars().next(),
                    )
            })
        })
        .unwrap_or(0)
}

/// How many bytes all values end with, cut between words, without their prefix.
fn common_suffix<'v>(column: &(impl Iterator<Item = &'v &'v str> + Clone), prefix: usize) -> usize {
    let Some(first) = column.clone().next() else {
        return 0;
    };
    let common = column.clone().fold(first.len(), |common, value| {
        let most = common.min(value.len() - prefix);
        let same = first.bytes().rev().zip(value.bytes().rev()).take(most);
        same.take_while(|(one, other)| one == other).count()
    });
    (1..=common)
        .rev()
        .find(|&length| {
            column.clone().all(|value| {
                let at = value.len() - length;
                value.is_char_boundary(at)
                    && is_between(value[..at].chars().next_back(), value[at..].chars().next())
            })
        })
        .unwrap_or(0)
}
