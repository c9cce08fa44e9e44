//! Tables in place of lists of objects.

use std::borrow::Cow;

use super::columns::{self, Columns};
use super::groups;
use super::rows::Rows;
use super::scan::{self, Kind, Minified};
use super::{JtonError, Profile, decoded_limit};

/// What tables are written in has at most this many containers around it; what is deeper stays JSON.
const MAX_DEPTH: usize = 128;

/// Tables in this many others are weighed by their bytes and no longer by the caller's measure. Each
/// of the others is measured as list, table and table with groups, and the whole text twice.
const MAX_WEIGHED: usize = 8;

/// How a text is measured.
pub(super) type Cost<'a> = &'a dyn Fn(&str) -> usize;

pub(super) fn encode(
    json: &str,
    profile: Profile,
    cost: Option<Cost<'_>>,
) -> Result<String, JtonError> {
    let minified = scan::scan(json)?;
    Ok(tables(&minified, profile, cost).unwrap_or(minified.text))
}

/// The text with tables, if that is smaller.
pub(super) fn tables(
    minified: &Minified,
    profile: Profile,
    cost: Option<Cost<'_>>,
) -> Option<String> {
    if !minified.node(0).has_rows {
        return None;
    }
    let encoder = Encoder {
        minified,
        profile,
        cost,
    };
    let mut text = String::with_capacity(minified.text.len());
    encoder.write(0, Nesting::default(), &mut text);
    let is_worth_it = minified.text.len() <= decoded_limit(text.len())
        && text != minified.text
        && cost.is_none_or(|cost| cost(&text) < cost(&minified.text));
    is_worth_it.then_some(text)
}

/// How far in a value is.
#[derive(Debug, Clone, Copy, Default)]
struct Nesting {
    containers: usize,
    tables: usize,
}

impl Nesting {
    fn deeper(self) -> Self {
        Self {
            containers: self.containers + 1,
            ..self
        }
    }
}

struct Encoder<'a> {
    minified: &'a Minified,
    profile: Profile,
    cost: Option<Cost<'a>>,
}

impl<'a> Encoder<'a> {
    fn write(&self, index: usize, nesting: Nesting, text: &mut String) {
        let node = self.minified.node(index);
        if !node.has_rows || nesting.containers >= MAX_DEPTH {
            text.push_str(self.minified.raw(index));
        } else if node.kind == Kind::Object {
            text.push('{');
            let mut members = self.minified.members(index);
            if let Some((key, value)) = members.next() {
                self.write_member(key, value, nesting, text);
            }
            for (key, value) in members {
                text.push(',');
                self.write_member(key, value, nesting, text);
            }
            text.push('}');
        } else if let Some(columns) = self.columns(index) {
            self.write_rows(columns, nesting, text);
        } else {
            text.push('[');
            let mut values = self.minified.values(index);
            if let Some(value) = values.next() {
                self.write(value, nesting.deeper(), text);
            }
            for value in values {
                text.push(',');
                self.write(value, nesting.deeper(), text);
            }
            text.push(']');
        }
    }

    fn write_member(&self, key: usize, value: usize, nesting: Nesting, text: &mut String) {
        text.push_str(self.minified.raw(key));
        text.push(':');
        self.write(value, nesting.deeper(), text);
    }

    fn columns(&self, array: usize) -> Option<Columns<'a>> {
        if !self.minified.node(array).is_rows {
            return None;
        }
        let identical = columns::identical(self.minified, array);
        match self.profile {
            Profile::Standard => identical,
            Profile::Union => identical.or_else(|| columns::union(self.minified, array)),
        }
    }

    /// Writes rows as a table, with groups or without, or as a list, whichever is smallest.
    fn write_rows(&self, columns: Columns<'a>, nesting: Nesting, text: &mut String) {
        let table = groups::table(self.minified, columns, self.profile == Profile::Union);
        let within = |groups: usize| Nesting {
            containers: nesting.containers + 2 + groups,
            tables: nesting.tables + 1,
        };
        let rows = Rows {
            columns: &table.columns,
            width: table.depths.len(),
            cells: table
                .cells
                .iter()
                .zip(table.depths.iter().cycle())
                .map(|(cell, groups)| cell.map(|index| self.cell(index, within(*groups))))
                .collect(),
        };
        match self.cost.filter(|_| nesting.tables < MAX_WEIGHED) {
            None if rows.is_table_shorter() => rows.write_table(true, text),
            None => rows.write_list(text),
            Some(cost) => text.push_str(&smallest(&rows, cost)),
        }
    }

    fn cell(&self, index: usize, nesting: Nesting) -> Cow<'a, str> {
        if self.minified.node(index).has_rows {
            let mut text = String::new();
            self.write(index, nesting, &mut text);
            Cow::Owned(text)
        } else {
            Cow::Borrowed(self.minified.raw(index))
        }
    }
}

fn smallest(rows: &Rows<'_, '_>, cost: Cost<'_>) -> String {
    let mut best = String::new();
    rows.write_list(&mut best);
    let mut least = cost(&best);
    for has_groups in [false, true] {
        if has_groups && !rows.has_groups() {
            break;
        }
        let mut table = String::new();
        rows.write_table(has_groups, &mut table);
        let cost = cost(&table);
        if cost < least {
            (best, least) = (table, cost);
        }
    }
    best
}
