//! Tables in place of lists of objects.

use std::borrow::Cow;

use super::columns::{self, Columns, Name};
use super::scan::{self, Kind, Minified};
use super::{JtonError, Profile, decoded_limit, lex};

/// What tables are written in has at most this many containers around it; what is deeper stays JSON.
const MAX_DEPTH: usize = 128;

/// Tables in this many others are weighed by their bytes and no longer by the caller's measure. Each
/// of the others is measured twice, as table and list, and the whole text too.
const MAX_WEIGHED: usize = 8;

/// Longer names are written in quotes (JTON 1.0 section 6.5).
const MAX_BARE_NAME: usize = 64;

/// How a text is measured.
pub(super) type Cost<'a> = &'a dyn Fn(&str) -> usize;

pub(super) fn encode(
    json: &str,
    profile: Profile,
    cost: Option<Cost<'_>>,
) -> Result<String, JtonError> {
    let minified = scan::scan(json)?;
    if !minified.node(0).has_rows {
        return Ok(minified.text);
    }
    let encoder = Encoder {
        minified: &minified,
        profile,
        cost,
    };
    let mut text = String::with_capacity(minified.text.len());
    encoder.write(0, Nesting::default(), &mut text);
    let is_worth_it = minified.text.len() <= decoded_limit(text.len())
        && cost.is_none_or(|cost| text == minified.text || cost(&text) < cost(&minified.text));
    Ok(if is_worth_it { text } else { minified.text })
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
            self.write_rows(&columns, nesting, text);
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

    /// Writes rows as a table or as a list, whichever is smaller.
    fn write_rows(&self, columns: &Columns<'a>, nesting: Nesting, text: &mut String) {
        let within = Nesting {
            containers: nesting.containers + 2,
            tables: nesting.tables + 1,
        };
        let rows = Rows {
            names: &columns.names,
            cells: columns
                .cells
                .iter()
                .map(|cell| cell.map(|index| self.cell(index, within)))
                .collect(),
        };
        match self.cost.filter(|_| nesting.tables < MAX_WEIGHED) {
            None if rows.is_table_shorter() => rows.write_table(text),
            None => rows.write_list(text),
            Some(cost) => {
                let mut table = String::new();
                rows.write_table(&mut table);
                let mut list = String::new();
                rows.write_list(&mut list);
                let is_table_smaller = cost(&table) < cost(&list);
                text.push_str(if is_table_smaller { &table } else { &list });
            }
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

/// A table's columns and the texts of its cells, row by row.
struct Rows<'c, 'm> {
    names: &'c [Name<'m>],
    cells: Vec<Option<Cow<'m, str>>>,
}

impl Rows<'_, '_> {
    fn rows(&self) -> std::slice::Chunks<'_, Option<Cow<'_, str>>> {
        self.cells.chunks(self.names.len())
    }

    /// Compares the two without their cells: brackets, marks and names on one side, keys with their
    /// quotes, colons and braces on the other.
    fn is_table_shorter(&self) -> bool {
        let mut in_table = "[]".len() + self.rows().len().to_string().len();
        let mut in_list = "[]".len() + self.rows().len() - 1;
        let mut keys = Vec::with_capacity(self.names.len());
        for name in self.names {
            in_table += 1 + bare(name.key).len() + usize::from(name.is_optional);
            keys.push(name.key.len() + 1);
        }
        for row in self.rows() {
            in_table += row.len();
            let mut members = 0;
            for (cell, key) in row.iter().zip(&keys) {
                if cell.is_some() {
                    members += 1;
                    in_list += *key;
                }
            }
            in_list += "{}".len() + usize::saturating_sub(members, 1);
        }
        in_table < in_list
    }

    fn write_table(&self, text: &mut String) {
        text.push('[');
        text.push_str(&self.rows().len().to_string());
        let mut mark = ':';
        for name in self.names {
            text.push(mark);
            text.push_str(bare(name.key));
            if name.is_optional {
                text.push('?');
            }
            mark = ',';
        }
        for row in self.rows() {
            let mut mark = ';';
            for cell in row {
                text.push(mark);
                text.push_str(cell.as_deref().unwrap_or_default());
                mark = ',';
            }
        }
        text.push(']');
    }

    fn write_list(&self, text: &mut String) {
        let mut before_row = '[';
        for row in self.rows() {
            text.push(before_row);
            text.push('{');
            let mut is_first = true;
            for (cell, name) in row.iter().zip(self.names) {
                let Some(cell) = cell else { continue };
                if !is_first {
                    text.push(',');
                }
                text.push_str(name.key);
                text.push(':');
                text.push_str(cell);
                is_first = false;
            }
            text.push('}');
            before_row = ',';
        }
        text.push(']');
    }
}

/// A key as a column's name: without its quotes where it is an identifier and no word of JTON's.
fn bare(key: &str) -> &str {
    let name = key.get(1..key.len() - 1).unwrap_or_default();
    let is_identifier = !name.is_empty()
        && name.len() <= MAX_BARE_NAME
        && lex::identifier(name.as_bytes(), 0) == name.len()
        && !name.contains('-');
    let is_word = matches!(name, "true" | "false" | "null" | "NaN" | "Infinity");
    if is_identifier && !is_word { name } else { key }
}
