//! Attention over the keys and values of several sequences: [`attend`].

use std::cell::RefCell;

use half::f16;

use crate::float::{Element, accumulate};
use crate::int8::{TILE_ROWS, Tile};
use crate::isa::Isa;
use crate::key_values::{BLOCK, KeyValues};
use crate::lanes::{LANES, SharedSlice};
use crate::rows::exponentials;
use crate::team::Lead;

/// Which positions a position sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// Itself and all before it.
    Causal,
    /// Itself and so many less one before it.
    Window(usize),
    /// All of the sequence.
    Full,
    /// All at most so far before or behind it.
    Around(usize),
}

impl Mask {
    /// The positions that `position` sees in a sequence of `length`.
    fn range(self, position: usize, length: usize) -> (usize, usize) {
        match self {
            Self::Causal => (0, position + 1),
            Self::Window(width) => ((position + 1).saturating_sub(width), position + 1),
            Self::Full => (0, length),
            Self::Around(radius) => (
                position.saturating_sub(radius),
                length.min(position + radius + 1),
            ),
        }
    }
}

/// The queries of one sequence.
#[derive(Debug)]
pub struct Queries<'a, E = f16> {
    /// What they attend to, themselves included.
    pub key_values: &'a KeyValues<E>,
    /// How many positions ask: the last ones of `key_values`.
    pub count: usize,
}

/// How the queries of all sequences lie in memory, and what they see.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Query heads; each `heads / key heads` neighbours share a key head.
    pub heads: usize,
    /// Values of a head.
    pub head_dim: usize,
    /// Values between one position's queries and the next one's.
    pub stride: usize,
    /// What each position sees.
    pub mask: Mask,
}

/// One task: rows of one sequence that share a key head.
struct Task {
    sequence: usize,
    key_head: usize,
    /// The first row; a row is a position and one of the heads that share the key head.
    row: usize,
    rows: usize,
    /// Positions of all sequences before this one.
    offset: usize,
}

thread_local! {
    static SCORES: RefCell<Vec<f32>> = RefCell::default();
}

