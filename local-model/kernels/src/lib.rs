#![doc = include_str!("../README.md")]

mod activations;
mod attention;
mod float;
mod format;
mod int8;
mod isa;
mod key_values;
mod lanes;
mod matmul;
mod packed;
mod priority;
mod rotary;
mod rows;
mod team;

pub use activations::Precision;
pub use attention::{Layout, Mask, Queries, attend};
pub use format::Format;
pub use isa::Isa;
pub use key_values::{Forgotten, KeyValues, Stored};
pub use lanes::LANES;
pub use matmul::multiply;
pub use packed::{PackError, PackedMatrix};
pub use priority::lower_priority;
pub use rotary::{Heads, Pairing, Rotation, rotate};
pub use rows::{Activation, activate, add, add_bias, gated, layer_norm, log_sum_exp, rms_norm};
pub use team::{Lead, Team};
