use std::num::NonZeroUsize;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::planes::GROUP_BYTES;
use super::*;
use crate::team::Team;

const QUANTIZED: [Format; 8] = [
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q8_0,
    Format::Q4K,
    Format::Q5K,
    Format::Q6K,
];

/// Any bytes are a matrix, but for scales that are no numbers.
pub(crate) fn random_bytes(format: Format, weights: usize, seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut bytes = vec![0; format.bytes(weights).unwrap()];
    random.fill(bytes.as_mut_slice());
    let half_at = |block: &mut [u8], at: usize, value: f32| {
        block[at..at + 2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
    };
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        let scale = random.random_range(0.001..0.02);
        match format {
            Format::Q6K => half_at(block, 208, scale / 50.0),
            Format::F16 => half_at(block, 0, scale * 20.0),
            Format::Bf16 => block.copy_from_slice(&bf16::from_f32(scale * 20.0).to_le_bytes()),
            Format::F32 => block.copy_from_slice(&(scale * 20.0).to_le_bytes()),
            Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => {
                half_at(block, 0, scale);
                half_at(block, 2, -scale * 7.0);
            }
            _ => half_at(block, 0, scale),
        }
    }
    bytes
}

fn team() -> Team {
    Team::new(NonZeroUsize::new(2).unwrap()).unwrap()
}

#[test]
fn rows_come_back_as_they_were_taken_apart() {
    for format in QUANTIZED {
        let (rows, columns) = (19, 512);
        let bytes = random_bytes(format, rows * columns, 7);
        let packed = PackedMatrix::pack(&team().lead(), format, rows, columns, &bytes).unwrap();
        let mut out = vec![0.0; columns];
        let mut row = Row::default();
        for index in 0..rows {
            packed.read_row(index, &mut out);
            let size = format.bytes(columns).unwrap();
            row.read(format, &bytes[index * size..][..size]);
            for (column, got) in out.iter().enumerate() {
                let scale = column / format.scale_width();
                let number = f32::from(row.numbers[column]) - f32::from(format.offset());
                let minimum = row
                    .minimums
                    .get(scale)
                    .map_or(0.0, |minimum| minimum.to_f32());
                let expected = row.scales[scale].to_f32() * number - minimum;
                assert!((got - expected).abs() < 1e-6, "{format:?} {index} {column}");
            }
        }
    }
}

#[test]
fn unpacking_gives_the_packed_numbers_on_every_machine() {
    for format in QUANTIZED {
        let (rows, columns) = (16, 256);
        let bytes = random_bytes(format, rows * columns, 3);
        let packed = PackedMatrix::pack(&team().lead(), format, rows, columns, &bytes).unwrap();
        let mut row = Row::default();
        for isa in Isa::available() {
            packed.with_unpacked(isa, 0, |unpacked| {
                for lane in 0..rows {
                    let size = format.bytes(columns).unwrap();
                    row.read(format, &bytes[lane * size..][..size]);
                    for (column, &number) in row.numbers.iter().enumerate() {
                        let at = column / GROUP * GROUP_BYTES + lane * GROUP + column % GROUP;
                        assert_eq!(unpacked.numbers[at], number, "{format:?} {isa:?}");
                    }
                }
            });
        }
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let team = team();
    let pack = |format, rows, columns, bytes: usize| {
        PackedMatrix::pack(&team.lead(), format, rows, columns, &vec![0; bytes])
            .map(|packed| packed.bytes())
            .map_err(|error| error.to_string())
    };
    assert_eq!(pack(Format::Q8_0, 16, 32, 16 * 34), Ok(16 * 34 + 32));
    assert_eq!(
        pack(Format::Q8_0, 16, 32, 100),
        Err("100 bytes are no 16 x 32 matrix of Q8_0".to_owned())
    );
    assert!(pack(Format::Q4K, 1, 32, 18).is_err());
    assert!(pack(Format::F32, 0, 32, 0).is_err());
}
