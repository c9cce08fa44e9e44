//! Tables for people: aligned columns without lines.

use std::fmt;

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};

/// Rows of text under a header.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// The heading of a column and the side to which its cells are aligned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// Words.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
    /// Decimal numbers, all shown with as many decimals as the longest.
    Decimal(&'static str),
}

/// Between columns.
const GAP: u16 = 2;

// === impl Table ===

impl Table {
    /// An empty table.
    pub(super) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(printable).collect());
    }

    /// Fills decimals up with zeros, so that points stand below each other.
    fn aligned(&self) -> Vec<Vec<String>> {
        let mut rows = self.rows.clone();
        for (place, column) in self.columns.iter().enumerate() {
            if !matches!(column, Column::Decimal(_)) {
                continue;
            }
            let cells = || self.rows.iter().filter_map(|row| row.get(place));
            let most = cells().map(|cell| decimals(cell)).max().unwrap_or_default();
            for cell in rows.iter_mut().filter_map(|row| row.get_mut(place)) {
                let missing = most.saturating_sub(decimals(cell));
                if cell.contains('.') {
                    cell.push_str(&"0".repeat(missing));
                }
            }
        }
        rows
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(self.columns.iter().map(Column::heading))
            .add_rows(self.aligned());
        for (column, of) in grid.column_iter_mut().zip(&self.columns) {
            column.set_padding((0, GAP)).set_cell_alignment(match of {
                Column::Left(_) => CellAlignment::Left,
                Column::Right(_) | Column::Decimal(_) => CellAlignment::Right,
            });
        }
        f.write_str(&grid.trim_fmt())
    }
}

// === impl Column ===

impl Column {
    fn heading(&self) -> &'static str {
        match self {
            Self::Left(heading) | Self::Right(heading) | Self::Decimal(heading) => heading,
        }
    }
}

fn decimals(cell: &str) -> usize {
    cell.split_once('.')
        .map_or(0, |(_, decimals)| decimals.len())
}

/// Clients name tasks and models, and a terminal obeys control characters.
pub(super) fn printable(text: String) -> String {
    if text.contains(char::is_control) {
        return text.replace(char::is_control, "\u{fffd}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_whatever_their_cells_hold() {
        let mut table = Table::new([
            Column::Left("TASK"),
            Column::Right("CALLS"),
            Column::Decimal("COST"),
        ]);
        for (task, calls, cost) in [
            ("修理/bug 1", "7", "1.50"),
            ("  indented", "123", "0.000000001"),
            ("esc\u{1b}[31m", "-", "-"),
        ] {
            table.row([task, calls, cost].map(str::to_owned));
        }
        insta::assert_snapshot!(table.to_string(), @r"
        TASK        CALLS         COST
        修理/bug 1      7  1.500000000
          indented    123  0.000000001
        esc�[31m        -            -
        ");
    }
}
