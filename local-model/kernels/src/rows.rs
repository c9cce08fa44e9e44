//! What is done to each row of activations between the products.

use crate::isa::{Isa, per_isa};
use crate::lanes::{LANES, SharedSlice};
use crate::team::Lead;

/// Values below which rows are not worth handing to other threads: some ten microseconds of work.
const WORTH_SHARING: usize = 16 * 1024;

/// Calls `work` with the number of each row and its part of `out`, on all threads where there is
/// enough to do. `cost` is how many values a row takes the time of.
fn each_row(
    lead: &Lead<'_>,
    out: &mut [f32],
    width: usize,
    cost: usize,
    work: impl Fn(usize, &mut [f32]) + Sync,
) {
    let count = out.len() / width;
    if count * cost < WORTH_SHARING {
        for (index, out) in out.chunks_exact_mut(width).enumerate() {
            work(index, out);
        }
        return;
    }
    let shared = SharedSlice::new(out);
    lead.run_in_runs(count, |run| {
        for index in run {
            // SAFETY: each row is written by one task, and rows do not overlap.
            work(index, unsafe { shared.part(index * width, width) });
        }
    });
}

/// Root mean square normalisation (Zhang and Sennrich, 2019) of rows as wide as `weight`:
/// `out = x / √(mean(x²) + ε) · weight`.
///
/// # Panics
///
/// Where the lengths do not fit together.
pub fn rms_norm(lead: &Lead<'_>, x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let width = weight.len();
    assert!(
        x.len() == out.len() && x.len().is_multiple_of(width),
        "rows of {width}"
    );
    let isa = Isa::detect();
    each_row(lead, out, width, width, |row, out| {
        rms_norm_row(isa, &x[row * width..][..width], weight, epsilon, out);
    });
}

per_isa! {
    pub(crate) fn rms_norm_row(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) = rms_norm_body
}

#[inline(always)]
fn rms_norm_body(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let squares = sum(x, |value| value * value);
    let scale = 1.0 / (squares / x.len() as f32 + epsilon).sqrt();
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

/// `residual += rms_norm(x)`, and where there is no weight `residual += x`.
///
/// # Panics
///
/// Where the lengths do not fit together.
pub fn add(
    lead: &Lead<'_>,
    residual: &mut [f32],
    x: &[f32],
    width: usize,
    norm: Option<(&[f32], f32)>,
) {
    assert!(
        x.len() == residual.len() && x.len().is_multiple_of(width),
        "rows of {width}"
    );
    assert!(
        norm.is_none_or(|(weight, _)| weight.len() == width),
        "a weight of {width}"
    );
    let isa = Isa::detect();
    each_row(lead, residual, width, width, |row, residual| {
        let x = &x[row * width..][..width];
        match norm {
            Some((weight, epsilon)) => add_norm_row(isa, x, weight, epsilon, residual),
            None => add_row(isa, x, residual),
        }
    });
}

per_isa! {
    fn add_row(x: &[f32], residual: &mut [f32]) = add_body
}

#[inline(always)]
fn add_body(x: &[f32], residual: &mut [f32]) {
    for (residual, x) in residual.iter_mut().zip(x) {
        *residual += x;
    }
}

per_isa! {
    fn add_norm_row(x: &[f32], weight: &[f32], epsilon: f32, residual: &mut [f32]) = add_norm_body
}

#[inline(always)]
fn add_norm_body(x: &[f32], weight: &[f32], epsilon: f32, residual: &mut [f32]) {
    let squares = sum(x, |value| value * value);
    let scale = 1.0 / (squares / x.len() as f32 + epsilon).sqrt();
    for ((residual, x), weight) in residual.iter_mut().zip(x).zip(weight) {
        *residual += x * scale * weight;
    }
}

/// Layer normalisation (Ba et al., 2016): `out = (x − mean) / √(variance + ε) · weight + bias`.
///
/// # Panics
///
/// Where the lengths do not fit together.
pub fn layer_norm(
    lead: &Lead<'_>,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    epsilon: f32,
    out: &mut [f32],
) {
    let width = weight.len();
    assert!(
        x.len() == out.len() && x.len().is_multiple_of(width),
        "rows of {width}"
    );
    assert!(
        bias.is_none_or(|bias| bias.len() == width),
        "a bias of {width}"
    );
    let isa = Isa::detect();
    each_row(lead, out, width, 2 * width, |row, out| {
        layer_norm_row(isa, &x[row * width..][..width], weight, epsilon, out);
        if let Some(bias) = bias {
            add_row(isa, bias, out);
        }
    });
}

per_isa! {
    fn layer_norm_row(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) = layer_norm_body
}

#[inline(always)]
fn layer_norm_body(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let count = x.len() as f32;
    let mean = sum(x, |value| value) / count;
    let variance = sum(x, |value| (value - mean) * (value - mean)) / count;
    let scale = 1.0 / (variance + epsilon).sqrt();
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = (x - mean) * scale * weight;
    }
}

/// Adds `bias` to each row.
///
/// # Panics
///
/// Where the rows are not as wide as the bias.
pub fn add_bias(lead: &Lead<'_>, x: &mut [f32], bias: &[f32]) {
    let width = bias.len();
    assert!(x.len().is_multiple_of(width), "rows of {width}");
    let isa = Isa::detect();
    each_row(lead, x, width, width, |_, row| add_row(isa, bias, row));
}

/// What a feed-forward layer does to each of its inner values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`.
    Silu,
    /// GELU by its tanh approximation (Hendrycks and Gimpel, 2016).
    GeluTanh,
    /// GELU by the error function.
    GeluErf,
}

