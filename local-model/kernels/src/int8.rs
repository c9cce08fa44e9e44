//! Products of 8-bit activations with an unpacked panel of 16 rows.
//!
//! Within a block of columns that share scales, numbers are multiplied and added up as whole
//! numbers, exactly; blocks are added up in single precision, one after another. So a row's result
//! does not depend on the rows beside it.

use crate::activations::{QuantizedRow, SCALE_WIDTH, SUM_WIDTH};
use crate::isa::Isa;
use crate::lanes::LANES;
use crate::packed::{GROUP, Unpacked};

/// Rows that are multiplied together, so that each weight is read once for all of them.
pub(crate) const TILE_ROWS: usize = 8;

/// One value a row and lane.
pub(crate) type Tile = [[f32; LANES]; TILE_ROWS];

/// How a panel's numbers are to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    /// Columns that share a scale: 32 or 16.
    pub(crate) scale_width: usize,
    /// What is taken off each number.
    pub(crate) offset: u8,
}

/// Writes the products of up to [`TILE_ROWS`] rows to `tile`.
pub(crate) fn multiply(
    isa: Isa,
    how: Numbers,
    panel: Unpacked<'_>,
    rows: &[QuantizedRow<'_>],
    tile: &mut Tile,
) {
    let columns = panel.numbers.len() / LANES;
    // What the loops below rely on, whoever calls.
    assert!(rows.len() <= TILE_ROWS && (how.scale_width == 32 || how.scale_width == 16));
    assert!(panel.scales.len() * how.scale_width >= columns * LANES);
    assert!(panel.minimums.is_empty() || panel.minimums.len() == panel.scales.len());
    for row in rows {
        assert!(row.numbers.len() == columns && columns.is_multiple_of(SCALE_WIDTH));
        assert!(row.scales.len() * SCALE_WIDTH == columns && row.sums.len() * SUM_WIDTH == columns);
    }
    match isa {
        // SAFETY: the machine has what `isa` says, and the lengths were compared above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(how, panel, rows, tile) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(how, panel, rows, tile) },
        _ => {
            for (row, out) in rows.iter().zip(tile) {
                scalar(how, panel, *row, out);
            }
        }
    }
}

/// The reference, and what machines without vector instructions use.
fn scalar(how: Numbers, panel: Unpacked<'_>, row: QuantizedRow<'_>, out: &mut [f32; LANES]) {
    *out = [0.0; LANES];
    let groups = how.scale_width / GROUP;
    let blocks = panel.scales.chunks_exact(LANES);
    for (block, scales) in blocks.enumerate() {
        let mut dots = [0_i32; LANES];
        for group in block * groups..(block + 1) * groups {
            let activations = &row.numbers[group * GROUP..][..GROUP];
            let weights = panel.numbers[group * GROUP * LANES..].chunks_exact(GROUP);
            for (dot, weights) in dots.iter_mut().zip(weights) {
                for (&weight, &activation) in weights.iter().zip(activations) {
                    *dot += i32::from(weight) * i32::from(activation);
                }
            }
        }
        let per_sum = how.scale_width / SUM_WIDTH;
        let sum: f32 = row.sums[block * per_sum..][..per_sum].iter().sum();
        let scale = row.scales[block * how.scale_width / SCALE_WIDTH];
        for lane in 0..LANES {
            let dot = dots[lane] as f32 - f32::from(how.offset) * sum;
            let minimum = panel
                .minimums
                .get(block * LANES + lane)
                .map_or(0.0, |m| m * sum);
            out[lane] += (scales[lane] * dot - minimum) * scale;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
unsafe fn avx512(how: Numbers, panel: Unpacked<'_>, rows: &[QuantizedRow<'_>], tile: &mut Tile) {
    macro_rules! by_width {
        ($rows:literal) => {
            match (how.scale_width, panel.minimums.is_empty()) {
                // SAFETY: the caller's promises, and so many rows.
                (32, true) => unsafe { avx512_rows::<$rows, 32, false>(how, panel, rows, tile) },
                // SAFETY: as above.
                (32, false) => unsafe { avx512_rows::<$rows, 32, true>(how, panel, rows, tile) },
                // SAFETY: as above.
                _ => unsafe { avx512_rows::<$rows, 16, false>(how, panel, rows, tile) },
            }
        };
    }
    match rows.len() {
        0 => {}
        1 => by_width!(1),
        2 => by_width!(2),
        3 => by_width!(3),
        4 => by_width!(4),
        5 => by_width!(5),
        6 => by_width!(6),
        7 => by_width!(7),
        _ => by_width!(8),
    }
}

/// # Safety
///
/// The lengths fit together as [`multiply`] has compared them, there are `ROWS` rows, and `WIDTH` and
/// `MINIMUMS` say what `how` and `panel` do.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
unsafe fn avx512_rows<const ROWS: usize, const WIDTH: usize, const MINIMUMS: bool>(
    how: Numbers,
    panel: Unpacked<'_>,
    rows: &[QuantizedRow<'_>],
    tile: &mut Tile,
) {
    use std::arch::x86_64::{
        _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_fmsub_ps,
        _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps, _mm512_set1_epi32,
        _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps,
    };
    let blocks = panel.scales.len() / LANES;
    let groups = WIDTH / GROUP;
    let offset = _mm512_set1_ps(f32::from(how.offset));
    let mut totals = [_mm512_setzero_ps(); ROWS];
    let mut weights = panel.numbers.as_ptr();
    // SAFETY: reads stay within numbers, scales, minimums and sums by the lengths that were compared:
    // `blocks · groups` groups of 64 bytes, `blocks` scales of 16 lanes, and one sum a 16 columns.
    unsafe {
        for block in 0..blocks {
            let mut dots = [_mm512_setzero_si512(); ROWS];
            for group in 0..groups {
                let numbers = _mm512_loadu_si512(weights.cast());
                weights = weights.add(GROUP * LANES);
                let at = (block * groups + group) * GROUP;
                for row in 0..ROWS {
                    let activations = rows[row].numbers.as_ptr().add(at).cast::<i32>();
                    let activations = _mm512_set1_epi32(activations.read_unaligned());
                    dots[row] = _mm512_dpbusd_epi32(dots[row], numbers, activations);
                }
            }
            let scales = _mm512_loadu_ps(panel.scales.as_ptr().add(block * LANES));
            let minimums = if MINIMUMS {
                _mm512_loadu_ps(panel.minimums.as_ptr().add(block * LANES))
            } else {
                _mm512_setzero_ps()
            };
            for row in 0..ROWS {
                let sums = rows[row].sums.as_ptr();
                let sum = if WIDTH == 32 {
                    *sums.add(2 * block) + *sums.add(2 * block + 1)
                } else {
                    *sums.add(block)
                };
                let sum = _mm512_set1_ps(sum);
                let scale = *rows[row].scales.as_ptr().add(block * WIDTH / SCALE_WIDTH);
                let dot = _mm512_cvtepi32_ps(dots[row]);
                let scaled = if MINIMUMS {
                    _mm512_fmsub_ps(scales, dot, _mm512_mul_ps(minimums, sum))
                } else {
                    _mm512_mul_ps(scales, _mm512_fnmadd_ps(offset, sum, dot))
                };
                totals[row] = _mm512_fmadd_ps(scaled, _mm512_set1_ps(scale), totals[row]);
            }
        }
        for row in 0..ROWS {
            _mm512_storeu_ps(tile[row].as_mut_ptr(), totals[row]);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(how: Numbers, panel: Unpacked<'_>, rows: &[QuantizedRow<'_>], tile: &mut Tile) {
    /// Two sums of eight lanes each a row: more rows do not fit into the registers.
    const AT_ONCE: usize = 4;
    for (rows, tile) in rows.chunks(AT_ONCE).zip(tile.chunks_mut(AT_ONCE)) {
        // SAFETY: the caller's promises, and so many rows.
        unsafe {
            match rows.len() {
                1 => avx2_rows::<1>(how, panel, rows, tile),
                2 => avx2_rows::<2>(how, panel, rows, tile),
                3 => avx2_rows::<3>(how, panel, rows, tile),
                _ => avx2_rows::<4>(how, panel, rows, tile),
            }
        }
    }
}

/// # Safety
///
/// The lengths fit together as [`multiply`] has compared them, and there are `ROWS` rows.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_rows<const ROWS: usize>(
    how: Numbers,
    panel: Unpacked<'_>,
    rows: &[QuantizedRow<'_>],
    tile: &mut [[f32; LANES]],
) {
    use std::arch::x86_64::{
        __m256i, _mm256_abs_epi8, _mm256_add_epi32, _mm256_cvtepi32_ps, _mm256_fmadd_ps,
        _mm256_fmsub_ps, _mm256_fnmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16,
        _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256,
        _mm256_sign_epi8, _mm256_storeu_ps, _mm256_xor_si256,
    };
    const HALF: usize = LANES / 2;
    let blocks = panel.scales.len() / LANES;
    let groups = how.scale_width / GROUP;
    // Pairs of products of 8-bit numbers may overflow 16 bits: those numbers are made signed, and the
    // activation takes their sign. Fewer bits do not overflow.
    let is_wide = how.offset == 128;
    let offset = _mm256_set1_ps(if is_wide { 0.0 } else { f32::from(how.offset) });
    let (ones, flip) = (_mm256_set1_epi16(1), _mm256_set1_epi8(-128));
    let mut totals = [[_mm256_setzero_ps(); 2]; ROWS];
    // SAFETY: reads stay within numbers, scales, minimums and sums by the lengths that were compared.
    unsafe {
        for block in 0..blocks {
            let mut dots = [[_mm256_setzero_si256(); 2]; ROWS];
            for group in block * groups..(block + 1) * groups {
                for half in 0..2 {
                    let numbers = panel
                        .numbers
                        .as_ptr()
                        .add(group * GROUP * LANES + half * 32);
                    let numbers = _mm256_loadu_si256(numbers.cast::<__m256i>());
                    let signed = _mm256_xor_si256(numbers, flip);
                    let size = _mm256_abs_epi8(signed);
                    for row in 0..ROWS {
                        let activations = rows[row].numbers.as_ptr().add(group * GROUP);
                        let activations = activations.cast::<i32>().read_unaligned();
                        let activations = _mm256_set1_epi32(activations);
                        let pairs = if is_wide {
                            _mm256_maddubs_epi16(size, _mm256_sign_epi8(activations, signed))
                        } else {
                            _mm256_maddubs_epi16(numbers, activations)
                        };
                        let fours = _mm256_madd_epi16(pairs, ones);
                        dots[row][half] = _mm256_add_epi32(dots[row][half], fours);
                    }
                }
            }
            for row in 0..ROWS {
                let per_sum = how.scale_width / SUM_WIDTH;
                let sums = rows[row].sums.as_ptr().add(block * per_sum);
                let sum = if per_sum == 2 {
                    *sums + *sums.add(1)
                } else {
                    *sums
                };
                let sum = _mm256_set1_ps(sum);
                let scale = rows[row]
                    .scales
                    .as_ptr()
                    .add(block * how.scale_width / SCALE_WIDTH);
                let scale = _mm256_set1_ps(*scale);
                for half in 0..2 {
                    let at = block * LANES + half * HALF;
                    let scales = _mm256_loadu_ps(panel.scales.as_ptr().add(at));
                    let dot = _mm256_cvtepi32_ps(dots[row][half]);
                    let scaled = if panel.minimums.is_empty() {
                        _mm256_mul_ps(scales, _mm256_fnmadd_ps(offset, sum, dot))
                    } else {
                        let minimums = _mm256_loadu_ps(panel.minimums.as_ptr().add(at));
                        _mm256_fmsub_ps(scales, dot, _mm256_mul_ps(minimums, sum))
                    };
                    totals[row][half] = _mm256_fmadd_ps(scaled, scale, totals[row][half]);
                }
            }
        }
        for row in 0..ROWS {
            for half in 0..2 {
                _mm256_storeu_ps(tile[row].as_mut_ptr().add(half * HALF), totals[row][half]);
            }
        }
    }
}
