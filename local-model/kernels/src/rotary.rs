//! Rotary position embedding (Su et al., 2021) of queries and keys, with what comes before it.

use crate::isa::Isa;
use crate::lanes::SharedSlice;
use crate::rows::rms_norm_row;
use crate::team::Lead;

/// Which values of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// The first half with the second.
    Halves,
    /// Neighbours.
    Neighbours,
}

/// Heads that lie side by side in a row.
#[derive(Debug, Clone, Copy)]
pub struct Heads<'a> {
    /// Where the first one begins.
    pub first: usize,
    /// How many there are.
    pub count: usize,
    /// The weight of a root mean square normalisation of each head before the rotation.
    pub norm: Option<&'a [f32]>,
    /// What values are multiplied by after it.
    pub scale: f32,
}

/// How rows are rotated.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// Values of a row.
    pub stride: usize,
    /// Values of a head.
    pub head_dim: usize,
    /// Which of them are rotated together.
    pub pairing: Pairing,
    /// The ε of normalisations.
    pub epsilon: f32,
    /// Cosines, (rows, `head_dim` / 2).
    pub cos: &'a [f32],
    /// Sines, (rows, `head_dim` / 2).
    pub sin: &'a [f32],
}

/// Normalises, rotates and scales heads of each row.
///
/// # Panics
///
/// Where the shapes do not fit together.
pub fn rotate(lead: &Lead<'_>, rotation: Rotation<'_>, heads: &[Heads<'_>], rows: &mut [f32]) {
    /// Rows below which handing them over takes longer than the work.
    const WORTH_SHARING: usize = 4;
    let Rotation {
        stride, head_dim, ..
    } = rotation;
    let count = rows.len() / stride;
    let half = head_dim / 2;
    assert!(
        rotation.cos.len() == count * half && rotation.sin.len() == count * half,
        "angles"
    );
    assert!(
        heads
            .iter()
            .all(|heads| heads.first + heads.count * head_dim <= stride),
        "heads"
    );
    let isa = Isa::detect();
    let rotate_row = |index: usize, row: &mut [f32]| {
        let cos = &rotation.cos[index * half..][..half];
        let sin = &rotation.sin[index * half..][..half];
        let mut normed = vec![0.0; head_dim];
        for heads in heads {
            let part = &mut row[heads.first..][..heads.count * head_dim];
            for head in part.chunks_exact_mut(head_dim) {
                if let Some(weight) = heads.norm {
                    rms_norm_row(isa, head, weight, rotation.epsilon, &mut normed);
                    head.copy_from_slice(&normed);
                }
                rotate_head(rotation.pairing, head, cos, sin, heads.scale);
            }
        }
    };
    if count < WORTH_SHARING {
        for (index, row) in rows.chunks_exact_mut(stride).enumerate() {
            rotate_row(index, row);
        }
        return;
    }
    let shared = SharedSlice::new(rows);
    lead.run_in_runs(count, |run| {
        for index in run {
            // SAFETY: each row is rotated by one task, and rows do not overlap.
            rotate_row(index, unsafe { shared.part(index * stride, stride) });
        }
    });
}

fn rotate_head(pairing: Pairing, head: &mut [f32], cos: &[f32], sin: &[f32], scale: f32) {
    let angles = cos.iter().zip(sin);
    match pairing {
        Pairing::Halves => {
            let (first, second) = head.split_at_mut(cos.len());
            for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(angles) {
                (*a, *b) = turn(*a, *b, *cos, *sin, scale);
            }
        }
        Pairing::Neighbours => {
            for (pair, (cos, sin)) in head.chunks_exact_mut(2).zip(angles) {
                (pair[0], pair[1]) = turn(pair[0], pair[1], *cos, *sin, scale);
            }
        }
    }
}

fn turn(a: f32, b: f32, cos: f32, sin: f32, scale: f32) -> (f32, f32) {
    ((a * cos - b * sin) * scale, (a * sin + b * cos) * scale)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::team::Team;

    #[test]
    fn both_pairings_turn_the_same_pairs() {
        let team = Team::new(NonZeroUsize::new(2).unwrap()).unwrap();
        let (rows, head_dim, stride) = (9, 8, 20);
        let angles: Vec<f32> = (0..rows * 4).map(|i| i as f32 * 0.3).collect();
        let cos: Vec<f32> = angles.iter().map(|a| a.cos()).collect();
        let sin: Vec<f32> = angles.iter().map(|a| a.sin()).collect();
        let x: Vec<f32> = (0..rows * stride).map(|i| (i as f32).sin()).collect();
        let weight: Vec<f32> = (0..head_dim).map(|_| 2.0).collect();
        let run = |pairing, norm, x: &[f32]| {
            let mut out = x.to_vec();
            let rotation = Rotation {
                stride,
                head_dim,
                pairing,
                epsilon: 0.0,
                cos: &cos,
                sin: &sin,
            };
            let heads = Heads {
                first: 2,
                count: 2,
                norm,
                scale: 0.5,
            };
            rotate(&team.lead(), rotation, &[heads], &mut out);
            out
        };
        // Puts the halves of a head beside each other.
        let interleave = |x: &[f32]| {
            let mut out = x.to_vec();
            for (row, out) in x.chunks(stride).zip(out.chunks_mut(stride)) {
                for head in 0..2 {
                    let at = 2 + head * head_dim;
                    for pair in 0..4 {
                        out[at + 2 * pair] = row[at + pair];
                        out[at + 2 * pair + 1] = row[at + pair + 4];
                    }
                }
            }
            out
        };
        let halves = run(Pairing::Halves, None, &x);
        assert_eq!(
            interleave(&halves),
            run(Pairing::Neighbours, None, &interleave(&x))
        );
        let (a, b, angle) = (x[stride + 3], x[stride + 7], angles[4 + 1]);
        assert!((halves[stride + 3] - 0.5 * (a * angle.cos() - b * angle.sin())).abs() < 1e-6);
        assert_eq!(halves[..2], x[..2]);
        assert_eq!(halves[18..20], x[18..20]);
        // A turn keeps lengths: normalised heads have a root mean square of weight times scale.
        let normed = run(Pairing::Halves, Some(&weight), &x);
        let square: f32 = normed[2..10].iter().map(|x| x * x).sum();
        assert!((square - 8.0).abs() < 1e-4, "{square}");
    }
}
