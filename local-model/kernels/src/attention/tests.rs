use std::num::NonZeroUsize;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::key_values::{Forgotten, Stored};
use crate::team::Team;

fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

fn team() -> Team {
    Team::new(NonZeroUsize::new(3).unwrap()).unwrap()
}

struct Case {
    heads: usize,
    key_heads: usize,
    head_dim: usize,
    mask: Mask,
    /// (positions, (heads + 2 · key heads) · `head_dim`): queries, keys, values.
    rows: Vec<f32>,
}

impl Case {
    fn new(heads: usize, key_heads: usize, head_dim: usize, length: usize, mask: Mask) -> Self {
        let stride = (heads + 2 * key_heads) * head_dim;
        let rows = random(length * stride, 9);
        Self {
            heads,
            key_heads,
            head_dim,
            mask,
            rows,
        }
    }

    fn stride(&self) -> usize {
        (self.heads + 2 * self.key_heads) * self.head_dim
    }

    fn layout(&self) -> Layout {
        Layout {
            heads: self.heads,
            head_dim: self.head_dim,
            stride: self.stride(),
            mask: self.mask,
        }
    }

    fn append<E: Stored>(&self, to: &mut KeyValues<E>, from: usize, until: usize) {
        let stride = self.stride();
        let keys = self.heads * self.head_dim;
        let values = keys + self.key_heads * self.head_dim;
        to.append(
            &self.rows[from * stride..until * stride],
            stride,
            keys,
            values,
        );
    }

    /// Plain loops.
    fn reference(&self) -> Vec<f32> {
        let (stride, head_dim) = (self.stride(), self.head_dim);
        let length = self.rows.len() / stride;
        let mut out = Vec::new();
        for position in 0..length {
            for head in 0..self.heads {
                let key_head = head / (self.heads / self.key_heads);
                let part = |position: usize, head: usize| {
                    &self.rows[position * stride + head * head_dim..][..head_dim]
                };
                let (from, to) = self.mask.range(position, length);
                let weights: Vec<f64> = (from..to)
                    .map(|other| {
                        let keys = part(other, self.heads + key_head);
                        let pairs = part(position, head).iter().zip(keys);
                        pairs.map(|(q, k)| f64::from(q * k)).sum::<f64>().exp()
                    })
                    .collect();
                let total: f64 = weights.iter().sum();
                for dim in 0..head_dim {
                    let value = |other: usize| {
                        f64::from(part(other, self.heads + self.key_heads + key_head)[dim])
                    };
                    let sum: f64 = (from..to)
                        .zip(&weights)
                        .map(|(other, w)| w * value(other))
                        .sum();
                    out.push((sum / total) as f32);
                }
            }
        }
        out
    }

    /// In chunks of so many positions.
    fn run<E: Stored>(&self, isa: Isa, chunk: usize) -> Vec<f32> {
        let stride = self.stride();
        let length = self.rows.len() / stride;
        let mut key_values = KeyValues::<E>::new(self.key_heads, self.head_dim);
        let mut out = Vec::new();
        for from in (0..length).step_by(chunk) {
            let until = length.min(from + chunk);
            self.append(&mut key_values, from, until);
            let mut part = vec![0.0; (until - from) * self.heads * self.head_dim];
            let queries = [Queries {
                key_values: &key_values,
                count: until - from,
            }];
            let rows = &self.rows[from * stride..until * stride];
            attend_on(
                isa,
                &team().lead(),
                self.layout(),
                &queries,
                rows,
                &mut part,
            );
            out.extend(part);
            if let Mask::Window(window) = self.mask {
                key_values.forget_before((until + 1).saturating_sub(window));
            }
        }
        out
    }
}

fn assert_close(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            (got - expected).abs() < tolerance,
            "{index}: {got} {expected}"
        );
    }
}

