use std::num::NonZeroUsize;

use super::*;
use crate::team::Team;

fn team() -> Team {
    Team::new(NonZeroUsize::new(2).unwrap()).unwrap()
}

fn values(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| (i as f32 * 0.37).sin() * 3.0 + 0.2)
        .collect()
}

fn assert_close(got: &[f32], expected: impl IntoIterator<Item = f64>) {
    for (index, (&got, expected)) in got.iter().zip(expected).enumerate() {
        let tolerance = 1e-5 * (1.0 + expected.abs());
        assert!(
            (f64::from(got) - expected).abs() < tolerance,
            "{index}: {got} {expected}"
        );
    }
}

#[test]
fn exponentials_are_right_over_the_whole_range() {
    for step in -880..=880 {
        let x = step as f32 * 0.1;
        let (got, expected) = (exp(x), x.exp());
        assert!(
            (got - expected).abs() <= 3e-7 * expected || x < -87.0,
            "{x}: {got} {expected}"
        );
    }
    assert!(exp(f32::NEG_INFINITY).abs() < f32::MIN_POSITIVE);
    assert!(exp(f32::INFINITY).is_finite());
}

#[test]
fn activations_follow_their_formulas() {
    let x: Vec<f32> = (-200..200).map(|i| i as f32 * 0.05).collect();
    for isa in Isa::available() {
        let run = |activation| {
            let mut out = x.clone();
            activate_row(isa, activation, &mut out);
            out
        };
        let wide = x.iter().map(|&x| f64::from(x));
        assert_close(
            &run(Activation::Silu),
            wide.clone().map(|x| x / (1.0 + (-x).exp())),
        );
        assert_close(
            &run(Activation::GeluTanh),
            wide.clone().map(|x| {
                let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + u.tanh())
            }),
        );
        // The error function by its integral, in small steps.
        let erf = |z: f64| {
            let steps = 2000;
            let width = z / f64::from(steps);
            let inner: f64 = (0..steps)
                .map(|i| (-((f64::from(i) + 0.5) * width).powi(2)).exp() * width)
                .sum();
            inner * 2.0 / std::f64::consts::PI.sqrt()
        };
        assert_close(
            &run(Activation::GeluErf),
            wide.map(|x| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2))),
        );
    }
}

#[test]
fn norms_follow_their_formulas() {
    // Enough rows that they are shared out.
    let (rows, width) = (600, 40);
    let x = values(rows * width);
    let weight = values(width);
    let bias: Vec<f32> = weight.iter().map(|w| w * 0.5 - 1.0).collect();
    let mut out = vec![0.0; x.len()];
    rms_norm(&team().lead(), &x, &weight, 1e-6, &mut out);
    let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let by_row = wide.chunks(width);
    assert_close(
        &out,
        by_row.clone().flat_map(|row| {
            let mean = row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64;
            let scaled = row.iter().zip(&weight);
            scaled.map(move |(x, &w)| x / (mean + 1e-6).sqrt() * f64::from(w))
        }),
    );
    let normed = out.clone();
    let mut residual = x.clone();
    add(
        &team().lead(),
        &mut residual,
        &x,
        width,
        Some((&weight, 1e-6)),
    );
    let sums = x.iter().zip(&normed);
    assert_close(&residual, sums.map(|(x, n)| f64::from(*x) + f64::from(*n)));

    layer_norm(&team().lead(), &x, &weight, Some(&bias), 1e-5, &mut out);
    assert_close(
        &out,
        by_row.flat_map(|row| {
            let count = row.len() as f64;
            let mean = row.iter().sum::<f64>() / count;
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            let scaled = row.iter().zip(weight.iter().zip(&bias));
            scaled.map(move |(x, (&w, &b))| {
                (x - mean) / (variance + 1e-5).sqrt() * f64::from(w) + f64::from(b)
            })
        }),
    );
}

#[test]
fn a_gate_takes_the_first_half_of_a_row() {
    let width = 24;
    let x = values(2 * width * 3);
    let mut out = vec![0.0; width * 3];
    gated(&team().lead(), Activation::Silu, &x, width, &mut out);
    let expected = x.chunks(2 * width).flat_map(|row| {
        let (gate, up) = row.split_at(width);
        let pairs = gate.iter().zip(up);
        pairs.map(|(&g, &u)| f64::from(g) / (1.0 + f64::from(-g).exp()) * f64::from(u))
    });
    assert_close(&out, expected);
}

#[test]
fn the_logarithm_of_a_sum_of_exponentials() {
    let x = values(1003);
    let expected = x.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
    assert!((f64::from(log_sum_exp(&x)) - expected).abs() < 1e-5);
    assert!((log_sum_exp(&[1000.0, 1000.0]) - 1000.6931).abs() < 1e-3);
}
