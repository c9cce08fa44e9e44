//! Activations as the products want them.

use crate::isa::{Isa, per_isa};
use crate::lanes::SharedSlice;
use crate::team::Lead;

/// Values that share a scale.
pub(crate) const SCALE_WIDTH: usize = 32;
/// Numbers that are added up together.
pub(crate) const SUM_WIDTH: usize = 16;
/// Rows below which handing them over takes longer than the work: a row takes about a microsecond.
const WORTH_SHARING: usize = 8;
/// The largest number; the smallest is its negative, so that a product of two never overflows.
const LARGEST: f32 = 127.0;
/// Blocks without a larger value are zeros: what they would be multiplied with is no longer finite.
const SMALLEST: f32 = 1e-30;

/// To how many bits activations are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// One 8-bit number a value: what most engines do. Off by up to 1/254 of the largest of 32 values.
    Bits8,
    /// An 8-bit number and another for what it leaves: off by up to 1/64,516 of the largest of 32
    /// values, for twice the multiplications.
    Bits15,
}

impl Precision {
    /// 8-bit numbers a value.
    pub(crate) fn parts(self) -> usize {
        match self {
            Self::Bits8 => 1,
            Self::Bits15 => 2,
        }
    }
}

/// Rows of activations rounded to 8 bits: value ≈ scale · number, with a scale for each 32 values
/// (as GGUF's `Q8_0`, but with scales in single precision). With [`Precision::Bits15`] each row is
/// followed by one of the remainders: value ≈ scale · number + scale' · number'.
#[derive(Debug, Default)]
pub(crate) struct QuantizedRows {
    /// (rows · parts, columns).
    pub(crate) numbers: Vec<i8>,
    /// (rows · parts, columns / 32).
    pub(crate) scales: Vec<f32>,
    /// Sums of numbers, (rows · parts, columns / 16).
    pub(crate) sums: Vec<f32>,
}

/// One row of [`QuantizedRows`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuantizedRow<'a> {
    pub(crate) numbers: &'a [i8],
    pub(crate) scales: &'a [f32],
    pub(crate) sums: &'a [f32],
}

impl QuantizedRow<'_> {
    pub(crate) const EMPTY: Self = Self {
        numbers: &[],
        scales: &[],
        sums: &[],
    };
}

impl QuantizedRows {
    /// Rounds rows of `columns` values each, a multiple of 32.
    pub(crate) fn quantize(
        &mut self,
        lead: &Lead<'_>,
        isa: Isa,
        precision: Precision,
        rows: &[f32],
        columns: usize,
    ) {
        let count = rows.len() / columns;
        let parts = precision.parts();
        let widths =
            [columns, columns / SCALE_WIDTH, columns / SUM_WIDTH].map(|width| width * parts);
        self.numbers.resize(count * widths[0], 0);
        self.scales.resize(count * widths[1], 0.0);
        self.sums.resize(count * widths[2], 0.0);
        let numbers_out = SharedSlice::new(&mut self.numbers);
        let scales_out = SharedSlice::new(&mut self.scales);
        let sums_out = SharedSlice::new(&mut self.sums);
        let quantize = |row: usize| {
            // SAFETY: each row is written by one task, and rows do not overlap.
            let (numbers, scales, sums) = unsafe {
                (
                    numbers_out.part(row * widths[0], widths[0]),
                    scales_out.part(row * widths[1], widths[1]),
                    sums_out.part(row * widths[2], widths[2]),
                )
            };
            let values = &rows[row * columns..][..columns];
            quantize_row(isa, values, numbers, scales, sums);
        };
        if count < WORTH_SHARING {
            (0..count).for_each(quantize);
        } else {
            lead.run_in_runs(count, |run| run.for_each(&quantize));
        }
    }

    /// The row of 8-bit numbers at `index`, of which each row of values has as many as it has parts.
    pub(crate) fn row(&self, index: usize, columns: usize) -> QuantizedRow<'_> {
        let (scales, sums) = (columns / SCALE_WIDTH, columns / SUM_WIDTH);
        QuantizedRow {
            numbers: &self.numbers[index * columns..][..columns],
            scales: &self.scales[index * scales..][..scales],
            sums: &self.sums[index * sums..][..sums],
        }
    }
}

per_isa! {
    fn quantize_row(
        values: &[f32],
        numbers: &mut [i8],
        scales: &mut [f32],
        sums: &mut [f32],
    ) = quantize_row_body
}

