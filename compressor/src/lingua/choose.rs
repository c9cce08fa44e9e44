//! The best words that fit.

use super::atoms::{Atom, Force};

/// A count as a real number.
pub(super) fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// Which atoms are kept: those that must be, and the ones with the highest scores until so many tokens are spent, to
/// the nearest atom. Of equals the earlier is better.
///
/// That is a threshold at a percentile of the scores, told by what it leaves rather than by its value, so that equal
/// scores do not keep all or nothing.
pub(super) fn choose(
    atoms: &[Atom],
    scores: &[f64],
    weights: &[usize],
    budget: f64,
    drops_consecutive: bool,
) -> Vec<bool> {
    let mut kept: Vec<bool> = atoms.iter().map(|atom| atom.force.is_some()).collect();
    let mut spent: f64 = kept
        .iter()
        .zip(weights)
        .filter(|(kept, _)| **kept)
        .map(|(_, &weight)| real(weight))
        .sum();
    let score = |index: usize| scores.get(index).copied().unwrap_or(0.0);
    let mut order: Vec<usize> = (0..atoms.len()).filter(|&index| !kept[index]).collect();
    // A stable sort, so that equals stay in their order.
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    for index in order {
        let weight = real(weights.get(index).copied().unwrap_or(0));
        if spent + weight / 2.0 > budget {
            break;
        }
        spent += weight;
        kept[index] = true;
    }
    if drops_consecutive {
        drop_consecutive(atoms, &mut kept);
    }
    kept
}

/// Leaves out what is kept only as a forced string, where the last thing kept is the same string.
fn drop_consecutive(atoms: &[Atom], kept: &mut [bool]) {
    let mut last = None;
    for (atom, kept) in atoms.iter().zip(kept) {
        if !*kept {
            continue;
        }
        let string = match atom.force {
            Some(Force::String(index)) => Some(index),
            _ => None,
        };
        if string.is_some() && string == last {
            *kept = false;
        }
        last = string;
    }
}