/// A gated linear unit (Shazeer, 2020) over rows that have the gate's values and then the others':
/// `out = activation(gate) · up`.
///
/// # Panics
///
/// Where `x` is not twice as long as `out`.
pub fn gated(lead: &Lead<'_>, activation: Activation, x: &[f32], width: usize, out: &mut [f32]) {
    assert!(
        x.len() == 2 * out.len() && out.len().is_multiple_of(width),
        "rows of {width}"
    );
    let isa = Isa::detect();
    each_row(lead, out, width, 4 * width, |row, out| {
        let (gate, up) = x[row * 2 * width..][..2 * width].split_at(width);
        out.copy_from_slice(gate);
        activate_row(isa, activation, out);
        multiply_row(isa, up, out);
    });
}

/// `x = activation(x)`, value by value; `width` says how they are shared out.
pub fn activate(lead: &Lead<'_>, activation: Activation, x: &mut [f32], width: usize) {
    let isa = Isa::detect();
    each_row(lead, x, width, 4 * width, |_, row| {
        activate_row(isa, activation, row);
    });
}

per_isa! {
    fn multiply_row(x: &[f32], out: &mut [f32]) = multiply_body
}

#[inline(always)]
fn multiply_body(x: &[f32], out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out *= x;
    }
}

per_isa! {
    fn activate_row(activation: Activation, x: &mut [f32]) = activate_body
}

#[inline(always)]
fn activate_body(activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Silu => x.iter_mut().for_each(|x| *x /= 1.0 + exp(-*x)),
        Activation::GeluTanh => x.iter_mut().for_each(|x| *x = gelu_tanh(*x)),
        Activation::GeluErf => x.iter_mut().for_each(|x| *x = gelu_erf(*x)),
    }
}

/// `x/2 · (1 + tanh u)` is `x · sigmoid(2u)`, which needs one `exp`.
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    /// √(2/π)
    const SCALE: f32 = 0.797_884_6;
    const CUBIC: f32 = 0.044_715;
    let u = SCALE * x * (1.0 + CUBIC * x * x);
    x / (1.0 + exp(-2.0 * u))
}

/// With the error function to 1.5 · 10⁻⁷ (Abramowitz and Stegun, 1964, 7.1.26).
#[inline(always)]
fn gelu_erf(x: f32) -> f32 {
    const P: f32 = 0.327_591_1;
    const A: [f32; 5] = [
        0.254_829_6,
        -0.284_496_72,
        1.421_413_8,
        -1.453_152_1,
        1.061_405_4,
    ];
    let z = (x * std::f32::consts::FRAC_1_SQRT_2).abs();
    let t = 1.0 / (1.0 + P * z);
    let series = ((((A[4] * t + A[3]) * t + A[2]) * t + A[1]) * t + A[0]) * t;
    let erf = 1.0 - series * exp(-z * z);
    0.5 * (x + x.abs() * erf)
}

/// Makes scores probabilities, all but for the division: `x = exp(x − max)`; returns their sum.
/// Scores of −∞ become 0 exactly.
pub(crate) fn exponentials(isa: Isa, x: &mut [f32]) -> f32 {
    let mut total = 0.0;
    exponentials_into(isa, x, &mut total);
    total
}

per_isa! {
    fn exponentials_into(x: &mut [f32], total: &mut f32) = exponentials_body
}

#[inline(always)]
fn exponentials_body(x: &mut [f32], total: &mut f32) {
    let most = largest(x);
    for value in x.iter_mut() {
        *value = exp(*value - most);
    }
    *total = sum(x, |value| value);
}

/// The natural logarithm of the sum of `exp(x)`.
pub fn log_sum_exp(x: &[f32]) -> f32 {
    let mut result = 0.0;
    log_sum_exp_into(Isa::detect(), x, &mut result);
    result
}

per_isa! {
    fn log_sum_exp_into(x: &[f32], result: &mut f32) = log_sum_exp_body
}

#[inline(always)]
fn log_sum_exp_body(x: &[f32], result: &mut f32) {
    let most = largest(x);
    *result = most + sum(x, |value| exp(value - most)).ln();
}

#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, value);
        }
    }
    let most = rest.iter().copied().fold(f32::NEG_INFINITY, larger);
    lanes.iter().copied().fold(most, larger)
}

/// Adds up in 16 lanes, so that the order is the same on every machine.
#[inline(always)]
fn sum(x: &[f32], value: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += value(x);
        }
    }
    let tail: f32 = rest.iter().map(|&x| value(x)).sum();
    lanes.iter().sum::<f32>() + tail
}

/// `eˣ` to about 2 · 10⁻⁷ of itself; 0 below −87, and never infinite. By Cody and Waite's reduction
/// to |r| ≤ ln 2 / 2 and a polynomial (the coefficients of Moshier's Cephes library).
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding 1.5 · 2²³ leaves a whole number in the low bits.
    const WHOLE: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const P: [f32; 6] = [
        1.987_569_1e-4,
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        5e-1,
    ];
    let bounded = if x < 88.0 { x } else { 88.0 };
    let bounded = if bounded > -87.0 { bounded } else { -87.0 };
    let shifted = bounded * std::f32::consts::LOG2_E + WHOLE;
    let whole = shifted - WHOLE;
    let r = bounded - whole * LN_2_HIGH - whole * LN_2_LOW;
    let p = ((((P[0] * r + P[1]) * r + P[2]) * r + P[3]) * r + P[4]) * r + P[5];
    let mantissa = p * r * r + r + 1.0;
    let exponent = shifted
        .to_bits()
        .wrapping_sub(WHOLE.to_bits())
        .wrapping_add(127);
    let power = f32::from_bits(exponent << 23);
    if x < -87.0 { 0.0 } else { mantissa * power }
}

#[cfg(test)]
mod tests;