#[test]
fn every_mask_follows_the_reference() {
    for mask in [
        Mask::Causal,
        Mask::Window(1),
        Mask::Window(37),
        Mask::Full,
        Mask::Around(20),
    ] {
        // A head dimension that is no multiple of 16 too.
        for head_dim in [24, 32] {
            let case = Case::new(6, 2, head_dim, 150, mask);
            let expected = case.reference();
            for isa in Isa::available() {
                assert_close(&case.run::<f32>(isa, 150), &expected, 1e-5);
                assert_close(&case.run::<f16>(isa, 150), &expected, 2e-3);
            }
        }
    }
}

#[test]
fn chunks_of_any_size_give_the_same_bits() {
    for mask in [Mask::Causal, Mask::Window(50)] {
        let case = Case::new(4, 1, 32, 200, mask);
        for isa in Isa::available() {
            let at_once = case.run::<f16>(isa, 200);
            for chunk in [1, 7, 64, 130] {
                assert_eq!(
                    case.run::<f16>(isa, chunk),
                    at_once,
                    "{mask:?} {isa:?} {chunk}"
                );
            }
        }
    }
}

#[test]
fn sequences_do_not_see_each_other() {
    let case = Case::new(4, 2, 16, 90, Mask::Causal);
    let stride = case.stride();
    let expected = case.run::<f16>(Isa::detect(), 90);
    let mut first = KeyValues::<f16>::new(2, 16);
    case.append(&mut first, 0, 90);
    let mut second = KeyValues::<f16>::new(2, 16);
    case.append(&mut second, 0, 31);
    let sequences = [
        Queries {
            key_values: &second,
            count: 1,
        },
        Queries {
            key_values: &first,
            count: 40,
        },
    ];
    let mut rows = case.rows[30 * stride..31 * stride].to_vec();
    rows.extend_from_slice(&case.rows[50 * stride..]);
    let mut out = vec![0.0; 41 * 64];
    attend(&team().lead(), case.layout(), &sequences, &rows, &mut out);
    assert_eq!(out[..64], expected[30 * 64..31 * 64]);
    assert_eq!(out[64..], expected[50 * 64..]);
}

#[test]
fn what_is_cut_off_can_be_written_again() {
    let case = Case::new(2, 1, 16, 130, Mask::Causal);
    let other = Case {
        rows: random(130 * case.stride(), 1),
        ..Case::new(2, 1, 16, 0, Mask::Causal)
    };
    let mut key_values = KeyValues::<f16>::new(1, 16);
    case.append(&mut key_values, 0, 70);
    other.append(&mut key_values, 70, 130);
    key_values.cut(70).unwrap();
    case.append(&mut key_values, 70, 130);
    let mut out = vec![0.0; 32];
    let queries = [Queries {
        key_values: &key_values,
        count: 1,
    }];
    let rows = &case.rows[129 * case.stride()..];
    attend(&team().lead(), case.layout(), &queries, rows, &mut out);
    assert_eq!(out, case.run::<f16>(Isa::detect(), 130)[129 * 32..]);
    assert_eq!(key_values.cut(131), Err(Forgotten { position: 131 }));
}

#[test]
fn blocks_behind_the_window_are_let_go() {
    let case = Case::new(2, 1, 16, 300, Mask::Window(100));
    let mut key_values = KeyValues::<f16>::new(1, 16);
    case.append(&mut key_values, 0, 300);
    key_values.forget_before(200);
    assert_eq!(key_values.cut(191), Err(Forgotten { position: 191 }));
    assert_eq!(key_values.cut(192), Ok(()));
    assert_eq!(KeyValues::<f16>::block_bytes(1, 16), 64 * 32 * 2);
    assert_eq!(
        KeyValues::<f16>::bytes_for(1, 16, 300, Some(100)),
        3 * 64 * 32 * 2
    );
    assert_eq!(
        KeyValues::<f16>::bytes_for(1, 16, 65, None),
        2 * 64 * 32 * 2
    );
}