/// As many parts as there is room for.
#[inline(always)]
fn quantize_row_body(values: &[f32], numbers: &mut [i8], scales: &mut [f32], sums: &mut [f32]) {
    let (numbers, numbers_left) = numbers.split_at_mut(values.len());
    let (scales, scales_left) = scales.split_at_mut(values.len() / SCALE_WIDTH);
    let (sums, sums_left) = sums.split_at_mut(values.len() / SUM_WIDTH);
    let mut left = [0.0_f32; SCALE_WIDTH];
    for (block, values) in values.chunks_exact(SCALE_WIDTH).enumerate() {
        let mut largest = [0.0_f32; SUM_WIDTH];
        for values in values.chunks_exact(SUM_WIDTH) {
            for (largest, value) in largest.iter_mut().zip(values) {
                let size = value.abs();
                *largest = if size > *largest { size } else { *largest };
            }
        }
        let largest = largest.iter().fold(0.0_f32, |most, &size| most.max(size));
        let inverse = if largest > SMALLEST {
            LARGEST / largest
        } else {
            0.0
        };
        let at = block * SCALE_WIDTH;
        let numbers = &mut numbers[at..at + SCALE_WIDTH];
        scales[block] = largest / LARGEST;
        round_block(
            values,
            inverse,
            numbers,
            &mut sums[2 * block..2 * block + 2],
        );
        if numbers_left.is_empty() {
            continue;
        }
        // What is left is at most half a step of the scale.
        let scale = scales[block];
        for ((left, value), number) in left.iter_mut().zip(values).zip(numbers) {
            *left = value - scale * f32::from(*number);
        }
        scales_left[block] = scale / (2.0 * LARGEST);
        round_block(
            &left,
            inverse * (2.0 * LARGEST),
            &mut numbers_left[at..at + SCALE_WIDTH],
            &mut sums_left[2 * block..2 * block + 2],
        );
    }
}

/// Rounds 32 values, and adds up the numbers 16 at a time.
#[inline(always)]
fn round_block(values: &[f32], inverse: f32, numbers: &mut [i8], sums: &mut [f32]) {
    /// Adding and taking off 1.5 · 2²³ rounds to the nearest whole number, the even one of two.
    const ROUND: f32 = 12_582_912.0;
    for ((values, numbers), sum) in values
        .chunks_exact(SUM_WIDTH)
        .zip(numbers.chunks_exact_mut(SUM_WIDTH))
        .zip(sums)
    {
        let mut total = 0_i32;
        for (value, number) in values.iter().zip(numbers) {
            let rounded = (value * inverse + ROUND) - ROUND;
            // What is no number becomes zero.
            let whole = rounded as i32;
            *number = whole as i8;
            total += whole;
        }
        *sum = total as f32;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::team::Team;

    fn quantized(isa: Isa, precision: Precision, values: &[f32], columns: usize) -> QuantizedRows {
        let team = Team::new(NonZeroUsize::MIN).unwrap();
        let mut rows = QuantizedRows::default();
        rows.quantize(&team.lead(), isa, precision, values, columns);
        rows
    }

    #[test]
    fn values_come_back_within_half_a_step() {
        let values: Vec<f32> = (0..256)
            .map(|i| (i as f32 * 0.7).sin() * (i % 37) as f32)
            .collect();
        for (isa, precision) in Isa::available()
            .into_iter()
            .flat_map(|isa| [Precision::Bits8, Precision::Bits15].map(|precision| (isa, precision)))
        {
            let rows = quantized(isa, precision, &values, 64);
            for (index, value) in values.iter().enumerate() {
                let parts = (0..precision.parts()).map(|part| {
                    let row = rows.row(index / 64 * precision.parts() + part, 64);
                    let scale = row.scales[index % 64 / SCALE_WIDTH];
                    (f32::from(row.numbers[index % 64]) * scale, scale)
                });
                let (back, step) =
                    parts.fold((0.0, 0.0), |sum, (part, scale)| (sum.0 + part, scale));
                // The second step is near the resolution of the values themselves.
                assert!(
                    (back - value).abs() <= step * 0.5001 + value.abs() * f32::EPSILON,
                    "{isa:?} {precision:?} {back} {value}"
                );
            }
            for (sum, numbers) in rows.sums.iter().zip(rows.numbers.chunks(SUM_WIDTH)) {
                let expected: i32 = numbers.iter().map(|&number| i32::from(number)).sum();
                assert!((sum - expected as f32).abs() < f32::EPSILON);
            }
        }
    }

    #[test]
    fn zeros_and_what_is_no_number_do_not_spoil_the_rest() {
        let mut values = vec![0.0; 96];
        values[3] = f32::NAN;
        values[40] = 2.0;
        values[70] = 1e-40;
        let rows = quantized(Isa::detect(), Precision::Bits15, &values, 96);
        let at = |index: usize| (rows.numbers[index], rows.numbers[96 + index]);
        assert_eq!([at(3), at(40), at(70)], [(0, 0), (127, 0), (0, 0)]);
    }
}
