//! What calls of a kind turn out to use, learned as they end, so that a likely cost can be reserved and not the worst.

use std::sync::Arc;

use moka::sync::Cache;
use parking_lot::Mutex;
use skinflint_policies::TenantId;

use crate::attribution::Label;

/// Calls that are alike: same tenant, model and class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    /// Who calls.
    pub tenant: TenantId,
    /// The model that is to answer.
    pub model: Arc<str>,
    /// The class of call, if the client says it.
    pub class: Option<Label>,
}

/// What is known of each kind; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Learned {
    kinds: Cache<Kind, Arc<Mutex<Lengths>>>,
}

/// A histogram of output lengths with buckets a quarter of an octave wide, in which old calls fade.
#[derive(Debug)]
struct Lengths {
    counts: [u32; BUCKETS],
    total: u32,
}

/// Covers 1 to 2²⁰ tokens, four buckets to the octave.
const BUCKETS: usize = 80;
/// The share of calls that a reservation is meant to suffice for, in percent.
const PERCENTILE: u32 = 95;
/// A seed weighs as much as so many calls: soon outvoted, but not by the first short one.
const SEED_WEIGHT: u32 = 8;
/// The 95th percentile of agent turns, in tokens, before any were seen: most are a tool call or a short text.
const SEED_TOKENS: u64 = 1_024;
/// When a histogram holds so many calls all are halved, so that the last few hundred decide.
const FADE_AT: u32 = 512;
/// Kinds that are kept; the ones not seen for longest go first, and start from the seed again.
const MAX_KINDS: u64 = 10_000;

// === impl Learned ===

impl Learned {
    /// Knows nothing but the seed.
    pub(crate) fn new() -> Self {
        Self {
            kinds: Cache::new(MAX_KINDS),
        }
    }

    /// The output, in tokens, that 95% of such calls stay within.
    pub(crate) fn likely_output(&self, kind: &Kind) -> u64 {
        match self.kinds.get(kind) {
            Some(lengths) => lengths.lock().percentile(),
            None => SEED_TOKENS,
        }
    }

    /// Takes in how long an answer was, in tokens.
    pub(crate) fn learn(&self, kind: &Kind, output: u64) {
        let lengths = self
            .kinds
            .get_with_by_ref(kind, || Arc::new(Mutex::new(Lengths::seeded())));
        lengths.lock().add(output, 1);
    }
}

// === impl Lengths ===

impl Lengths {
    fn seeded() -> Self {
        let mut lengths = Self {
            counts: [0; BUCKETS],
            total: 0,
        };
        lengths.add(SEED_TOKENS, SEED_WEIGHT);
        lengths
    }

    fn add(&mut self, tokens: u64, weight: u32) {
        self.counts[bucket(tokens)] += weight;
        self.total += weight;
        if self.total >= FADE_AT {
            for count in &mut self.counts {
                *count /= 2;
            }
            self.total = self.counts.iter().sum();
        }
    }

    fn percentile(&self) -> u64 {
        let wanted = (self.total * PERCENTILE).div_ceil(100);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper_edge(index);
            }
        }
        SEED_TOKENS
    }
}

/// The bucket of a length: the octave, and the quarter within it.
fn bucket(tokens: u64) -> usize {
    let tokens = tokens.max(1);
    let octave = tokens.ilog2();
    let quarter = (u128::from(tokens) * 4) >> octave;
    let index = octave as usize * 4 + usize::try_from(quarter).unwrap_or(4) - 4;
    index.min(BUCKETS - 1)
}

/// The largest length that falls into a bucket.
fn upper_edge(bucket: usize) -> u64 {
    let (octave, quarter) = (bucket / 4, bucket as u64 % 4);
    ((quarter + 5) << octave)
        .div_ceil(4)
        .saturating_sub(1)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind() -> Kind {
        Kind {
            tenant: TenantId::parse("acme").unwrap(),
            model: "big".into(),
            class: None,
        }
    }

    #[test]
    fn buckets_hold_what_they_are_said_to() {
        for tokens in (1..5_000).chain([100_000, 1 << 19]) {
            let edge = upper_edge(bucket(tokens));
            assert!(edge >= tokens, "{tokens} lies in the bucket up to {edge}");
            assert!(
                edge <= tokens + tokens / 2 + 1,
                "{tokens} is not near {edge}"
            );
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(bucket(0), 0);
    }

    #[test]
    fn the_seed_is_soon_outvoted() {
        let learned = Learned::new();
        assert_eq!(learned.likely_output(&kind()), SEED_TOKENS);
        for _ in 0..200 {
            learned.learn(&kind(), 100);
        }
        let likely = learned.likely_output(&kind());
        assert!((100..200).contains(&likely), "{likely}");
    }

    #[test]
    fn one_long_answer_in_ten_is_reserved_for_and_one_in_a_hundred_is_not() {
        for (every, expected) in [(10, true), (100, false)] {
            let learned = Learned::new();
            for number in 0..400 {
                learned.learn(&kind(), if number % every == 0 { 8_000 } else { 100 });
            }
            assert_eq!(learned.likely_output(&kind()) >= 8_000, expected, "{every}");
        }
    }

    #[test]
    fn old_calls_fade() {
        let learned = Learned::new();
        for _ in 0..2_000 {
            learned.learn(&kind(), 10_000);
        }
        for _ in 0..1_500 {
            learned.learn(&kind(), 50);
        }
        assert!(learned.likely_output(&kind()) < 100);
    }
}
