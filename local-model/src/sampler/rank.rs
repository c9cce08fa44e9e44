//! Finding the likeliest of a quarter of a million logits without sorting them.

use std::cmp::Ordering;

use crate::tokenizer::TokenId;

/// Logits that are compared at once: the loop over them becomes vector instructions.
const LANES: usize = 16;

/// Logits whose maximum is taken before any of them is looked at alone.
const BLOCK: usize = 256;

/// Below this many, candidates are put in order rather than split again.
const FEW: usize = 64;

/// A token that may be drawn, and its logit or its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: TokenId,
    pub(super) value: f32,
}

impl Candidate {
    /// The likelier first; of equal ones the lower id.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        other
            .value
            .total_cmp(&self.value)
            .then(self.token.cmp(&other.token))
    }
}

/// The highest value; negative infinity where there is none. What is not a number is left out.
pub(super) fn highest(logits: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = logits.as_chunks::<LANES>();
    for chunk in chunks {
        for (best, &logit) in lanes.iter_mut().zip(chunk) {
            // Not `f32::max`: a comparison that is false for NaN is one instruction.
            *best = if logit > *best { logit } else { *best };
        }
    }
    lanes
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |best, &logit| {
            if logit > best { logit } else { best }
        })
}

/// The index of the highest logit, the first among equals; `None` where no logit is above negative
/// infinity.
pub(super) fn likeliest(logits: &[f32]) -> Option<TokenId> {
    let mut best = f32::NEG_INFINITY;
    let mut at = None;
    for (block, number) in logits.chunks(BLOCK).zip(0..) {
        let highest = highest(block);
        if highest > best {
            best = highest;
            at = Some(number);
        }
    }
    let start = at? * BLOCK;
    let offset = logits[start..].iter().position(|&logit| logit == best)?;
    TokenId::try_from(start + offset).ok()
}

/// Puts the `count` likeliest tokens into `found`, by their ids. Logits of negative infinity and
/// those that are not numbers are never among them, so there may be fewer.
///
/// A block of logits is skipped as soon as its maximum is known not to reach the threshold, which
/// is the value of the last of the best so far.
pub(super) fn top(logits: &[f32], count: usize, found: &mut Vec<Candidate>) {
    found.clear();
    if count == 0 {
        return;
    }
    if count >= logits.len() {
        found.extend(candidates(logits, 0, f32::NEG_INFINITY));
        return;
    }
    let mut threshold = f32::NEG_INFINITY;
    for (block, start) in logits.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        // Equal ones come later in the order, for their ids are higher.
        if highest(block) > threshold {
            found.extend(candidates(block, start, threshold));
            if found.len() >= count.saturating_mul(2) {
                threshold = keep(found, count);
            }
        }
    }
    if found.len() > count {
        keep(found, count);
    }
    found.sort_unstable_by_key(|candidate| candidate.token);
}

fn candidates(logits: &[f32], start: TokenId, above: f32) -> impl Iterator<Item = Candidate> {
    (start..)
        .zip(logits)
        .filter(move |&(_, &value)| value > above)
        .map(|(token, &value)| Candidate { token, value })
}

/// Keeps the `count` likeliest, which is at least one and at most all; returns the least value.
fn keep(found: &mut Vec<Candidate>, count: usize) -> f32 {
    let (_, last, _) = found.select_nth_unstable_by(count - 1, Candidate::order);
    let least = last.value;
    found.truncate(count);
    least
}

/// The last of the likeliest candidates whose weights add up to `target`. `weighed` is not empty
/// and left in another order.
///
/// Each step puts the likelier half of what is in question before the other half and goes on with
/// the half in which the sum is reached: linear time in all.
pub(super) fn nucleus_end(weighed: &mut [Candidate], target: f64) -> Candidate {
    let mut taken = 0.0;
    let mut rest = weighed;
    while rest.len() > FEW {
        let middle = rest.len() / 2;
        rest.select_nth_unstable_by(middle, Candidate::order);
        let likelier = total(&rest[..=middle]);
        if taken + likelier >= target {
            rest = &mut rest[..=middle];
        } else {
            taken += likelier;
            rest = &mut rest[middle + 1..];
        }
    }
    rest.sort_unstable_by(Candidate::order);
    let end = rest.iter().position(|candidate| {
        taken += f64::from(candidate.value);
        taken >= target
    });
    rest[end.unwrap_or(rest.len() - 1)]
}

/// The sum of the candidates' weights.
pub(super) fn total(weighed: &[Candidate]) -> f64 {
    weighed
        .iter()
        .map(|candidate| f64::from(candidate.value))
        .sum()
}
