//! Which rows of a list tell something that the others do not.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::columns::{Cell, Column, Columns};
use crate::balanced::numbers::{self, Slots};
use crate::balanced::shape::{self, rare};
use crate::balanced::terms::Terms;
use crate::failure;
use crate::jton::scan::Minified;

/// A list of which a greater share is unusual stays whole, in tenths.
const MOST_UNUSUAL: usize = 6;

/// Unusual rows are kept up to this many, or a quarter of the list if that is more.
const MANY: usize = 200;

/// Why a row stays, the strongest reason last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    None,
    /// It stands for others.
    Example,
    /// The others do not look like it.
    Unusual,
    /// The question asks for it.
    Asked,
    /// Something went wrong there.
    Failure,
}

/// Which rows stay; `None` if all should.
pub(super) fn kept(
    minified: &Minified,
    rows: &[usize],
    columns: &Columns<'_>,
    terms: &Terms,
) -> Option<Vec<bool>> {
    if columns
        .list
        .iter()
        .any(|column| are_addressed(column, rows.len()))
    {
        return None;
    }
    let mut judge = Judge {
        reasons: vec![Reason::None; rows.len()],
        kinds: vec![0; rows.len()],
        examples: 0,
    };
    for column in &columns.list {
        judge.look_at(column);
    }
    let texts = rows.iter().map(|row| minified.raw(*row));
    for row in terms.matches(texts, (rows.len() / 5).max(10)) {
        judge.give(row, Reason::Asked);
    }
    judge.decide()
}

/// Whether most rows have an address of e-mail that no other has: these are people or their messages, which are not like
/// one another even where nothing but a number tells them apart.
fn are_addressed(column: &Column<'_>, rows: usize) -> bool {
    let is_address = |raw: &str| {
        let host = raw.split_once('@').map(|(_, host)| host);
        raw.starts_with('"') && !raw.contains(' ') && host.is_some_and(|host| host.contains('.'))
    };
    let cells = column.cells.iter().map(|cell| cell.raw);
    let addresses: HashSet<&str> = cells.filter(|raw| is_address(raw)).collect();
    addresses.len() * 2 > rows
}

/// The reasons of all rows so far.
struct Judge {
    reasons: Vec<Reason>,
    /// What each row is like, as a hash.
    kinds: Vec<u64>,
    examples: usize,
}

impl Judge {
    fn give(&mut self, row: usize, reason: Reason) {
        self.reasons[row] = self.reasons[row].max(reason);
    }

    /// Gives the reason unless enough rows are examples already.
    fn give_example(&mut self, row: usize) {
        if self.reasons[row] == Reason::None && self.examples * 6 < self.reasons.len() {
            self.examples += 1;
            self.reasons[row] = Reason::Example;
        }
    }

    fn decide(self) -> Option<Vec<bool>> {
        let all = self.reasons.len();
        let unusual = |row: &usize| self.reasons[*row] >= Reason::Unusual;
        let mut ranked: Vec<usize> = (0..all).filter(unusual).collect();
        if ranked.len() * 10 > all * MOST_UNUSUAL {
            return None;
        }
        let mut alike: HashMap<u64, usize> = HashMap::new();
        for row in &ranked {
            *alike.entry(self.kinds[*row]).or_default() += 1;
        }
        // Of too many, those that are like few others.
        ranked.sort_by_key(|row| (Reverse(self.reasons[*row]), alike[&self.kinds[*row]], *row));
        ranked.truncate(MANY.max(all / 4));
        let mut kept = vec![false; all];
        for row in ranked {
            kept[row] = true;
        }
        let (head, tail) = ((all / 20).clamp(3, 10), (all / 40).clamp(2, 5));
        for (row, kept) in kept.iter_mut().enumerate() {
            *kept |= row < head || row + tail >= all || self.reasons[row] == Reason::Example;
        }
        kept.iter().any(|kept| !kept).then_some(kept)
    }

    fn look_at(&mut self, column: &Column<'_>) {
        let cells = &column.cells;
        if cells.is_empty() {
            return;
        }
        self.look_at_presence(cells);
        let mut values: HashMap<&str, usize> = HashMap::new();
        for cell in cells {
            *values.entry(cell.raw).or_default() += 1;
        }
        // What all rows say tells none apart, and those that stay say it too.
        if values.len() == 1 && cells.len() == self.reasons.len() {
            return;
        }
        self.look_at_failures(column);
        let few_values = values.len() <= (cells.len() / 10).clamp(4, 64);
        let is_number = |cell: &Cell<'_>| cell.raw.parse::<f64>().is_ok_and(f64::is_finite);
        let all_numbers = cells.iter().all(is_number);
        if all_numbers && cells.len() >= 8 {
            self.look_at_numbers(cells);
        }
        if few_values || !all_numbers {
            let class = if few_values {
                shape::exact
            } else {
                shape::shape
            };
            let classes: Vec<u64> = cells
                .iter()
                .map(|cell| {
                    if !few_values && is_number(cell) {
                        0
                    } else {
                        class(cell.raw)
                    }
                })
                .collect();
            self.look_at_classes(cells, &classes);
            if !few_values {
                self.look_at_slots(cells, &classes);
            }
        }
    }

