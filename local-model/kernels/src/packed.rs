//! Weights as the products want them: [`PackedMatrix`].

mod planes;

use std::cell::RefCell;
use std::fmt;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use crate::format::{Format, Row};
use crate::isa::Isa;
use crate::lanes::{AlignedBytes, LANES, LINE, SharedSlice, cast, cast_mut};
use crate::team::Lead;
use planes::{number_at, pack_numbers, unpack4, unpack5, unpack6};

pub(crate) use planes::GROUP;

/// A weight matrix, (rows, columns), in panels of 16 rows.
///
/// A quantized panel has, for each 32 columns, the numbers of eight groups of four columns: 64 bytes
/// a group, those of one row side by side, so that one instruction multiplies a group of all 16 rows.
/// Numbers of fewer than 8 bits lie in planes: the low four bits of group `g` and of group `g + 4`
/// share bytes; the fifth bits of all eight groups share 64 bytes; the upper two of six-bit numbers
/// 128. Scales, and minimums after them, follow as f16, 16 at a time. A weight takes as many bits as in
/// the file, or a little more for the K formats, whose scales are multiplied out.
///
/// A panel of floats has the 16 rows' weights of one column side by side.
pub struct PackedMatrix {
    rows: usize,
    columns: usize,
    format: Format,
    data: AlignedBytes,
}

/// Why a matrix cannot be packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackError {
    /// Rows asked for.
    pub rows: usize,
    /// Columns asked for.
    pub columns: usize,
    /// The format.
    pub format: Format,
    /// Bytes given.
    pub bytes: usize,
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes are no {} x {} matrix of {:?}",
            self.bytes, self.rows, self.columns, self.format
        )
    }
}

impl std::error::Error for PackError {}

/// A quantized panel, its numbers as bytes and its scales as floats.
#[derive(Clone, Copy)]
pub(crate) struct Unpacked<'a> {
    /// (groups, lanes, 4).
    pub(crate) numbers: &'a [u8],
    /// (columns / scale width, lanes).
    pub(crate) scales: &'a [f32],
    /// As many as scales, or none.
    pub(crate) minimums: &'a [f32],
}

#[derive(Debug, Default)]
struct Scratch {
    numbers: AlignedBytes,
    scales: AlignedBytes,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

// === impl PackedMatrix ===

impl PackedMatrix {
    /// Packs the rows that `bytes` has in `format`, one after another, with all threads.
    pub fn pack(
        lead: &Lead<'_>,
        format: Format,
        rows: usize,
        columns: usize,
        bytes: &[u8],
    ) -> Result<Self, PackError> {
        let error = || PackError {
            rows,
            columns,
            format,
            bytes: bytes.len(),
        };
        let row_bytes = format
            .bytes(columns)
            .filter(|&row| row > 0)
            .ok_or_else(error)?;
        if rows == 0 || row_bytes.checked_mul(rows) != Some(bytes.len()) {
            return Err(error());
        }
        let mut packed = Self {
            rows,
            columns,
            format,
            data: AlignedBytes::default(),
        };
        let stride = packed.panel_bytes();
        let panels = packed.panels();
        let mut data = AlignedBytes::zeroed(stride * panels);
        let shared = SharedSlice::new(data.bytes_mut());
        lead.run_in_runs(panels, |run| {
            let mut row = Row::default();
            for panel in run {
                // SAFETY: each panel is packed by one task, and panels do not overlap.
                let out = unsafe { shared.part(panel * stride, stride) };
                for lane in 0..LANES.min(rows - panel * LANES) {
                    let from = (panel * LANES + lane) * row_bytes;
                    packed.pack_row(lane, &bytes[from..from + row_bytes], &mut row, out);
                }
            }
        });
        packed.data = data;
        Ok(packed)
    }

    /// Rows, which are the columns of a product.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: what a row of activations has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How the weights are stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.data.bytes().len()
    }

    pub(crate) fn panels(&self) -> usize {
        self.rows.div_ceil(LANES)
    }

    pub(crate) fn is_quantized(&self) -> bool {
        self.format.bits() != 0
    }

    /// Bytes of a panel's numbers.
    fn numbers_bytes(&self) -> usize {
        self.columns * LANES * self.format.bits() / 8
    }

    /// Scales of a panel.
    fn scales(&self) -> usize {
        self.columns / self.format.scale_width() * LANES
    }

    fn panel_bytes(&self) -> usize {
        let bytes = match self.format {
            Format::F32 => self.columns * LANES * 4,
            Format::F16 | Format::Bf16 => self.columns * LANES * 2,
            _ => {
                let per_scale = if self.format.has_minimum() { 4 } else { 2 };
                self.numbers_bytes() + self.scales() * per_scale
            }
        };
        bytes.next_multiple_of(LINE)
    }

