//! How weights are stored in files: GGUF's block formats, and plain floats.

use half::f16;

/// The formats that can be packed, by GGUF's names (`ggml-common.h` defines the blocks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32 weights of 4 bits, a scale.
    Q4_0,
    /// 32 weights of 4 bits, a scale and a minimum.
    Q4_1,
    /// 32 weights of 5 bits, a scale.
    Q5_0,
    /// 32 weights of 5 bits, a scale and a minimum.
    Q5_1,
    /// 32 weights of 8 bits, a scale.
    Q8_0,
    /// 256 weights of 4 bits, a scale and a minimum for each 32.
    Q4K,
    /// 256 weights of 5 bits, a scale and a minimum for each 32.
    Q5K,
    /// 256 weights of 6 bits, a scale for each 16.
    Q6K,
    /// Half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// Single precision.
    F32,
}

/// Weights of a block, for formats that have blocks of 256.
const SUPER: usize = 256;

impl Format {
    /// Weights that are stored together; a row is a whole number of such blocks.
    pub const fn block_weights(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => SUPER,
            Self::F16 | Self::Bf16 | Self::F32 => 1,
        }
    }

    /// Bytes of such a block.
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
        }
    }

    /// Bytes of `weights` weights; `None` where they are no whole number of blocks.
    pub const fn bytes(self, weights: usize) -> Option<usize> {
        if weights.is_multiple_of(self.block_weights()) {
            (weights / self.block_weights()).checked_mul(self.block_bytes())
        } else {
            None
        }
    }

    /// Bits of a quantized weight; 0 for floats.
    pub(crate) const fn bits(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q4K => 4,
            Self::Q5_0 | Self::Q5_1 | Self::Q5K => 5,
            Self::Q6K => 6,
            Self::Q8_0 => 8,
            Self::F16 | Self::Bf16 | Self::F32 => 0,
        }
    }

    /// Weights that share a scale.
    pub(crate) const fn scale_width(self) -> usize {
        match self {
            Self::Q6K => 16,
            _ => 32,
        }
    }

    /// Whether each scale comes with a minimum.
    pub(crate) const fn has_minimum(self) -> bool {
        matches!(self, Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K)
    }

    /// What is taken off a stored number before it is scaled. Numbers are stored as unsigned ones.
    pub(crate) const fn offset(self) -> u8 {
        match self {
            Self::Q4_0 => 8,
            Self::Q5_0 => 16,
            Self::Q6K => 32,
            Self::Q8_0 => 128,
            _ => 0,
        }
    }
}

/// One row's weights, taken apart: weight = scale · (number − offset) − minimum.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// One number a weight.
    pub(crate) numbers: Vec<u8>,
    /// One a [`Format::scale_width`].
    pub(crate) scales: Vec<f16>,
    /// One a scale, for formats that have them; what is taken off, so a positive one lowers.
    pub(crate) minimums: Vec<f16>,
}

impl Row {
    /// Takes the row that `bytes` holds apart.
    pub(crate) fn read(&mut self, format: Format, bytes: &[u8]) {
        self.numbers.clear();
        self.scales.clear();
        self.minimums.clear();
        for block in bytes.chunks_exact(format.block_bytes()) {
            match format {
                Format::Q4_0 | Format::Q5_0 | Format::Q8_0 => self.read_simple(format, block, 2),
                Format::Q4_1 | Format::Q5_1 => {
                    self.read_simple(format, block, 4);
                    // The file has what is added.
                    self.minimums.push(-half(block, 2));
                }
                Format::Q4K | Format::Q5K => self.read_q45k(format, block),
                Format::Q6K => self.read_q6k(block),
                Format::F16 | Format::Bf16 | Format::F32 => {}
            }
        }
    }

    /// A block of 32: scale, (minimum,) (fifth bits,) numbers; byte `i` of four-bit numbers has
    /// weight `i` below and weight `i + 16` above.
    fn read_simple(&mut self, format: Format, block: &[u8], header: usize) {
        self.scales.push(half(block, 0));
        let rest = &block[header..];
        match format.bits() {
            8 => self
                .numbers
                .extend(rest.iter().map(|&number| number ^ 0x80)),
            5 => {
                let (fifth, low) = rest.split_at(4);
                let fifth = u32::from_le_bytes([fifth[0], fifth[1], fifth[2], fifth[3]]);
                let bit = |index: usize| (((fifth >> index) & 1) as u8) << 4;
                let below = low.iter().enumerate().map(|(i, byte)| byte & 15 | bit(i));
                self.numbers.extend(below);
                let above = low.iter().enumerate();
                self.numbers
                    .extend(above.map(|(i, byte)| byte >> 4 | bit(i + 16)));
            }
            _ => {
                self.numbers.extend(rest.iter().map(|byte| byte & 15));
                self.numbers.extend(rest.iter().map(|byte| byte >> 4));
            }
        }
    }

    /// `d`, `dmin`, eight 6-bit pairs of scale and minimum, (fifth bits,) four-bit numbers.
    fn read_q45k(&mut self, format: Format, block: &[u8]) {
        let (scale, minimum) = (half(block, 0).to_f32(), half(block, 2).to_f32());
        let packed = &block[4..16];
        for index in 0..8 {
            let (s, m) = six_bit_pair(packed, index);
            self.scales.push(f16::from_f32(scale * f32::from(s)));
            self.minimums.push(f16::from_f32(minimum * f32::from(m)));
        }
        let (fifth, low) = if format == Format::Q5K {
            block[16..].split_at(32)
        } else {
            ([].as_slice(), &block[16..])
        };
        for part in 0..8 {
            let low = &low[part / 2 * 32..][..32];
            for (index, byte) in low.iter().enumerate() {
                let four = if part % 2 == 0 { byte & 15 } else { byte >> 4 };
                let bit = fifth.get(index).map_or(0, |bits| (bits >> part & 1) << 4);
                self.numbers.push(four | bit);
            }
        }
    }

    /// Low four bits, high two bits, sixteen 8-bit scales, `d`.
    fn read_q6k(&mut self, block: &[u8]) {
        let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
        let scale = half(block, 208).to_f32();
        let signed = scales.iter().map(|&s| f32::from(s.cast_signed()));
        self.scales.extend(signed.map(|s| f16::from_f32(scale * s)));
        for side in 0..2 {
            let (low, high) = (&low[side * 64..][..64], &high[side * 32..][..32]);
            for quarter in 0..4 {
                for (index, bits) in high.iter().enumerate() {
                    let byte = low[quarter % 2 * 32 + index];
                    let four = if quarter < 2 { byte & 15 } else { byte >> 4 };
                    self.numbers.push(four | (bits >> (2 * quarter) & 3) << 4);
                }
            }
        }
    }
}

fn half(block: &[u8], at: usize) -> f16 {
    f16::from_le_bytes([block[at], block[at + 1]])
}

/// Scale and minimum of the `index`th 32 weights of a `Q4_K` or `Q5_K` block, 6 bits each, in 12 bytes.
fn six_bit_pair(packed: &[u8], index: usize) -> (u8, u8) {
    if index < 4 {
        (packed[index] & 63, packed[index + 4] & 63)
    } else {
        let low = packed[index + 4];
        (
            low & 15 | packed[index - 4] >> 6 << 4,
            low >> 4 | packed[index] >> 6 << 4,
        )
    }
}
