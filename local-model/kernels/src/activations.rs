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

/// Rows of activations rounded to 8 bits: value ≈ scale · number, with a scale for each 32 values
/// (as GGUF's `Q8_0`, but with scales in single precision).
#[derive(Debug, Default)]
pub(crate) struct QuantizedRows {
    /// (rows, columns).
    pub(crate) numbers: Vec<i8>,
    /// (rows, columns / 32).
    pub(crate) scales: Vec<f32>,
    /// Sums of numbers, (rows, columns / 16).
    pub(crate) sums: Vec<f32>,
}

/// One row of [`QuantizedRows`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuantizedRow<'a> {
    pub(crate) numbers: &'a [i8],
    pub(crate) scales: &'a [f32],
    pub(crate) sums: &'a [f32],
}

impl QuantizedRows {
    /// Rounds rows of `columns` values each, a multiple of 32.
    pub(crate) fn quantize(&mut self, lead: &Lead<'_>, isa: Isa, rows: &[f32], columns: usize) {
        let count = rows.len() / columns;
        let (scales, sums) = (columns / SCALE_WIDTH, columns / SUM_WIDTH);
        self.numbers.resize(rows.len(), 0);
        self.scales.resize(count * scales, 0.0);
        self.sums.resize(count * sums, 0.0);
        let numbers_out = SharedSlice::new(&mut self.numbers[..rows.len()]);
        let scales_out = SharedSlice::new(&mut self.scales);
        let sums_out = SharedSlice::new(&mut self.sums);
        let quantize = |row: usize| {
            // SAFETY: each row is written by one task, and rows do not overlap.
            let (numbers, scales, sums) = unsafe {
                (
                    numbers_out.part(row * columns, columns),
                    scales_out.part(row * scales, scales),
                    sums_out.part(row * sums, sums),
                )
            };
            quantize_row(
                isa,
                &rows[row * columns..][..columns],
                numbers,
                scales,
                sums,
            );
        };
        if count < WORTH_SHARING {
            (0..count).for_each(quantize);
        } else {
            lead.run_in_runs(count, |run| run.for_each(&quantize));
        }
    }

    pub(crate) fn row(&self, row: usize, columns: usize) -> QuantizedRow<'_> {
        let (scales, sums) = (columns / SCALE_WIDTH, columns / SUM_WIDTH);
        QuantizedRow {
            numbers: &self.numbers[row * columns..][..columns],
            scales: &self.scales[row * scales..][..scales],
            sums: &self.sums[row * sums..][..sums],
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

#[inline(always)]
fn quantize_row_body(values: &[f32], numbers: &mut [i8], scales: &mut [f32], sums: &mut [f32]) {
    /// Adding and taking off 1.5 · 2²³ rounds to the nearest whole number, the even one of two.
    const ROUND: f32 = 12_582_912.0;
    let blocks = values
        .chunks_exact(SCALE_WIDTH)
        .zip(numbers.chunks_exact_mut(SCALE_WIDTH))
        .zip(
            scales
                .iter_mut()
                .zip(sums.chunks_exact_mut(SCALE_WIDTH / SUM_WIDTH)),
        );
    for ((values, numbers), (scale, sums)) in blocks {
        let mut largest = [0.0_f32; SUM_WIDTH];
        for values in values.chunks_exact(SUM_WIDTH) {
            for (largest, value) in largest.iter_mut().zip(values) {
                let size = value.abs();
                *largest = if size > *largest { size } else { *largest };
            }
        }
        let largest = largest.iter().fold(0.0_f32, |most, &size| most.max(size));
        *scale = largest / LARGEST;
        let inverse = if largest > 0.0 {
            LARGEST / largest
        } else {
            0.0
        };
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
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::team::Team;

    #[test]
    fn values_come_back_within_half_a_step() {
        let team = Team::new(NonZeroUsize::MIN).unwrap();
        let values: Vec<f32> = (0..256)
            .map(|i| (i as f32 * 0.7).sin() * (i % 37) as f32)
            .collect();
        for isa in Isa::available() {
            let mut rows = QuantizedRows::default();
            rows.quantize(&team.lead(), isa, &values, 64);
            for (index, value) in values.iter().enumerate() {
                let scale = rows.scales[index / SCALE_WIDTH];
                let back = f32::from(rows.numbers[index]) * scale;
                assert!(
                    (back - value).abs() <= scale * 0.5001,
                    "{isa:?} {back} {value}"
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
        let team = Team::new(NonZeroUsize::MIN).unwrap();
        let mut values = vec![0.0; 64];
        values[3] = f32::NAN;
        values[40] = 2.0;
        let mut rows = QuantizedRows::default();
        rows.quantize(&team.lead(), Isa::detect(), &values, 64);
        assert_eq!((rows.numbers[3], rows.numbers[40]), (0, 127));
    }
}