    /// Rows that have what few have, or lack what few lack.
    fn look_at_presence(&mut self, cells: &[Cell<'_>]) {
        let all = self.reasons.len();
        if cells.len() >= all {
            return;
        }
        let mut present = vec![false; all];
        for cell in cells {
            present[cell.row] = true;
        }
        let count = present.iter().filter(|is_there| **is_there).count();
        for (row, is_there) in present.into_iter().enumerate() {
            if (is_there && count <= rare(all)) || (!is_there && all - count <= rare(all)) {
                self.give(row, Reason::Unusual);
            }
        }
    }

    /// Rows whose value is of a rare class, the first of each other class, and those around a change of a class that
    /// hardly ever changes.
    fn look_at_classes(&mut self, cells: &[Cell<'_>], classes: &[u64]) {
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for (cell, class) in cells.iter().zip(classes) {
            *counts.entry(*class).or_default() += 1;
            let kind = &mut self.kinds[cell.row];
            *kind = kind.rotate_left(5) ^ class;
        }
        if counts.len() == 1 {
            return;
        }
        let bound = rare(self.reasons.len());
        for (cell, class) in cells.iter().zip(classes) {
            match counts.get_mut(class) {
                Some(count) if *count == usize::MAX => {}
                Some(count) if *count > bound => {
                    *count = usize::MAX;
                    self.give_example(cell.row);
                }
                _ => self.give(cell.row, Reason::Unusual),
            }
        }
        let is_change = |at: &usize| classes[*at] != classes[*at - 1];
        let changes: Vec<usize> = (1..classes.len()).filter(is_change).collect();
        if changes.len() <= (classes.len() / 20).max(2) {
            for at in changes {
                self.give(cells[at - 1].row, Reason::Unusual);
                self.give(cells[at].row, Reason::Unusual);
            }
        }
    }

    /// Rows with a number in a text that is far from those in the other texts of its shape.
    fn look_at_slots(&mut self, cells: &[Cell<'_>], classes: &[u64]) {
        let mut slots = Slots::default();
        for (cell, class) in cells.iter().zip(classes) {
            slots.add(cell.row, *class, cell.raw);
        }
        for row in slots.outliers() {
            self.give(row, Reason::Unusual);
        }
    }

    fn look_at_numbers(&mut self, cells: &[Cell<'_>]) {
        let values: Vec<f64> = cells
            .iter()
            .map(|cell| cell.raw.parse().unwrap_or_default())
            .collect();
        for at in numbers::outliers(&values, cells.len() / 10) {
            self.give(cells[at].row, Reason::Unusual);
        }
        for at in numbers::extremes(&values) {
            self.give_example(cells[at].row);
        }
    }

    fn look_at_failures(&mut self, column: &Column<'_>) {
        let name = Name::of(column.name);
        let said: Vec<bool> = column
            .cells
            .iter()
            .map(|cell| name.says_failure(cell.raw))
            .collect();
        // A name that says so of most rows says nothing ("error_rate").
        let is_telling = said.iter().filter(|said| **said).count() * 2 <= self.reasons.len();
        for (cell, said) in column.cells.iter().zip(said) {
            if (said && is_telling) || tells_of_failure(cell.raw) {
                self.give(cell.row, Reason::Failure);
            }
        }
    }
}

/// What a name says of the values under it.
struct Name {
    is_failure: bool,
    is_success: bool,
    is_status: bool,
}

impl Name {
    fn of(spelled: &str) -> Self {
        const SUCCESS: [&str; 10] = [
            "ok",
            "success",
            "successful",
            "succeeded",
            "passed",
            "healthy",
            "valid",
            "up",
            "alive",
            "ready",
        ];
        let mut name = Self {
            is_failure: false,
            is_success: false,
            is_status: false,
        };
        for word in spelled.split(|symbol: char| !symbol.is_ascii_alphabetic()) {
            let lower = word.to_ascii_lowercase();
            name.is_failure |= failure::tells_of_failure(word);
            name.is_success |= SUCCESS.contains(&lower.as_str());
            name.is_status |= ["status", "code", "http"]
                .iter()
                .any(|part| lower.contains(part));
        }
        name
    }

    /// Whether a value under this name is that of a failure.
    fn says_failure(&self, raw: &str) -> bool {
        let plain = raw.trim_matches('"');
        if self.is_status && plain.len() == 3 {
            return plain
                .parse()
                .is_ok_and(|status| (400..600_u16).contains(&status));
        }
        if self.is_success {
            return plain == "false";
        }
        let is_none = matches!(
            plain,
            "" | "0" | "0.0" | "null" | "false" | "[]" | "{}" | "none" | "None" | "no" | "ok"
        );
        self.is_failure && !is_none
    }
}

/// Whether a value as it is spelled, a string or something with strings in it, tells of a failure.
fn tells_of_failure(raw: &str) -> bool {
    if !raw.contains('\\') {
        return raw.contains(['"']) && failure::tells_of_failure(raw);
    }
    // The letter of an escape is no part of the word behind it.
    let plain = raw
        .replace("\\n", " ")
        .replace("\\t", " ")
        .replace("\\r", " ");
    failure::tells_of_failure(&plain)
}
