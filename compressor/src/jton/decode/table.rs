//! Tables: their heads, rows and cells.

use super::{Decoder, Open, Step, Strictness};
use crate::jton::error::{Fault, JtonErrorKind};
use crate::jton::lex;

/// A table that is not closed.
pub(super) struct Table<'t> {
    /// A column for each cell of a row.
    columns: Vec<Column<'t>>,
    /// The names of groups, in the order in which they begin.
    groups: Vec<&'t str>,
    /// Comma, tab or pipe.
    separator: u8,
    /// The digits before the colon, and where they stand.
    count: &'t str,
    count_at: usize,
    /// Rows that are whole.
    rows: u64,
    /// Cells of this row so far, with the one that is next or being read.
    cells: usize,
    /// This row's object has a member.
    has_members: bool,
    /// The optional group that the last cell was in is not in this row.
    is_absent: bool,
}

#[derive(Clone, Copy)]
struct Column<'t> {
    /// The name, with its quotes if it has some.
    name: &'t str,
    /// Rows may be without it, or without the outermost group that it is in.
    is_optional: bool,
    /// How many groups it is in.
    depth: usize,
    /// How many of these begin with it; they are those before `groups`.
    opens: usize,
    groups: usize,
    /// How many of these end with it.
    closes: usize,
}

impl<'t> Column<'t> {
    const fn new(name: &'t str, is_optional: bool) -> Self {
        Self {
            name,
            is_optional,
            depth: 0,
            opens: 0,
            groups: 0,
            closes: 0,
        }
    }

    /// It is the first cell of an outermost group.
    const fn begins_group(self) -> bool {
        self.depth > 0 && self.depth == self.opens
    }
}

impl<'t> Table<'t> {
    /// Whether the row has this column, whose cell is empty or not: an optional group is not there if
    /// its first cell is empty.
    fn has(&mut self, column: Column<'t>, is_empty: bool) -> bool {
        if column.depth == 0 || column.begins_group() {
            self.is_absent = is_empty && column.is_optional;
        }
        !self.is_absent
    }

    /// Writes a member's key, behind those of the groups that begin with it.
    fn write_key(&mut self, json: &mut String, column: Column<'t>) {
        if self.has_members {
            json.push(',');
        }
        self.has_members = true;
        let groups = column.groups - column.opens..column.groups;
        for group in self.groups.get(groups).unwrap_or_default() {
            write_name(json, group);
            json.push('{');
        }
        write_name(json, column.name);
    }

    /// Writes the braces of the groups that end with a column.
    fn close_groups(&self, json: &mut String, column: Column<'t>) {
        if !self.is_absent {
            json.extend((0..column.closes).map(|_| '}'));
        }
    }

    /// Writes what a column has in a row that says nothing of it.
    fn write_empty(&mut self, json: &mut String, column: Column<'t>) {
        if self.has(column, true) {
            self.write_key(json, column);
            json.push_str("null");
        }
    }
}

fn write_name(json: &mut String, name: &str) {
    if name.starts_with('"') {
        json.push_str(name);
    } else {
        json.push('"');
        json.push_str(name);
        json.push('"');
    }
    json.push(':');
}

impl<'t> Decoder<'t> {
    /// Reads a table's head, from behind its colon to its first row.
    pub(super) fn head(&mut self, count: &'t str, count_at: usize) -> Result<Step, Fault> {
        self.skip_space()?;
        let mut table = Box::new(Table {
            columns: Vec::new(),
            groups: Vec::new(),
            separator: b',',
            count,
            count_at,
            rows: 0,
            cells: 1,
            has_members: false,
            is_absent: false,
        });
        if self.peek() == Some(b']') {
            self.check_count(&table)?;
            self.json.push('[');
            self.open.push(Open::Array);
            return Ok(self.close(']'));
        }
        self.names(&mut table)?;
        self.json.push_str("[{");
        self.open.push(Open::Table(table));
        Ok(Step::Cell)
    }

    /// Reads the names of a table's columns and the `;` behind them.
    fn names(&mut self, table: &mut Table<'t>) -> Result<(), Fault> {
        let mut separator = None;
        // Groups that are not closed, and those of them that have no column yet.
        let (mut depth, mut opens) = (0, 0);
        let mut group_is_optional = false;
        loop {
            let (name, is_optional) = self.name(depth > 0)?;
            self.behind_name(&mut separator)?;
            if self.peek() == Some(b'{') {
                if depth == 0 {
                    group_is_optional = is_optional;
                }
                table.groups.push(name);
                (depth, opens) = (depth + 1, opens + 1);
                self.at += 1;
                self.skip(separator != Some(b'\t'))?;
                continue;
            }
            let mut column = Column::new(name, is_optional);
            if depth > 0 {
                column.is_optional = group_is_optional;
                (column.depth, column.opens) = (depth, opens);
                column.groups = table.groups.len();
                column.closes = self.group_ends(depth, &mut separator)?;
                depth -= column.closes;
            }
            opens = 0;
            table.columns.push(column);
            table.separator = separator.unwrap_or(b',');
            match self.peek() {
                Some(byte) if byte == table.separator => {
                    self.at += 1;
                    self.skip(table.separator != b'\t')?;
                }
                Some(b';') if depth == 0 => break,
                _ if depth > 0 => return Err(Fault::expected("a separator or `}`", self.at)),
                _ => return Err(Fault::expected("a separator or `;`", self.at)),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Reads the braces that close groups, at most so many; how many there are.
    fn group_ends(&mut self, depth: usize, separator: &mut Option<u8>) -> Result<usize, Fault> {
        let mut closes = 0;
        while closes < depth && self.peek() == Some(b'}') {
            self.at += 1;
            closes += 1;
            self.behind_name(separator)?;
        }
        Ok(closes)
    }

    /// Passes over the space behind a name or group, and finds out the separator if it is not known.
    fn behind_name(&mut self, separator: &mut Option<u8>) -> Result<(), Fault> {
        if separator.is_none() {
            *separator = self.separator()?;
        }
        self.skip_in_row(separator.unwrap_or(b','))
    }

    /// The separator behind a name or group, if one stands here. A tab is space, unless nothing but a
    /// name comes behind it.
    fn separator(&mut self) -> Result<Option<u8>, Fault> {
        let start = self.at;
        self.skip_space()?;
        let byte = self.peek();
        let has_tab = self.bytes[start..self.at].contains(&b'\t');
        self.at = start;
        Ok(match byte {
            Some(b',' | b'|') => byte,
            Some(b';' | b']' | b'{' | b'}') | None => None,
            Some(_) => has_tab.then_some(b'\t'),
        })
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

    /// Reads a name; true if `?` stands behind it, which it may not in a group.
    fn name(&mut self, in_group: bool) -> Result<(&'t str, bool), Fault> {
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
        let is_optional = !in_group && self.peek() == Some(b'?');
        self.at += usize::from(is_optional);
        Ok((name, is_optional))
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
            table.write_empty(&mut self.json, column);
        } else if table.has(column, false) {
            table.write_key(&mut self.json, column);
        } else {
            let what = "an empty cell, as the first of its group is empty";
            return Err(Fault::expected(what, start));
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
        if let Some(column) = table.columns.get(table.cells - 1) {
            table.close_groups(&mut self.json, *column);
        }
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
            table.write_empty(&mut self.json, column);
            table.close_groups(&mut self.json, column);
        }
        table.rows += 1;
        table.cells = 1;
        table.has_members = false;
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
