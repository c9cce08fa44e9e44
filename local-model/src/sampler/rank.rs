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
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the form that sorting takes"
    )]
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
    lanes.iter().chain(rest).fold(
        f32::NEG_INFINITY,
        |best, &logit| {
            if logit > best { logit } else { best }
        },
    )
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
    let offset = logits[start..].iter().position(|&logit| logit >= best)?;
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

/// Keeps the `count` likeliest, which is at least one and at most all; returns the value of the last.
fn keep(found: &mut Vec<Candidate>, count: usize) -> f32 {
    let (_, last, _) = found.select_nth_unstable_by(count - 1, Candidate::order);
    let threshold = last.value;
    found.truncate(count);
    threshold
}

/// The last of the likeliest candidates that have this share, below 1, of the weight of all.
/// `weighed` is not empty; `scratch` is for its memory alone.
///
/// Each step puts the likelier half of what is in question before the other half and goes on with
/// the half in which the share is reached: linear time in all.
pub(super) fn nucleus_end(
    weighed: &[Candidate],
    share: f32,
    scratch: &mut Vec<Candidate>,
) -> Candidate {
    let whole = total(weighed);
    let target = f64::from(share) * whole;
    // All those below this weight together are less than what the nucleus leaves out, so none of
    // them is in it. In a model's distribution they are nearly all.
    let count = u32::try_from(weighed.len()).unwrap_or(u32::MAX);
    let rest = (whole - target) / f64::from(count);
    let candidates = weighed.iter().copied();
    scratch.clear();
    scratch.extend(candidates.filter(|candidate| f64::from(candidate.value) >= rest));
    let mut taken = 0.0;
    let mut open = scratch.as_mut_slice();
    while open.len() > FEW {
        let middle = open.len() / 2;
        open.select_nth_unstable_by(middle, Candidate::order);
        let likelier = total(&open[..=middle]);
        if taken + likelier >= target {
            open = &mut open[..=middle];
        } else {
            taken += likelier;
            open = &mut open[middle + 1..];
        }
    }
    open.sort_unstable_by(Candidate::order);
    let end = open.iter().find(|candidate| {
        taken += f64::from(candidate.value);
        taken >= target
    });
    end.or(open.last()).copied().unwrap_or(weighed[0])
}

/// The sum of the candidates' weights.
pub(super) fn total(weighed: &[Candidate]) -> f64 {
    weighed
        .iter()
        .map(|candidate| f64::from(candidate.value))
        .sum()
}
