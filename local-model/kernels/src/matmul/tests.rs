use std::num::NonZeroUsize;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::packed::tests::random_bytes;
use crate::team::Team;

const FORMATS: [Format; 11] = [
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q8_0,
    Format::Q4K,
    Format::Q5K,
    Format::Q6K,
    Format::F16,
    Format::Bf16,
    Format::F32,
];

fn activations(count: usize) -> Vec<f32> {
    let mut random = StdRng::seed_from_u64(5);
    (0..count).map(|_| random.random_range(-3.0..3.0)).collect()
}

fn reference(matrix: &PackedMatrix, x: &[f32]) -> Vec<f32> {
    let mut weights = vec![0.0; matrix.columns()];
    let mut out = vec![0.0; x.len() / matrix.columns() * matrix.rows()];
    for row in 0..matrix.rows() {
        matrix.read_row(row, &mut weights);
        for (index, x) in x.chunks_exact(matrix.columns()).enumerate() {
            let sum: f64 = x.iter().zip(&weights).map(|(x, w)| f64::from(x * w)).sum();
            out[index * matrix.rows() + row] = sum as f32;
        }
    }
    out
}

fn spread(values: &[f32]) -> f32 {
    let squares: f32 = values.iter().map(|value| value * value).sum();
    (squares / values.len() as f32).sqrt()
}

#[test]
fn every_format_on_every_machine_follows_the_reference() {
    let team = Team::new(NonZeroUsize::new(2).unwrap()).unwrap();
    let lead = team.lead();
    for format in FORMATS {
        // Neither number of rows is a multiple of a tile or a panel.
        let (rows, columns) = (37, 768);
        let bytes = random_bytes(format, rows * columns, 11);
        let matrix = PackedMatrix::pack(&lead, format, rows, columns, &bytes).unwrap();
        let x = activations(11 * columns);
        let expected = reference(&matrix, &x);
        let mut of_scalar = vec![0.0; expected.len()];
        multiply_on(
            Isa::Scalar,
            &lead,
            Precision::Bits8,
            &x,
            &[&matrix],
            &mut of_scalar,
        );
        let spread_of_expected = spread(&expected);
        for isa in Isa::available() {
            let mut got = vec![0.0; expected.len()];
            multiply_on(isa, &lead, Precision::Bits8, &x, &[&matrix], &mut got);
            // Activations are rounded to 8 bits: an error of about 1/300 of each, which add up as noise.
            let tolerance = spread_of_expected * if matrix.is_quantized() { 0.02 } else { 1e-4 };
            let mut fine = vec![0.0; expected.len()];
            multiply_on(isa, &lead, Precision::Bits15, &x, &[&matrix], &mut fine);
            for (fine, expected) in fine.iter().zip(&expected) {
                let difference = (fine - expected).abs();
                assert!(
                    difference < spread_of_expected * 2e-4,
                    "{format:?} {isa:?} {fine} {expected}"
                );
            }
            for ((got, expected), scalar) in got.iter().zip(&expected).zip(&of_scalar) {
                assert!(
                    (got - expected).abs() < tolerance,
                    "{format:?} {isa:?} {got} {expected}"
                );
                // The scalar code multiplies the same whole numbers.
                assert!(
                    (got - scalar).abs() < tolerance * 0.01,
                    "{format:?} {isa:?} {got} {scalar}"
                );
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_those_beside_it() {
    let team = Team::new(NonZeroUsize::new(2).unwrap()).unwrap();
    let lead = team.lead();
    for format in FORMATS {
        let (rows, columns) = (48, 256);
        let bytes = random_bytes(format, rows * columns, 2);
        let matrix = PackedMatrix::pack(&lead, format, rows, columns, &bytes).unwrap();
        let x = activations(13 * columns);
        for isa in Isa::available() {
            for precision in [Precision::Bits8, Precision::Bits15] {
                let mut together = vec![0.0; 13 * rows];
                multiply_on(isa, &lead, precision, &x, &[&matrix], &mut together);
                for (x, together) in x.chunks(columns).zip(together.chunks(rows)) {
                    let mut alone = vec![0.0; rows];
                    multiply_on(isa, &lead, precision, x, &[&matrix], &mut alone);
                    assert_eq!(alone, together, "{format:?} {isa:?} {precision:?}");
                }
            }
        }
    }
}

#[test]
fn several_matrices_stand_side_by_side() {
    let team = Team::new(NonZeroUsize::new(2).unwrap()).unwrap();
    let lead = team.lead();
    let columns = 64;
    let matrix = |format: Format, rows: usize| {
        let bytes = random_bytes(format, rows * columns, rows as u64);
        PackedMatrix::pack(&lead, format, rows, columns, &bytes).unwrap()
    };
    let (a, b, c) = (
        matrix(Format::Q8_0, 20),
        matrix(Format::F16, 5),
        matrix(Format::Q5_0, 32),
    );
    let x = activations(3 * columns);
    let mut together = vec![0.0; 3 * 57];
    multiply(&lead, Precision::Bits8, &x, &[&a, &b, &c], &mut together);
    for (row, together) in together.chunks(57).enumerate() {
        let mut from = 0;
        for matrix in [&a, &b, &c] {
            let mut alone = vec![0.0; matrix.rows()];
            multiply(
                &lead,
                Precision::Bits8,
                &x[row * columns..][..columns],
                &[matrix],
                &mut alone,
            );
            assert_eq!(alone, together[from..from + matrix.rows()]);
            from += matrix.rows();
        }
    }
}
