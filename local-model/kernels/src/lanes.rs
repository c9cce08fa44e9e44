//! Memory that starts at the border of a cache line.

use std::fmt;

/// Weights of neighbouring rows that are multiplied together: what a 512-bit register holds of f32.
pub const LANES: usize = 16;

/// A cache line.
pub(crate) const LINE: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// Bytes in whole cache lines.
#[derive(Clone, Default)]
pub(crate) struct AlignedBytes {
    lines: Vec<Line>,
}

impl AlignedBytes {
    /// `bytes` zeros, rounded up to whole lines.
    pub(crate) fn zeroed(bytes: usize) -> Self {
        Self {
            lines: vec![Line([0; LINE]); bytes.div_ceil(LINE)],
        }
    }

    /// Makes it at least this long; what was in it may be anything.
    pub(crate) fn reserve_bytes(&mut self, bytes: usize) {
        if self.lines.len() * LINE < bytes {
            *self = Self::zeroed(bytes);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: lines are plain bytes, one after another.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * LINE) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let length = self.lines.len() * LINE;
        // SAFETY: lines are plain bytes, one after another, and borrowed by `self` alone.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), length) }
    }
}

impl fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBytes({})", self.lines.len() * LINE)
    }
}

/// Numbers that any bytes are one of.
pub trait Plain: Copy + Send + Sync {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for i32 {}
impl Plain for f32 {}
impl Plain for half::f16 {}
impl Plain for half::bf16 {}

/// `bytes` as numbers; what is over at the end is left out.
///
/// # Panics
///
/// Where the bytes do not start at a multiple of the number's size.
pub(crate) fn cast<T: Plain>(bytes: &[u8]) -> &[T] {
    assert!(bytes.as_ptr().cast::<T>().is_aligned(), "unaligned bytes");
    // SAFETY: aligned, as many as there are bytes for, and any bytes are a number.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) }
}

/// As [`cast`], to write.
pub(crate) fn cast_mut<T: Plain>(bytes: &mut [u8]) -> &mut [T] {
    assert!(bytes.as_ptr().cast::<T>().is_aligned(), "unaligned bytes");
    // SAFETY: as in `cast`, and borrowed by the caller alone.
    unsafe {
        std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len() / size_of::<T>())
    }
}

/// A slice that several threads write to, each to parts of its own.
pub(crate) struct SharedSlice<T> {
    start: *mut T,
    length: usize,
}

// SAFETY: `part` hands out parts only by the caller's promise that no two of them overlap.
unsafe impl<T: Send> Sync for SharedSlice<T> {}

impl<T> SharedSlice<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            length: slice.len(),
        }
    }

    /// The part from `from` of this length.
    ///
    /// # Safety
    ///
    /// No other part that is in use overlaps it, and the slice is still borrowed.
    ///
    /// # Panics
    ///
    /// Where the part does not lie within the slice.
    #[expect(clippy::mut_from_ref, reason = "parts do not overlap: see Safety")]
    pub(crate) unsafe fn part(&self, from: usize, length: usize) -> &mut [T] {
        assert!(
            from <= self.length && length <= self.length - from,
            "a part beyond the end"
        );
        // SAFETY: within the slice; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), length) }
    }
}
