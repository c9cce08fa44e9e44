//! The values of rows under their names, those of objects within rows included.

use std::collections::HashMap;

use crate::jton::scan::{Kind, Minified};

/// Objects further in are values as they are spelled.
const MAX_DEPTH: usize = 4;

/// Lists whose rows have more names than this, all together, are no lists of records.
const MAX_COLUMNS: usize = 256;

/// What rows have under the same name, or are where they are no objects.
#[derive(Debug)]
pub(super) struct Column<'m> {
    /// The last name on the way, as it is spelled with its quotes; empty of rows themselves.
    pub(super) name: &'m str,
    pub(super) cells: Vec<Cell<'m>>,
}

/// A value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'m> {
    /// The place of the row in its list.
    pub(super) row: usize,
    pub(super) raw: &'m str,
}

/// All of them, in the order in which they first appear.
#[derive(Debug, Default)]
pub(super) struct Columns<'m> {
    pub(super) list: Vec<Column<'m>>,
    places: HashMap<(usize, &'m str), usize>,
}

impl<'m> Columns<'m> {
    /// Of the rows of a list; `None` where they have too many names.
    pub(super) fn of(minified: &'m Minified, rows: &[usize]) -> Option<Self> {
        let mut columns = Self::default();
        for (row, &index) in rows.iter().enumerate() {
            columns.add(minified, (0, ""), index, row, 0)?;
        }
        Some(columns)
    }

    fn add(
        &mut self,
        minified: &'m Minified,
        (parent, name): (usize, &'m str),
        index: usize,
        row: usize,
        depth: usize,
    ) -> Option<()> {
        let next = self.list.len();
        let place = *self.places.entry((parent, name)).or_insert(next);
        if place == next {
            self.list.push(Column {
                name,
                cells: Vec::new(),
            });
        }
        if self.list.len() > MAX_COLUMNS {
            return None;
        }
        if minified.node(index).kind == Kind::Object && depth < MAX_DEPTH {
            for (key, value) in minified.members(index) {
                let name = (place + 1, minified.raw(key));
                self.add(minified, name, value, row, depth + 1)?;
            }
        } else {
            let raw = minified.raw(index);
            self.list[place].cells.push(Cell { row, raw });
        }
        Some(())
    }
}