    /// The panel's bytes.
    pub(crate) fn panel(&self, index: usize) -> &[u8] {
        let stride = self.panel_bytes();
        &self.data.bytes()[index * stride..][..stride]
    }

    fn pack_row(&self, lane: usize, bytes: &[u8], row: &mut Row, out: &mut [u8]) {
        match self.format {
            Format::F32 => spread::<4>(lane, bytes, out),
            Format::F16 | Format::Bf16 => spread::<2>(lane, bytes, out),
            _ => {
                row.read(self.format, bytes);
                let (numbers, rest) = out.split_at_mut(self.numbers_bytes());
                pack_numbers(self.format.bits(), lane, &row.numbers, numbers);
                let (scales, minimums) = cast_mut::<u16>(rest).split_at_mut(self.scales());
                for (index, scale) in row.scales.iter().enumerate() {
                    scales[index * LANES + lane] = scale.to_bits();
                }
                for (index, minimum) in row.minimums.iter().enumerate() {
                    minimums[index * LANES + lane] = minimum.to_bits();
                }
            }
        }
    }

    /// Calls `use_panel` with a quantized panel taken apart, in memory of this thread.
    pub(crate) fn with_unpacked<T>(
        &self,
        isa: Isa,
        index: usize,
        use_panel: impl FnOnce(Unpacked<'_>) -> T,
    ) -> T {
        let panel = self.panel(index);
        let (numbers, rest) = panel.split_at(self.numbers_bytes());
        let count = self.scales();
        let halves: &[f16] = cast(rest);
        let all = if self.format.has_minimum() {
            2 * count
        } else {
            count
        };
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.scales.reserve_bytes(all * size_of::<f32>());
            let scales = &mut cast_mut::<f32>(scratch.scales.bytes_mut())[..all];
            halves[..all].convert_to_f32_slice(scales);
            let (scales, minimums) = scales.split_at(count);
            let numbers = if self.format.bits() == 8 {
                numbers
            } else {
                let size = self.columns * LANES;
                scratch.numbers.reserve_bytes(size);
                let out = &mut scratch.numbers.bytes_mut()[..size];
                match self.format.bits() {
                    4 => unpack4(isa, numbers, out),
                    5 => unpack5(isa, numbers, out),
                    _ => unpack6(isa, numbers, out),
                }
                &*out
            };
            use_panel(Unpacked {
                numbers,
                scales,
                minimums,
            })
        })
    }

    /// Writes row `index` as floats to `out`, which has a place for each column.
    ///
    /// # Panics
    ///
    /// Where there is no such row, or `out` has another length.
    pub fn read_row(&self, index: usize, out: &mut [f32]) {
        assert!(index < self.rows, "row {index} of {}", self.rows);
        assert_eq!(out.len(), self.columns, "columns of a row");
        let lane = index % LANES;
        let panel = self.panel(index / LANES);
        let value = |column: usize| column * LANES + lane;
        match self.format {
            Format::F32 => {
                let values: &[f32] = cast(panel);
                (0..)
                    .zip(out)
                    .for_each(|(column, out)| *out = values[value(column)]);
            }
            Format::F16 => {
                let values: &[f16] = cast(panel);
                (0..)
                    .zip(out)
                    .for_each(|(column, out)| *out = values[value(column)].to_f32());
            }
            Format::Bf16 => {
                let values: &[bf16] = cast(panel);
                (0..)
                    .zip(out)
                    .for_each(|(column, out)| *out = values[value(column)].to_f32());
            }
            _ => self.read_quantized_row(panel, lane, out),
        }
    }

    fn read_quantized_row(&self, panel: &[u8], lane: usize, out: &mut [f32]) {
        let (numbers, rest) = panel.split_at(self.numbers_bytes());
        let halves: &[f16] = cast(rest);
        let width = self.format.scale_width();
        for (column, out) in out.iter_mut().enumerate() {
            let at = column / width * LANES + lane;
            let number = number_at(self.format.bits(), numbers, lane, column);
            let minimum = if self.format.has_minimum() {
                halves[self.scales() + at].to_f32()
            } else {
                0.0
            };
            let number = f32::from(number) - f32::from(self.format.offset());
            *out = halves[at].to_f32() * number - minimum;
        }
    }
}

impl fmt::Debug for PackedMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns, format) = (self.rows, self.columns, self.format);
        write!(f, "PackedMatrix({rows} x {columns}, {format:?})")
    }
}

/// Writes a row of floats of `SIZE` bytes to its lane.
fn spread<const SIZE: usize>(lane: usize, row: &[u8], out: &mut [u8]) {
    for (column, value) in row.chunks_exact(SIZE).enumerate() {
        out[(column * LANES + lane) * SIZE..][..SIZE].copy_from_slice(value);
    }
}

#[cfg(test)]
pub(crate) mod tests;
