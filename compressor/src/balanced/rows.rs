//! Lists of JSON with fewer of their elements.
//!
//! An element is left out only if nothing about it is unusual among the others (`unusual`), and a list of which most
//! are unusual stays whole: that is content, not repetition. The elements that stay do so as they are spelled, in
//! their order. What `SmartCrusher` of Headroom does is alike; it goes by shares of the list, this by what elements say.
//!
//! Where elements were left out is not marked in the list: a mark would be an element of another kind, which spoils the
//! table that the list becomes and what programs make of it. The line above the text counts them.

mod columns;
mod unusual;

use super::terms::Terms;
use super::{Cut, SampleName};
use crate::jton::scan::{self, Kind, Minified};
use crate::omission::Unit;
use columns::Columns;

/// Shorter lists stay whole.
const MIN_ROWS: usize = 20;

/// So do lists of fewer bytes, minified.
const MIN_BYTES: usize = 600;

/// Lists in more containers than these are not looked into.
const MAX_DEPTH: usize = 16;

/// The text minified, with fewer elements in its long lists; `None` if all stay.
pub(super) fn sample(json: &str, terms: &Terms) -> Option<Cut> {
    let minified = scan::scan(json).ok()?;
    let mut sampler = Sampler {
        minified: &minified,
        terms,
        text: String::with_capacity(minified.text.len()),
        omitted: 0,
        of: 0,
    };
    sampler.write(0, 0);
    (sampler.omitted > 0).then_some(Cut {
        text: sampler.text,
        omitted: sampler.omitted,
        of: sampler.of,
        unit: Unit::Rows,
        name: SampleName::Rows,
    })
}

struct Sampler<'a> {
    minified: &'a Minified,
    terms: &'a Terms,
    text: String,
    omitted: usize,
    /// Elements of the lists that lost some.
    of: usize,
}

impl Sampler<'_> {
    fn write(&mut self, index: usize, depth: usize) {
        let minified = self.minified;
        let kind = minified.node(index).kind;
        if kind == Kind::Scalar || depth > MAX_DEPTH || minified.raw(index).len() < MIN_BYTES {
            self.text.push_str(minified.raw(index));
        } else if kind == Kind::Object {
            let mut mark = '{';
            for (key, value) in minified.members(index) {
                self.text.push(mark);
                self.text.push_str(minified.raw(key));
                self.text.push(':');
                self.write(value, depth + 1);
                mark = ',';
            }
            self.text.push('}');
        } else {
            self.write_list(index, depth);
        }
    }

    fn write_list(&mut self, list: usize, depth: usize) {
        let rows: Vec<usize> = self.minified.values(list).collect();
        let kept = self.kept(&rows);
        let mut mark = '[';
        for (at, row) in rows.iter().enumerate() {
            match &kept {
                Some(kept) if !kept[at] => continue,
                _ => self.text.push(mark),
            }
            mark = ',';
            if kept.is_some() {
                self.text.push_str(self.minified.raw(*row));
            } else {
                self.write(*row, depth + 1);
            }
        }
        self.text.push(']');
        if let Some(kept) = kept {
            self.of += rows.len();
            self.omitted += kept.iter().filter(|kept| !**kept).count();
        }
    }

    /// Which rows stay; `None` if all do.
    fn kept(&self, rows: &[usize]) -> Option<Vec<bool>> {
        let numbers_alone = || {
            rows.iter().all(|row| {
                let raw = self.minified.raw(*row);
                raw.starts_with(|first: char| first.is_ascii_digit() || first == '-')
            })
        };
        // Numbers without names are a vector, or points of a curve: every one counts.
        if rows.len() < MIN_ROWS || numbers_alone() {
            return None;
        }
        let columns = Columns::of(self.minified, rows)?;
        unusual::kept(self.minified, rows, &columns, self.terms)
    }
}
