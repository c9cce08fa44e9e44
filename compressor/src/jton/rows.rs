//! The rows of a table, written as a table or as the list that they are.

use std::borrow::Cow;

use super::columns::bare;
use super::groups::Column;

/// A table's columns and the texts of its cells, row by row.
pub(super) struct Rows<'c, 'm> {
    pub(super) columns: &'c [Column<'m>],
    /// Cells of a row.
    pub(super) width: usize,
    pub(super) cells: Vec<Option<Cow<'m, str>>>,
}

impl Rows<'_, '_> {
    fn rows(&self) -> std::slice::Chunks<'_, Option<Cow<'_, str>>> {
        self.cells.chunks(self.width)
    }

    pub(super) fn has_groups(&self) -> bool {
        self.width > self.columns.len() || self.columns.iter().any(Column::is_group)
    }

    /// Compares the table with its groups and the list, without their cells: brackets, marks and names
    /// on one side, keys with their quotes, colons and braces on the other.
    pub(super) fn is_table_shorter(&self) -> bool {
        let mut in_table = "[]".len() + self.rows().len().to_string().len();
        let mut in_list = "[]".len() + self.rows().len() - 1;
        let mut keys = Vec::with_capacity(self.columns.len());
        for column in self.columns {
            in_table += 1 + column.named() + usize::from(column.is_optional);
            keys.push((column.spelled(), column.width));
        }
        for row in self.rows() {
            in_table += row.len();
            let mut members = 0;
            let mut at = 0;
            for (key, width) in &keys {
                if row[at].is_some() {
                    members += 1;
                    in_list += *key;
                }
                at += width;
            }
            in_list += "{}".len() + usize::saturating_sub(members, 1);
        }
        in_table < in_list
    }

    /// Writes the table, with its groups or with their objects in cells.
    pub(super) fn write_table(&self, has_groups: bool, text: &mut String) {
        text.push('[');
        text.push_str(&self.rows().len().to_string());
        let mut mark = ':';
        for column in self.columns {
            text.push(mark);
            column.write_name(has_groups, text);
            mark = ',';
        }
        for row in self.rows() {
            let mut mark = ';';
            if has_groups {
                for cell in row {
                    text.push(mark);
                    text.push_str(cell.as_deref().unwrap_or_default());
                    mark = ',';
                }
                continue;
            }
            let mut rest = row;
            for column in self.columns {
                text.push(mark);
                let (cells, behind) = rest.split_at(column.width);
                column.write_value(cells, text);
                rest = behind;
                mark = ',';
            }
        }
        text.push(']');
    }

    pub(super) fn write_list(&self, text: &mut String) {
        let mut before_row = '[';
        for row in self.rows() {
            text.push(before_row);
            write_object(self.columns, row, text);
            before_row = ',';
        }
        text.push(']');
    }
}

impl Column<'_> {
    fn is_group(&self) -> bool {
        !self.members.is_empty()
    }

    /// Bytes of the name in a head, without `?`.
    fn named(&self) -> usize {
        let members: usize = self.members.iter().map(|member| 1 + member.named()).sum();
        // As many braces as are needed, and no comma before the first member.
        bare(self.key).len() + members + usize::from(self.is_group())
    }

    /// Bytes that an object has for the key, and those for the keys within.
    fn spelled(&self) -> usize {
        let members: usize = self.members.iter().map(|member| 1 + member.spelled()).sum();
        self.key.len() + 1 + members + usize::from(self.is_group())
    }

    fn write_name(&self, has_groups: bool, text: &mut String) {
        text.push_str(bare(self.key));
        if self.is_optional {
            text.push('?');
        }
        if self.is_group() && has_groups {
            let mut mark = '{';
            for member in &self.members {
                text.push(mark);
                member.write_name(true, text);
                mark = ',';
            }
            text.push('}');
        }
    }

    /// Writes what the column's cells say; of cells that are empty, nothing.
    fn write_value(&self, cells: &[Option<Cow<'_, str>>], text: &mut String) {
        match cells {
            [Some(_), ..] if self.is_group() => write_object(&self.members, cells, text),
            [Some(cell)] => text.push_str(cell),
            _ => {}
        }
    }
}

/// Writes the object whose members are these columns, without those whose cells are empty.
fn write_object(columns: &[Column<'_>], cells: &[Option<Cow<'_, str>>], text: &mut String) {
    text.push('{');
    let mut rest = cells;
    let mut is_first = true;
    for column in columns {
        let (cells, behind) = rest.split_at(column.width);
        rest = behind;
        if let [None, ..] = cells {
            continue;
        }
        if !is_first {
            text.push(',');
        }
        text.push_str(column.key);
        text.push(':');
        column.write_value(cells, text);
        is_first = false;
    }
    text.push('}');
}