/// Scaled dot-product attention (Vaswani et al., 2017) with grouped heads (Ainslie et al., 2023).
///
/// `queries` has the positions of all sequences one after another, each with its heads side by
/// side, scaled already. `out` is (positions, heads · `head_dim`). What a position gets does not
/// depend on the others that ask with it.
///
/// # Panics
///
/// Where the shapes do not fit together.
pub fn attend<E: Element>(
    lead: &Lead<'_>,
    layout: Layout,
    sequences: &[Queries<'_, E>],
    queries: &[f32],
    out: &mut [f32],
) {
    attend_on(Isa::detect(), lead, layout, sequences, queries, out);
}

pub(crate) fn attend_on<E: Element>(
    isa: Isa,
    lead: &Lead<'_>,
    layout: Layout,
    sequences: &[Queries<'_, E>],
    queries: &[f32],
    out: &mut [f32],
) {
    let positions: usize = sequences.iter().map(|sequence| sequence.count).sum();
    let width = layout.heads * layout.head_dim;
    assert_eq!(
        out.len(),
        positions * width,
        "room for {positions} x {width}"
    );
    assert!(
        positions == 0 || queries.len() >= (positions - 1) * layout.stride + width,
        "queries of {positions} positions"
    );
    for sequence in sequences {
        let key_values = sequence.key_values;
        assert!(
            layout.heads.is_multiple_of(key_values.heads()),
            "heads that share key heads"
        );
        assert_eq!(layout.head_dim, key_values.head_dim(), "one head dimension");
        assert!(sequence.count <= key_values.end(), "queries that have keys");
    }
    let tasks = tasks(lead.threads(), layout, sequences);
    let shared = SharedSlice::new(out);
    lead.run(tasks.len(), |index| {
        let task = &tasks[index];
        SCORES.with_borrow_mut(|scores| {
            let sequence = &sequences[task.sequence];
            Attending {
                isa,
                layout,
                sequence,
                task,
                queries,
                out: &shared,
            }
            .run(scores);
        });
    });
}

fn tasks<E: Element>(threads: usize, layout: Layout, sequences: &[Queries<'_, E>]) -> Vec<Task> {
    let rows_of =
        |sequence: &Queries<'_, E>| sequence.count * (layout.heads / sequence.key_values.heads());
    let total: usize = sequences
        .iter()
        .map(|sequence| rows_of(sequence) * sequence.key_values.heads())
        .sum();
    // So few rows that some thread would have nothing to do are shared out more finely.
    let at_once = total.div_ceil(threads).clamp(1, TILE_ROWS);
    let mut tasks = Vec::with_capacity(total / at_once + 1);
    let mut offset = 0;
    for (index, sequence) in sequences.iter().enumerate() {
        let rows = rows_of(sequence);
        for key_head in 0..sequence.key_values.heads() {
            for row in (0..rows).step_by(at_once) {
                tasks.push(Task {
                    sequence: index,
                    key_head,
                    row,
                    rows: at_once.min(rows - row),
                    offset,
                });
            }
        }
        offset += sequence.count;
    }
    tasks
}

struct Attending<'a, E> {
    isa: Isa,
    layout: Layout,
    sequence: &'a Queries<'a, E>,
    task: &'a Task,
    queries: &'a [f32],
    out: &'a SharedSlice<f32>,
}

impl<E: Element> Attending<'_, E> {
    fn run(&self, scores: &mut Vec<f32>) {
        let ranges = self.ranges();
        let from = ranges.iter().map(|range| range.0).min().unwrap_or(0);
        let to = ranges.iter().map(|range| range.1).max().unwrap_or(0);
        // Whole panels, counted from position 0, so that sums are made in the same order whoever
        // asks alongside.
        let start = from / LANES * LANES;
        let length = to.next_multiple_of(LANES) - start;
        scores.clear();
        scores.resize(self.task.rows * length, 0.0);
        self.score(start, length, scores);
        let mut totals = [0.0; TILE_ROWS];
        for (row, scores) in scores.chunks_exact_mut(length).enumerate() {
            let (from, to) = ranges[row];
            scores[..from - start].fill(f32::NEG_INFINITY);
            scores[to - start..].fill(f32::NEG_INFINITY);
            totals[row] = exponentials(self.isa, scores);
        }
        self.mix(start, length, scores, &totals);
    }

    /// The positions that each row sees.
    fn ranges(&self) -> [(usize, usize); TILE_ROWS] {
        let end = self.sequence.key_values.end();
        let mut ranges = [(usize::MAX, 0); TILE_ROWS];
        for (index, range) in ranges[..self.task.rows].iter_mut().enumerate() {
            let (position, _) = self.place(index);
            let position = end - self.sequence.count + position;
            *range = self.layout.mask.range(position, end);
        }
        ranges
    }

    /// A row's position among those that ask, and its head.
    fn place(&self, index: usize) -> (usize, usize) {
        let group = self.layout.heads / self.sequence.key_values.heads();
        let row = self.task.row + index;
        (row / group, self.task.key_head * group + row % group)
    }

    fn score(&self, start: usize, length: usize, scores: &mut [f32]) {
        let mut rows: [&[f32]; TILE_ROWS] = [&[]; TILE_ROWS];
        for (index, row) in rows[..self.task.rows].iter_mut().enumerate() {
            let (position, head) = self.place(index);
            let at = (self.task.offset + position) * self.layout.stride;
            *row = &self.queries[at + head * self.layout.head_dim..][..self.layout.head_dim];
        }
        let rows = &rows[..self.task.rows];
        for at in (0..length).step_by(LANES) {
            let panel = self
                .sequence
                .key_values
                .keys(self.task.key_head, start + at);
            let mut tile: Tile = [[0.0; LANES]; TILE_ROWS];
            accumulate(self.isa, panel, rows, &mut tile);
            for (row, values) in tile[..rows.len()].iter().enumerate() {
                scores[row * length + at..][..LANES].copy_from_slice(values);
            }
        }
    }

    /// Writes the values, weighed by the scores.
    fn mix(&self, start: usize, length: usize, scores: &[f32], totals: &[f32; TILE_ROWS]) {
        let head_dim = self.layout.head_dim;
        let count = self.task.rows;
        for first in (0..head_dim).step_by(LANES) {
            let mut tile: Tile = [[0.0; LANES]; TILE_ROWS];
            let mut at = 0;
            while at < length {
                let position = start + at;
                let here = (BLOCK - position % BLOCK).min(length - at);
                let values = self.sequence.key_values;
                let panel = values.values(self.task.key_head, first / LANES, position);
                let mut rows: [&[f32]; TILE_ROWS] = [&[]; TILE_ROWS];
                for (index, row) in rows[..count].iter_mut().enumerate() {
                    *row = &scores[index * length + at..][..here];
                }
                accumulate(self.isa, panel, &rows[..count], &mut tile);
                at += here;
            }
            let lanes = LANES.min(head_dim - first);
            for (index, values) in tile[..count].iter().enumerate() {
                let (position, head) = self.place(index);
                let at = (self.task.offset + position) * self.layout.heads + head;
                // SAFETY: each row of each head is written by one task.
                let out = unsafe { self.out.part(at * head_dim + first, lanes) };
                for (out, value) in out.iter_mut().zip(values) {
                    *out = value / totals[index];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
