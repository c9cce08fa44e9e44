//! What an engine has done so far, for metrics: [`EngineStats`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::EngineFault;

/// Upper bounds of the buckets of [`Histogram`]: from an answer that seems immediate to one that
/// most clients have given up on.
pub const TTFT_BUCKETS: [Duration; 10] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
];

/// What an engine has done since it was loaded, and what it is at. Every call that was taken in is
/// served, failed, expired, cancelled, waiting or running.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineStats {
    /// Calls that came to their end.
    pub served: u64,
    /// Calls that a fault ended, or the engine's stop.
    pub failed: u64,
    /// Calls that their deadline ended.
    pub expired: u64,
    /// Calls that were given up, waiting or running.
    pub cancelled: u64,
    /// Calls that were not taken in.
    pub refused: u64,
    /// Tokens read, of prompts and of texts to score.
    pub prompt_tokens: u64,
    /// Tokens generated.
    pub generated_tokens: u64,
    /// Calls that wait.
    pub waiting: usize,
    /// Calls that run.
    pub running: usize,
    /// Bytes set aside for the keys and values of running calls: the most that these can take.
    pub cache_bytes: usize,
    /// Steps, each one pass through the weights.
    pub steps: u64,
    /// Calls that took part in a step, summed over all of them.
    pub step_sequences: u64,
    /// Calls that took part in the last step.
    pub last_batch: u64,
    /// Time spent in steps, the wait for the threads left out.
    pub busy: Duration,
    /// From the placing of a call to its first token.
    pub ttft: Histogram,
    /// How long loading took.
    pub load: Duration,
}

/// Durations, counted by size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// How many were at most as long as the bound of the same place in [`TTFT_BUCKETS`], and longer
    /// than the one before it.
    pub buckets: [u64; TTFT_BUCKETS.len()],
    /// How many there were, those beyond the last bound included.
    pub count: u64,
    /// Their sum.
    pub sum: Duration,
}

/// The counters behind [`EngineStats`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    served: AtomicU64,
    pub(super) failed: AtomicU64,
    expired: AtomicU64,
    pub(super) cancelled: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) prompt_tokens: AtomicU64,
    pub(super) generated_tokens: AtomicU64,
    steps: AtomicU64,
    step_sequences: AtomicU64,
    last_batch: AtomicU64,
    busy_ns: AtomicU64,
    ttft_buckets: [AtomicU64; TTFT_BUCKETS.len()],
    ttft_count: AtomicU64,
    ttft_ns: AtomicU64,
    load: Duration,
}

impl Counters {
    pub(super) fn new(load: Duration) -> Self {
        Self {
            load,
            ..Self::default()
        }
    }

    /// Counts a call that was taken in and has ended, given up ones left out.
    pub(super) fn ended(&self, fault: Option<&EngineFault>) {
        let counter = match fault {
            None => &self.served,
            Some(EngineFault::DeadlineExceeded) => &self.expired,
            Some(_) => &self.failed,
        };
        add(counter, 1);
    }

    /// Counts one step of so many sequences.
    pub(super) fn step(&self, sequences: usize, took: Duration) {
        let sequences = sequences as u64;
        add(&self.steps, 1);
        add(&self.step_sequences, sequences);
        self.last_batch.store(sequences, Ordering::Relaxed);
        add(&self.busy_ns, nanoseconds(took));
    }

    /// Counts a first token.
    pub(super) fn first_token(&self, after: Duration) {
        let bucket = TTFT_BUCKETS.partition_point(|&bound| bound < after);
        if let Some(bucket) = self.ttft_buckets.get(bucket) {
            add(bucket, 1);
        }
        add(&self.ttft_count, 1);
        add(&self.ttft_ns, nanoseconds(after));
    }

    /// All of them, with nothing waiting or running.
    pub(super) fn snapshot(&self) -> EngineStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EngineStats {
            served: read(&self.served),
            failed: read(&self.failed),
            expired: read(&self.expired),
            cancelled: read(&self.cancelled),
            refused: read(&self.refused),
            prompt_tokens: read(&self.prompt_tokens),
            generated_tokens: read(&self.generated_tokens),
            waiting: 0,
            running: 0,
            cache_bytes: 0,
            steps: read(&self.steps),
            step_sequences: read(&self.step_sequences),
            last_batch: read(&self.last_batch),
            busy: Duration::from_nanos(read(&self.busy_ns)),
            ttft: Histogram {
                buckets: self.ttft_buckets.each_ref().map(read),
                count: read(&self.ttft_count),
                sum: Duration::from_nanos(read(&self.ttft_ns)),
            },
            load: self.load,
        }
    }
}

/// Adds to a counter; nothing else is ordered by it.
pub(super) fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_tokens_fall_into_the_bucket_that_bounds_them() {
        let counters = Counters::default();
        for milliseconds in [0, 50, 51, 60_000, 60_001] {
            counters.first_token(Duration::from_millis(milliseconds));
        }
        let ttft = counters.snapshot().ttft;
        assert_eq!(ttft.buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((ttft.count, ttft.sum), (5, Duration::from_millis(120_102)));
    }
}
