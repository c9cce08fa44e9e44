//! Tables: their heads, rows and cells.

use super::{Decoder, Open, Step, Strictness};
use crate::jton::error::{Fault, JtonErrorKind};
use crate::jton::lex;

/// A table that is not closed.
pub(super) struct Table<'t> {
    columns: Vec<Column<'t>>,
    /// Comma, tab or pipe.
    separator: u8,
    /// The digits before the colon, and where they stand.
    count: &'t str,
    count_at: usize,
    /// Rows that are whole.
    rows: u64,
    /// Cells of this row so far, with the one that is next or being read.
    cells: usize,
    /// Members that this row's object has so far.
    members: usize,
}

#[derive(Clone, Copy)]
struct Column<'t> {
    /// The name, with its quotes if it has some.
    name: &'t str,
    is_optional: bool,
}

/// Writes a member's key.
fn write_key(json: &mut String, table: &mut Table<'_>, column: Column<'_>) {
    if table.members > 0 {
        json.push(',');
    }
    table.members += 1;
    if column.name.starts_with('"') {
        json.push_str(column.name);
    } else {
        json.push('"');
        json.push_str(column.name);
        json.push('"');
    }
    json.push(':');
}

/// Writes what a column has in a row that says nothing of it.
fn write_empty(json: &mut String, table: &mut Table<'_>, column: Column<'_>) {
    if !column.is_optional {
        write_key(json, table, column);
        json.push_str("null");
    }
}

impl<'t> Decoder<'t> {
    /// Reads a table's head, from behind its colon to its first row.
    pub(super) fn head(&mut self, count: &'t str, count_at: usize) -> Result<Step, Fault> {
        self.skip_space()?;
        let mut table = Box::new(Table {
            columns: Vec::new(),
            separator: b',',
            count,
            count_at,
            rows: 0,
            cells: 1,
            members: 0,
        });
        if self.peek() == Some(b']') {
            self.check_count(&table)?;
            self.json.push('[');
            self.open.push(Open::Array);
            return Ok(self.close(']'));
        }
        table.columns.push(self.name()?);
        // A tab is space here, unless nothing but a name comes behind it.
        let behind_name = self.at;
        self.skip_space()?;
        match self.peek() {
            Some(separator @ (b',' | b'|')) => table.separator = separator,
            Some(b';' | b']') | None => {}
            Some(_) if self.bytes[behind_name..self.at].contains(&b'\t') => {
                table.separator = b'\t';
            }
            Some(_) => {}
        }
        self.at = behind_name;
        loop {
            self.skip_in_row(table.separator)?;
            match self.peek() {
                Some(byte) if byte == table.separator => {
                    self.at += 1;
                    self.skip(table.separator != b'\t')?;
                    table.columns.push(self.name()?);
                }
                Some(b';') => break,
                _ => return Err(Fault::expected("a separator or `;`", self.at)),
            }
        }
        self.at += 1;
        self.json.push_str("[{");
        self.open.push(Open::Table(table));
        Ok(Step::Cell)
    }

    /// Passes over space behind a name or cell, in which no line may end but before `]`.
    fn skip_in_row(&mut self, separator: u8) -> Result<(), Fault> {
        let has_break = self.skip(separator != b'\t')?;
        let goes_on = self.peek().is_some_and(|byte| byte != b']');
        if has_break && goes_on {
            return Err(Fault::expected("no line break before this", self.at));
        }
        Ok(())
    }

    fn name(&mut self) -> Result<Column<'t>, Fault> {
        let start = self.at;
        self.at = if self.peek() == Some(b'"') {
            lex::string(self.bytes, start)?
        } else {
            lex::identifier(self.bytes, start)
        };
        if self.at == start {
            return Err(Fault::expected("a column's name", start));
        }
        let name = &self.text[start..self.at];
        let is_optional = self.peek() == Some(b'?');
        self.at += usize::from(is_optional);
        Ok(Column { name, is_optional })
    }

    /// Reads the beginning of a cell, or an empty one.
    pub(super) fn cell(&mut self) -> Result<Step, Fault> {
        let Some(Open::Table(table)) = self.open.last() else {
            return Ok(Step::After);
        };
        let separator = table.separator;
        let (column, is_first) = (
            table.columns.get(table.cells - 1).copied(),
            table.cells == 1,
        );
        self.skip(separator != b'\t')?;
        let start = self.at;
        let byte = self.peek();
        let is_empty = byte.is_none_or(|byte| byte == separator || matches!(byte, b';' | b']'));
        if is_empty && is_first && byte != Some(separator) {
            return Err(Fault::new(JtonErrorKind::EmptyRow, start));
        }
        let Some(Open::Table(table)) = self.open.last_mut() else {
            return Ok(Step::After);
        };
        let Some(column) = column else {
            let columns = table.columns.len();
            return Err(Fault::new(JtonErrorKind::LongRow { columns }, start));
        };
        if is_empty {
            write_empty(&mut self.json, table, column);
        } else {
            write_key(&mut self.json, table, column);
        }
        self.check_length()?;
        let end = lex::identifier(self.bytes, start);
        if is_empty {
            return Ok(Step::After);
        }
        if end == start {
            return Ok(Step::Value);
        }
        self.at = end;
        match &self.text[start..end] {
            "true" | "false" | "null" => self.copy(start),
            "NaN" | "Infinity" => return Err(Fault::new(JtonErrorKind::NonFiniteNumber, start)),
            _ => {
                self.json.push('"');
                self.copy(start);
                self.json.push('"');
            }
        }
        Ok(Step::After)
    }

    /// Goes on from the end of a cell, closing the row or the table with it.
    pub(super) fn after_cell(&mut self) -> Result<Step, Fault> {
        let Some(Open::Table(table)) = self.open.last() else {
            return Ok(Step::After);
        };
        let separator = table.separator;
        self.skip_in_row(separator)?;
        let byte = self.peek();
        let Some(Open::Table(table)) = self.open.last_mut() else {
            return Ok(Step::After);
        };
        if byte == Some(separator) {
            self.at += 1;
            table.cells += 1;
            return Ok(Step::Cell);
        }
        if !matches!(byte, Some(b';' | b']')) {
            let what = "a separator, `;` or `]`";
            return Err(Fault::expected(what, self.at));
        }
        let (columns, cells) = (table.columns.len(), table.cells);
        if cells < columns && self.strictness == Strictness::Strict {
            let kind = JtonErrorKind::ShortRow { columns, cells };
            return Err(Fault::new(kind, self.at));
        }
        for at in cells..columns {
            let column = table.columns[at];
            write_empty(&mut self.json, table, column);
        }
        table.rows += 1;
        table.cells = 1;
        table.members = 0;
        self.json.push('}');
        self.check_length()?;
        if byte == Some(b';') {
            self.at += 1;
            self.json.push_str(",{");
            return Ok(Step::Cell);
        }
        if let Some(Open::Table(table)) = self.open.last() {
            self.check_count(table)?;
        }
        Ok(self.close(']'))
    }

    fn check_count(&self, table: &Table<'_>) -> Result<(), Fault> {
        if self.strictness == Strictness::Lenient || table.count.is_empty() {
            return Ok(());
        }
        let counted = table.count.parse().unwrap_or(u64::MAX);
        let found = table.rows;
        if counted == found {
            return Ok(());
        }
        let kind = JtonErrorKind::RowCount { counted, found };
        Err(Fault::new(kind, table.count_at))
    }
}
