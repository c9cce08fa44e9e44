//! Which columns the objects of a list have in common.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::lex;
use super::scan::Minified;

/// Longer names are written in quotes (JTON 1.0 section 6.5).
const MAX_BARE_NAME: usize = 64;

/// The most cells of a table for each member of its rows; with more, commas outweigh keys.
const CELLS_PER_MEMBER: usize = 8;

/// The columns of a table, and its cells row by row.
#[derive(Debug)]
pub(super) struct Columns<'m> {
    pub(super) names: Vec<Name<'m>>,
    /// A value's index, or none where the row has no such member.
    pub(super) cells: Vec<Option<usize>>,
}

/// A column's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'m> {
    /// The key as JSON spells it.
    pub(super) key: &'m str,
    /// Some rows are without it.
    pub(super) is_optional: bool,
}

/// The columns of rows that all have the same keys in the same order.
pub(super) fn identical(minified: &Minified, array: usize) -> Option<Columns<'_>> {
    let first = array + 1;
    let keys: Vec<&str> = minified
        .members(first)
        .map(|(key, _)| minified.raw(key))
        .collect();
    if keys.is_empty() {
        return None;
    }
    let mut cells = Vec::new();
    for row in minified.values(array) {
        let mut expected = keys.iter();
        for (key, value) in minified.members(row) {
            if expected.next().copied() != Some(minified.raw(key)) {
                return None;
            }
            cells.push(Some(value));
        }
        if expected.next().is_some() {
            return None;
        }
    }
    if !are_distinct(&keys) {
        return None;
    }
    let names = keys
        .into_iter()
        .map(|key| Name {
            key,
            is_optional: false,
        })
        .collect();
    Some(Columns { names, cells })
}

/// The columns of rows whose keys come in an order that one list of columns can have: each row's keys
/// are some of the columns from left to right, so that its order comes back with it.
pub(super) fn union(minified: &Minified, array: usize) -> Option<Columns<'_>> {
    let shapes = Shapes::of(minified, array)?;
    let order = shapes.order()?;
    let width = order.len();
    let members: usize = shapes.rows.iter().map(Vec::len).sum();
    let height = shapes.rows.len();
    if width < 2 || width.checked_mul(height)? > members.saturating_mul(CELLS_PER_MEMBER) {
        return None;
    }
    let mut place = vec![0; width];
    for (at, column) in order.iter().enumerate() {
        place[*column] = at;
    }
    let mut cells = vec![None; width * height];
    let mut filled = vec![0; width];
    for (row, members) in shapes.rows.iter().enumerate() {
        for (column, value) in members {
            let at = place[*column];
            cells[row * width + at] = Some(*value);
            filled[at] += 1;
        }
    }
    if !are_distinct(&shapes.keys) {
        return None;
    }
    let names = order
        .iter()
        .zip(filled)
        .map(|(column, filled)| Name {
            key: shapes.keys[*column],
            is_optional: filled < height,
        })
        .collect();
    Some(Columns { names, cells })
}

/// The keys of all rows, numbered as they are first seen.
struct Shapes<'m> {
    keys: Vec<&'m str>,
    /// For each row its members: a key's number and a value's index.
    rows: Vec<Vec<(usize, usize)>>,
}

impl<'m> Shapes<'m> {
    /// None where a row has a key twice.
    fn of(minified: &'m Minified, array: usize) -> Option<Self> {
        let mut keys: Vec<&str> = Vec::new();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut rows = Vec::new();
        let mut last_row: Vec<usize> = Vec::new();
        for (height, row) in minified.values(array).enumerate() {
            let mut members = Vec::new();
            for (at, (key, value)) in minified.members(row).enumerate() {
                let key = minified.raw(key);
                // Mostly rows look like the ones before them.
                let number = match last_row.get(at) {
                    None => numbers.len() + 1,
                    Some(number) => *number,
                };
                let number = if keys.get(number) == Some(&key) {
                    number
                } else {
                    *numbers.entry(key).or_insert_with(|| {
                        keys.push(key);
                        keys.len() - 1
                    })
                };
                members.push((number, value));
            }
            let mut seen: Vec<usize> = members.iter().map(|(number, _)| *number).collect();
            if height == 0 || seen != last_row {
                last_row.clone_from(&seen);
                seen.sort_unstable();
                if seen.windows(2).any(|pair| pair[0] == pair[1]) {
                    return None;
                }
            }
            rows.push(members);
        }
        Some(Self { keys, rows })
    }

    /// An order of the columns in which every row's keys run from left to right, the first seen first
    /// where there is a choice; none where rows contradict each other.
    fn order(&self) -> Option<Vec<usize>> {
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); self.keys.len()];
        let mut before = vec![0_usize; self.keys.len()];
        let mut edges = HashSet::new();
        for members in &self.rows {
            for pair in members.windows(2) {
                let edge = (pair[0].0, pair[1].0);
                if edges.insert(edge) {
                    after[edge.0].push(edge.1);
                    before[edge.1] += 1;
                }
            }
        }
        let mut ready: BinaryHeap<_> = (0..self.keys.len())
            .filter(|column| before[*column] == 0)
            .map(Reverse)
            .collect();
        let mut order = Vec::with_capacity(self.keys.len());
        while let Some(Reverse(column)) = ready.pop() {
            order.push(column);
            for next in &after[column] {
                before[*next] -= 1;
                if before[*next] == 0 {
                    ready.push(Reverse(*next));
                }
            }
        }
        (order.len() == self.keys.len()).then_some(order)
    }
}

/// A key as a column's name: without its quotes where it is an identifier and no word of JTON's.
pub(super) fn bare(key: &str) -> &str {
    let name = key.get(1..key.len() - 1).unwrap_or_default();
    let is_identifier = !name.is_empty()
        && name.len() <= MAX_BARE_NAME
        && lex::identifier(name.as_bytes(), 0) == name.len()
        && !name.contains('-');
    let is_word = matches!(name, "true" | "false" | "null" | "NaN" | "Infinity");
    if is_identifier && !is_word { name } else { key }
}

/// Whether no two keys are the same, however they are spelled.
pub(super) fn are_distinct(keys: &[&str]) -> bool {
    let mut seen = HashSet::with_capacity(keys.len());
    keys.iter().all(|key| seen.insert(code_units(key)))
}

/// The text of a string as UTF-16, in which surrogates may stand alone.
fn code_units(string: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(string.len());
    let mut rest = string.get(1..string.len() - 1).unwrap_or_default();
    while let Some((plain, escaped)) = rest.split_once('\\') {
        units.extend(plain.encode_utf16());
        let mut characters = escaped.chars();
        let unit = match characters.next() {
            Some('b') => 8,
            Some('f') => 12,
            Some('n') => 10,
            Some('r') => 13,
            Some('t') => 9,
            Some('u') => {
                let digits = characters.as_str().get(..4).unwrap_or_default();
                rest = characters.as_str().get(4..).unwrap_or_default();
                units.push(u16::from_str_radix(digits, 16).unwrap_or_default());
                continue;
            }
            other => other
                .and_then(|character| u16::try_from(u32::from(character)).ok())
                .unwrap_or_default(),
        };
        units.push(unit);
        rest = characters.as_str();
    }
    units.extend(rest.encode_utf16());
    units
}
