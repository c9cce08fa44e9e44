//! Products of floats with a panel of 16 columns: weights, or keys and values of attention.
//!
//! Each row's products are added up one after another, so that a row's result does not depend on
//! the rows beside it.

use half::{bf16, f16};

use crate::int8::{TILE_ROWS, Tile};
use crate::isa::Isa;
use crate::lanes::{LANES, Plain};

/// What panels are stored as.
pub trait Element: Plain {
    /// The same number in single precision.
    fn widen(self) -> f32;

    /// # Safety
    ///
    /// 16 elements can be read, and the machine has AVX-512 F, BW and VL.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load512(from: *const Self) -> std::arch::x86_64::__m512;

    /// # Safety
    ///
    /// 8 elements can be read, and the machine has AVX2 and F16C.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load256(from: *const Self) -> std::arch::x86_64::__m256;
}

/// Adds to the values in `tile` the products of up to [`TILE_ROWS`] rows with a panel:
/// `tile[r][lane] += Σ rows[r][i] · panel[i][lane]`.
///
/// # Panics
///
/// Where a row has more values than the panel has rows of lanes.
pub(crate) fn accumulate<E: Element>(isa: Isa, panel: &[E], rows: &[&[f32]], tile: &mut Tile) {
    assert!(rows.len() <= TILE_ROWS, "too many rows for a tile");
    let Some(first) = rows.first() else { return };
    let length = first.len();
    assert!(
        rows.iter().all(|row| row.len() == length),
        "rows of one length"
    );
    assert!(panel.len() >= length * LANES, "a panel that is too short");
    match isa {
        // SAFETY: the machine has what `isa` says, and the lengths were compared above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(length, panel, rows, tile) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(length, panel, rows, tile) },
        _ => {
            for (row, out) in rows.iter().zip(tile) {
                for (value, weights) in row.iter().zip(panel.chunks_exact(LANES)) {
                    for (out, weight) in out.iter_mut().zip(weights) {
                        *out += value * weight.widen();
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
unsafe fn avx512<E: Element>(length: usize, panel: &[E], rows: &[&[f32]], tile: &mut Tile) {
    // SAFETY: the caller's promises, and so many rows.
    unsafe {
        match rows.len() {
            0 => {}
            1 => avx512_rows::<E, 1>(length, panel, rows, tile),
            2 => avx512_rows::<E, 2>(length, panel, rows, tile),
            3 => avx512_rows::<E, 3>(length, panel, rows, tile),
            4 => avx512_rows::<E, 4>(length, panel, rows, tile),
            5 => avx512_rows::<E, 5>(length, panel, rows, tile),
            6 => avx512_rows::<E, 6>(length, panel, rows, tile),
            7 => avx512_rows::<E, 7>(length, panel, rows, tile),
            _ => avx512_rows::<E, 8>(length, panel, rows, tile),
        }
    }
}

/// # Safety
///
/// `panel` has `length` times 16 elements, and there are `ROWS` rows of `length` values.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
unsafe fn avx512_rows<E: Element, const ROWS: usize>(
    length: usize,
    panel: &[E],
    rows: &[&[f32]],
    tile: &mut Tile,
) {
    use std::arch::x86_64::{
        _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };
    let mut totals = [_mm512_setzero_ps(); ROWS];
    // SAFETY: reads and writes stay within panel, rows and tile: the caller's promise.
    unsafe {
        for row in 0..ROWS {
            totals[row] = _mm512_loadu_ps(tile[row].as_ptr());
        }
        for index in 0..length {
            let weights = E::load512(panel.as_ptr().add(index * LANES));
            for row in 0..ROWS {
                let value = _mm512_set1_ps(*rows[row].as_ptr().add(index));
                totals[row] = _mm512_fmadd_ps(weights, value, totals[row]);
            }
        }
        for row in 0..ROWS {
            _mm512_storeu_ps(tile[row].as_mut_ptr(), totals[row]);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2<E: Element>(length: usize, panel: &[E], rows: &[&[f32]], tile: &mut Tile) {
    /// Two sums of eight lanes each a row: more rows do not fit into the registers.
    const AT_ONCE: usize = 4;
    for (rows, tile) in rows.chunks(AT_ONCE).zip(tile.chunks_mut(AT_ONCE)) {
        // SAFETY: the caller's promises, and so many rows.
        unsafe {
            match rows.len() {
                1 => avx2_rows::<E, 1>(length, panel, rows, tile),
                2 => avx2_rows::<E, 2>(length, panel, rows, tile),
                3 => avx2_rows::<E, 3>(length, panel, rows, tile),
                _ => avx2_rows::<E, 4>(length, panel, rows, tile),
            }
        }
    }
}

/// # Safety
///
/// As for [`avx512_rows`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2_rows<E: Element, const ROWS: usize>(
    length: usize,
    panel: &[E],
    rows: &[&[f32]],
    tile: &mut [[f32; LANES]],
) {
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    const HALF: usize = LANES / 2;
    let mut totals = [[_mm256_setzero_ps(); 2]; ROWS];
    // SAFETY: reads and writes stay within panel, rows and tile: the caller's promise.
    unsafe {
        for row in 0..ROWS {
            for half in 0..2 {
                totals[row][half] = _mm256_loadu_ps(tile[row].as_ptr().add(half * HALF));
            }
        }
        for index in 0..length {
            let at = panel.as_ptr().add(index * LANES);
            let weights = [E::load256(at), E::load256(at.add(HALF))];
            for row in 0..ROWS {
                let value = _mm256_set1_ps(*rows[row].as_ptr().add(index));
                for half in 0..2 {
                    totals[row][half] = _mm256_fmadd_ps(weights[half], value, totals[row][half]);
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

impl Element for f32 {
    fn widen(self) -> f32 {
        self
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load512(from: *const Self) -> std::arch::x86_64::__m512 {
        // SAFETY: the caller's promise.
        unsafe { std::arch::x86_64::_mm512_loadu_ps(from) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load256(from: *const Self) -> std::arch::x86_64::__m256 {
        // SAFETY: the caller's promise.
        unsafe { std::arch::x86_64::_mm256_loadu_ps(from) }
    }
}

impl Element for f16 {
    fn widen(self) -> f32 {
        self.to_f32()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load512(from: *const Self) -> std::arch::x86_64::__m512 {
        use std::arch::x86_64::{_mm256_loadu_si256, _mm512_cvtph_ps};
        // SAFETY: the caller's promise.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load256(from: *const Self) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps};
        // SAFETY: the caller's promise.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
}

impl Element for bf16 {
    fn widen(self) -> f32 {
        self.to_f32()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load512(from: *const Self) -> std::arch::x86_64::__m512 {
        use std::arch::x86_64::{
            _mm256_loadu_si256, _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_slli_epi32,
        };
        // SAFETY: the caller's promise.
        let halves = unsafe { _mm256_loadu_si256(from.cast()) };
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn load256(from: *const Self) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::{
            _mm_loadu_si128, _mm256_castsi256_ps, _mm256_cvtepu16_epi32, _mm256_slli_epi32,
        };
        // SAFETY: the caller's promise.
        let halves = unsafe { _mm_loadu_si128(from.cast()) };
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
    }
}
