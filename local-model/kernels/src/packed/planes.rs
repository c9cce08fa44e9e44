//! The numbers of quantized panels, in planes of bits.

use crate::isa::per_isa;
use crate::lanes::LANES;

/// Numbers that one instruction multiplies with those of another register and adds up in one lane.
pub(crate) const GROUP: usize = 4;
/// Columns that are packed together.
const BLOCK: usize = 32;
/// Numbers of a block of all lanes.
const BLOCK_NUMBERS: usize = BLOCK * LANES;
/// Groups of a block.
const GROUPS: usize = BLOCK / GROUP;

/// Where the number of a column lies among the numbers of its block, if each took a byte.
const fn place(lane: usize, column: usize) -> (usize, usize) {
    let group = column % BLOCK / GROUP;
    (group, lane * GROUP + column % GROUP)
}

/// Bytes of a group of all lanes.
pub(super) const GROUP_BYTES: usize = GROUP * LANES;

/// Packs one row's numbers into its lane; `out` was zero there.
pub(super) fn pack_numbers(bits: usize, lane: usize, numbers: &[u8], out: &mut [u8]) {
    if bits == 8 {
        for (group, out) in numbers
            .chunks_exact(GROUP)
            .zip(out.chunks_exact_mut(GROUP_BYTES))
        {
            out[lane * GROUP..][..GROUP].copy_from_slice(group);
        }
        return;
    }
    let block_bytes = BLOCK_NUMBERS * bits / 8;
    for (column, &number) in numbers.iter().enumerate() {
        let block = &mut out[column / BLOCK * block_bytes..][..block_bytes];
        let (group, byte) = place(lane, column);
        let half = GROUPS / 2;
        let shift = if group < half { 0 } else { 4 };
        block[group % half * GROUP_BYTES + byte] |= (number & 15) << shift;
        let high = &mut block[half * GROUP_BYTES..];
        match bits {
            5 => high[byte] |= (number >> 4) << group,
            6 => high[group / half * GROUP_BYTES + byte] |= (number >> 4) << (2 * (group % half)),
            _ => {}
        }
    }
}

/// What [`pack_numbers`] has written.
pub(super) fn number_at(bits: usize, numbers: &[u8], lane: usize, column: usize) -> u8 {
    let block_bytes = BLOCK_NUMBERS * bits / 8;
    let block = &numbers[column / BLOCK * block_bytes..][..block_bytes];
    let (group, byte) = place(lane, column);
    if bits == 8 {
        return block[group * GROUP_BYTES + byte];
    }
    let half = GROUPS / 2;
    let shift = if group < half { 0 } else { 4 };
    let low = block[group % half * GROUP_BYTES + byte] >> shift & 15;
    let high = &block[half * GROUP_BYTES..];
    match bits {
        5 => low | (high[byte] >> group & 1) << 4,
        6 => low | (high[group / half * GROUP_BYTES + byte] >> (2 * (group % half)) & 3) << 4,
        _ => low,
    }
}

per_isa! {
    /// Four-bit numbers to bytes.
    pub(super) fn unpack4(numbers: &[u8], out: &mut [u8]) = unpack4_body
}

#[inline(always)]
fn unpack4_body(numbers: &[u8], out: &mut [u8]) {
    for (block, out) in numbers
        .chunks_exact(BLOCK_NUMBERS / 2)
        .zip(out.chunks_exact_mut(BLOCK_NUMBERS))
    {
        low_planes(block, out);
    }
}

/// The low four bits of a block's numbers.
#[inline(always)]
fn low_planes(low: &[u8], out: &mut [u8]) {
    let (below, above) = out.split_at_mut(BLOCK_NUMBERS / 2);
    for ((&byte, below), above) in low.iter().zip(below).zip(above) {
        *below = byte & 15;
        *above = byte >> 4;
    }
}

per_isa! {
    /// Five-bit numbers to bytes.
    pub(super) fn unpack5(numbers: &[u8], out: &mut [u8]) = unpack5_body
}

#[inline(always)]
fn unpack5_body(numbers: &[u8], out: &mut [u8]) {
    for (block, out) in numbers
        .chunks_exact(BLOCK_NUMBERS * 5 / 8)
        .zip(out.chunks_exact_mut(BLOCK_NUMBERS))
    {
        let (low, fifth) = block.split_at(BLOCK_NUMBERS / 2);
        low_planes(low, out);
        for (group, out) in out.chunks_exact_mut(GROUP_BYTES).enumerate() {
            for (out, &bits) in out.iter_mut().zip(fifth) {
                *out |= ((bits >> group) & 1) << 4;
            }
        }
    }
}

per_isa! {
    /// Six-bit numbers to bytes.
    pub(super) fn unpack6(numbers: &[u8], out: &mut [u8]) = unpack6_body
}

#[inline(always)]
fn unpack6_body(numbers: &[u8], out: &mut [u8]) {
    for (block, out) in numbers
        .chunks_exact(BLOCK_NUMBERS * 6 / 8)
        .zip(out.chunks_exact_mut(BLOCK_NUMBERS))
    {
        let (low, high) = block.split_at(BLOCK_NUMBERS / 2);
        low_planes(low, out);
        for (group, out) in out.chunks_exact_mut(GROUP_BYTES).enumerate() {
            let half = GROUPS / 2;
            let high = &high[group / half * GROUP_BYTES..][..GROUP_BYTES];
            for (out, &bits) in out.iter_mut().zip(high) {
                *out |= ((bits >> (2 * (group % half))) & 3) << 4;
            }
        }
    }
}
