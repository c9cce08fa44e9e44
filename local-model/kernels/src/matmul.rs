//! Products of activations with packed matrices: [`multiply`].

use std::cell::RefCell;

use half::{bf16, f16};

use crate::activations::{Precision, QuantizedRow, QuantizedRows};
use crate::float::{self, Element};
use crate::format::Format;
use crate::int8::{self, Numbers, TILE_ROWS, Tile};
use crate::isa::Isa;
use crate::lanes::{LANES, SharedSlice, cast};
use crate::packed::PackedMatrix;
use crate::team::Lead;

thread_local! {
    static QUANTIZED: RefCell<QuantizedRows> = RefCell::default();
}

/// `out = x · Wᵀ` for one matrix or several that have the same input, whose results stand side by
/// side: `x` is (rows, columns), `out` (rows, rows of all matrices together).
///
/// With quantized weights the activations are rounded to `precision`, 32 at a time. A row's result
/// does not depend on the other rows.
///
/// # Panics
///
/// Where the shapes do not fit together.
pub fn multiply(
    lead: &Lead<'_>,
    precision: Precision,
    x: &[f32],
    weights: &[&PackedMatrix],
    out: &mut [f32],
) {
    multiply_on(Isa::detect(), lead, precision, x, weights, out);
}

/// As [`multiply`], with the instructions of `isa`, which the machine must have.
pub(crate) fn multiply_on(
    isa: Isa,
    lead: &Lead<'_>,
    precision: Precision,
    x: &[f32],
    weights: &[&PackedMatrix],
    out: &mut [f32],
) {
    let Some(first) = weights.first() else { return };
    let columns = first.columns();
    assert!(
        weights.iter().all(|matrix| matrix.columns() == columns),
        "one input for all"
    );
    assert!(x.len().is_multiple_of(columns), "rows of {columns}");
    let rows = x.len() / columns;
    let width: usize = weights.iter().map(|matrix| matrix.rows()).sum();
    assert_eq!(out.len(), rows * width, "room for {rows} x {width}");
    if rows == 0 {
        return;
    }
    QUANTIZED.with_borrow_mut(|quantized| {
        if weights.iter().any(|matrix| matrix.is_quantized()) {
            quantized.quantize(lead, isa, precision, x, columns);
        }
        let product = Product {
            isa,
            parts: precision.parts(),
            x,
            quantized,
            columns,
            rows,
            width,
            out: SharedSlice::new(out),
        };
        let panels: usize = weights.iter().map(|matrix| matrix.panels()).sum();
        lead.run_in_runs(panels, |run| {
            let (mut first_panel, mut first_column) = (0, 0);
            for matrix in weights {
                let end = first_panel + matrix.panels();
                let (from, to) = (run.start.max(first_panel), run.end.min(end));
                for panel in from..to {
                    product.panel(matrix, panel - first_panel, first_column);
                }
                first_panel = end;
                first_column += matrix.rows();
            }
        });
    });
}

struct Product<'a> {
    isa: Isa,
    /// Rows of 8-bit numbers for each row of activations.
    parts: usize,
    x: &'a [f32],
    quantized: &'a QuantizedRows,
    columns: usize,
    rows: usize,
    /// Columns of the result.
    width: usize,
    out: SharedSlice<f32>,
}

impl Product<'_> {
    /// The columns of the result that a panel gives; those of its matrix begin at `first_column`.
    fn panel(&self, matrix: &PackedMatrix, panel: usize, first_column: usize) {
        let column = first_column + panel * LANES;
        let lanes = LANES.min(matrix.rows() - panel * LANES);
        let format = matrix.format();
        match format {
            Format::F32 => self.floats::<f32>(cast(matrix.panel(panel)), column, lanes),
            Format::F16 => self.floats::<f16>(cast(matrix.panel(panel)), column, lanes),
            Format::Bf16 => self.floats::<bf16>(cast(matrix.panel(panel)), column, lanes),
            _ => matrix.with_unpacked(self.isa, panel, |unpacked| {
                let how = Numbers {
                    scale_width: format.scale_width(),
                    offset: format.offset(),
                };
                self.tiles(
                    TILE_ROWS / self.parts,
                    column,
                    lanes,
                    |from, count, tile| {
                        let mut rows = [QuantizedRow::EMPTY; TILE_ROWS];
                        let rows = &mut rows[..count * self.parts];
                        for (index, row) in rows.iter_mut().enumerate() {
                            *row = self.quantized.row(from * self.parts + index, self.columns);
                        }
                        int8::multiply(self.isa, how, unpacked, rows, tile);
                        self.add_parts(count, tile);
                    },
                );
            }),
        }
    }

    fn floats<E: Element>(&self, panel: &[E], column: usize, lanes: usize) {
        self.tiles(TILE_ROWS, column, lanes, |from, count, tile| {
            let mut rows: [&[f32]; TILE_ROWS] = [&[]; TILE_ROWS];
            for (index, row) in rows[..count].iter_mut().enumerate() {
                *row = &self.x[(from + index) * self.columns..][..self.columns];
            }
            *tile = [[0.0; LANES]; TILE_ROWS];
            float::accumulate(self.isa, panel, &rows[..count], tile);
        });
    }

    /// Adds up the products of the parts of each of `count` rows.
    fn add_parts(&self, count: usize, tile: &mut Tile) {
        if self.parts == 1 {
            return;
        }
        for row in 0..count {
            let first = row * self.parts;
            let mut sums = tile[first];
            for part in &tile[first + 1..first + self.parts] {
                for (sum, value) in sums.iter_mut().zip(part) {
                    *sum += value;
                }
            }
            tile[row] = sums;
        }
    }

    /// Has each tile of up to `height` rows filled, and writes it.
    fn tiles(
        &self,
        height: usize,
        column: usize,
        lanes: usize,
        fill: impl Fn(usize, usize, &mut Tile),
    ) {
        let mut tile: Tile = [[0.0; LANES]; TILE_ROWS];
        let mut from = 0;
        while from < self.rows {
            let count = height.min(self.rows - from);
            fill(from, count, &mut tile);
            for (index, values) in tile[..count].iter().enumerate() {
                let at = (from + index) * self.width + column;
                // SAFETY: each panel is computed by one task, and writes its own columns alone.
                let out = unsafe { self.out.part(at, lanes) };
                out.copy_from_slice(&values[..lanes]);
            }
            from += count;
        }
    }
}

#[cfg(test)]
mod tests;
