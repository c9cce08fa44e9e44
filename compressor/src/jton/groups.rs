//! Columns whose values are objects with the same keys, which the head of a table may name once.

use super::columns::{self, Columns, bare};
use super::scan::{Kind, Minified};

/// How many groups may stand within each other.
const MAX_GROUPS: usize = 4;

/// A table's columns, some of them groups, and its cells row by row.
#[derive(Debug)]
pub(super) struct Table<'m> {
    pub(super) columns: Vec<Column<'m>>,
    /// For each cell of a row, how many groups it is in.
    pub(super) depths: Vec<usize>,
    /// A value's index, or none where the row has no such member.
    pub(super) cells: Vec<Option<usize>>,
}

/// A column, or a group of them.
#[derive(Debug)]
pub(super) struct Column<'m> {
    /// The key as JSON spells it.
    pub(super) key: &'m str,
    /// Some rows are without it. Never so in a group: where the group is, all of its members are.
    pub(super) is_optional: bool,
    /// The columns of a group; of others none.
    pub(super) members: Vec<Column<'m>>,
    /// Cells of a row that belong to it.
    pub(super) width: usize,
    /// In a group, its value in each row that has it; empty if it is a group itself.
    values: Vec<usize>,
}

/// A group's members, and the bytes that it saves.
struct Group<'m> {
    members: Vec<Column<'m>>,
    saved: usize,
}

/// Columns without groups.
fn ungrouped<'m>(columns: &Columns<'m>) -> Vec<Column<'m>> {
    let column = |name: &columns::Name<'m>| Column {
        key: name.key,
        is_optional: name.is_optional,
        members: Vec::new(),
        width: 1,
        values: Vec::new(),
    };
    columns.names.iter().map(column).collect()
}

/// A table of these columns, with groups (if they are wanted) where they take fewer bytes.
pub(super) fn table<'m>(
    minified: &'m Minified,
    columns: Columns<'m>,
    may_group: bool,
) -> Table<'m> {
    let mut heads = ungrouped(&columns);
    let width = heads.len();
    let mut has_groups = false;
    for (at, head) in heads.iter_mut().enumerate().filter(|_| may_group) {
        let values = || columns.cells.iter().skip(at).step_by(width);
        let first = values().find_map(|cell| *cell);
        if first.is_none_or(|first| minified.node(first).kind != Kind::Object) {
            continue;
        }
        let height = columns.cells.len() / width;
        let values: Vec<_> = values().filter_map(|cell| *cell).collect();
        if let Some(group) = group(minified, &values, height, 0) {
            head.width = group.members.iter().map(|member| member.width).sum();
            head.members = group.members;
            has_groups = true;
        }
    }
    if !has_groups {
        return Table {
            columns: heads,
            depths: vec![0; width],
            cells: columns.cells,
        };
    }
    let mut depths = Vec::new();
    for head in &heads {
        head.push_depths(0, &mut depths);
    }
    let mut cells = Vec::with_capacity(columns.cells.len() / width * depths.len());
    let mut seen = vec![0; width];
    for row in columns.cells.chunks(width) {
        for ((head, cell), seen) in heads.iter().zip(row).zip(&mut seen) {
            match cell {
                None => cells.extend((0..head.width).map(|_| None)),
                Some(value) if head.members.is_empty() => cells.push(Some(*value)),
                Some(_) => {
                    head.push_cells(*seen, &mut cells);
                    *seen += 1;
                }
            }
        }
    }
    Table {
        columns: heads,
        depths,
        cells,
    }
}

impl Column<'_> {
    fn push_depths(&self, depth: usize, depths: &mut Vec<usize>) {
        if self.members.is_empty() {
            depths.push(depth);
        }
        for member in &self.members {
            member.push_depths(depth + 1, depths);
        }
    }

    /// Appends the cells of the group's object of this number.
    fn push_cells(&self, number: usize, cells: &mut Vec<Option<usize>>) {
        for member in &self.members {
            if member.members.is_empty() {
                cells.push(member.values.get(number).copied());
            } else {
                member.push_cells(number, cells);
            }
        }
    }
}

/// The group that these values make in a table of so many rows: if they are objects with the same keys
/// in the same order, and if that saves bytes.
fn group<'m>(
    minified: &'m Minified,
    values: &[usize],
    height: usize,
    depth: usize,
) -> Option<Group<'m>> {
    if depth == MAX_GROUPS || values.len() < 2 {
        return None;
    }
    let keys: Vec<&str> = minified
        .members(*values.first()?)
        .map(|(key, _)| minified.raw(key))
        .collect();
    let mut inner: Vec<Vec<usize>> = vec![Vec::new(); keys.len()];
    for value in values {
        if minified.node(*value).kind != Kind::Object {
            return None;
        }
        let mut expected = keys.iter().zip(&mut inner);
        for (key, value) in minified.members(*value) {
            let (expected, values) = expected.next()?;
            if *expected != minified.raw(key) {
                return None;
            }
            values.push(value);
        }
        if expected.next().is_some() {
            return None;
        }
    }
    if keys.is_empty() || !columns::are_distinct(&keys) {
        return None;
    }
    // In each row that has it, keys with colons and the braces; against the names in the head, and the
    // commas of rows that are without it.
    let spelled: usize = keys.iter().map(|key| key.len() + 1).sum();
    let named: usize = keys.iter().map(|key| bare(key).len() + 1).sum();
    let mut saved = values.len() * ("{}".len() + spelled);
    let spent = "{}".len() + named - 1 + (height - values.len()) * (keys.len() - 1);
    let members: Vec<_> = keys
        .into_iter()
        .zip(inner)
        .map(|(key, values)| {
            let mut member = Column {
                key,
                is_optional: false,
                members: Vec::new(),
                width: 1,
                values,
            };
            if let Some(group) = group(minified, &member.values, height, depth + 1) {
                saved += group.saved;
                member.width = group.members.iter().map(|member| member.width).sum();
                member.members = group.members;
                member.values = Vec::new();
            }
            member
        })
        .collect();
    let saved = saved.checked_sub(spent).filter(|saved| *saved > 0)?;
    Some(Group { members, saved })
}
