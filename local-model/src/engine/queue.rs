//! What stands before the scheduler: calls that wait, and the room that running ones take.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

use super::clock::Clock;
use super::fair::FairQueue;
use super::job::Job;
use super::stats::{Counters, EngineStats, add};
use crate::error::{EngineFault, GenerateError};

/// How long a call is taken to last before one has been measured.
const FIRST_GUESS: Duration = Duration::from_secs(5);

/// The longest that a refused client is told to wait: the guess is rough, and places come free
/// when clients go away.
const LONGEST_RETRY: Duration = Duration::from_mins(1);

/// How much runs and waits at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Calls that wait.
    pub(super) waiting: usize,
    /// Calls that run.
    pub(super) running: usize,
    /// What the keys and values of running calls may take together, in bytes.
    pub(super) cache_bytes: usize,
}

/// Calls between their caller and the scheduler.
///
/// Whether a call may run is settled here, when it is placed and whenever another one ends: the
/// scheduler runs all that is let in. The call whose turn it is waits until its cache fits; none
/// overtakes it, or a long one would wait for ever.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    clock: Clock,
    counters: Arc<Counters>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: FairQueue<Job>,
    /// Let in, but not yet taken by the scheduler.
    admitted: Vec<Admitted>,
    /// Calls that were let in and have not ended.
    running: usize,
    /// What their caches may take.
    cache_bytes: usize,
    next_id: u64,
    is_stopped: bool,
    /// A moving average over the calls that ran.
    call_duration: Duration,
}

#[derive(Debug)]
struct Admitted {
    id: u64,
    job: Job,
    since: Instant,
}

/// A call's place in the queue, given up when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    queue: Arc<Queue>,
    id: u64,
}

/// The room that a running call takes, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    queue: Arc<Queue>,
    cache_bytes: usize,
    since: Instant,
}

/// Room that is taken by what no call runs with any more, given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    queue: Arc<Queue>,
    cache_bytes: usize,
}

// === impl Queue ===

impl Queue {
    pub(super) fn new(limits: Limits, clock: Clock, counters: Arc<Counters>) -> Self {
        Self {
            limits,
            clock,
            counters,
            state: Mutex::new(State {
                waiting: FairQueue::new(),
                admitted: Vec::new(),
                running: 0,
                cache_bytes: 0,
                next_id: 0,
                is_stopped: false,
                call_duration: FIRST_GUESS,
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Adds a call, if there is a place.
    pub(super) fn push(self: &Arc<Self>, job: Job) -> Result<Ticket, GenerateError> {
        let now = self.clock.now();
        if job.is_expired(now) {
            return Err(GenerateError::DeadlinePassed);
        }
        if job.cache_bytes > self.limits.cache_bytes {
            return Err(GenerateError::CacheOverflow {
                needed_bytes: job.cache_bytes,
                limit_bytes: self.limits.cache_bytes,
            });
        }
        if self.state.lock().waiting.len() >= self.limits.waiting {
            self.expire();
        }
        let mut state = self.state.lock();
        if state.is_stopped {
            return Err(GenerateError::Stopped);
        }
        let runs_at_once = state.waiting.is_empty() && state.has_room(&self.limits, &job);
        if !runs_at_once && state.waiting.len() >= self.limits.waiting {
            return Err(GenerateError::QueueFull {
                retry_after: retry_after(state.call_duration, state.running),
            });
        }
        let id = state.next_id;
        state.next_id += 1;
        state.waiting.push(job.tenant.clone(), id, job.cost(), job);
        state.admit(&self.limits, now);
        self.changed.notify_one();
        Ok(Ticket {
            queue: Arc::clone(self),
            id,
        })
    }

    /// The calls that were let in since the last time; with `wait`, waits for one. `None` once the
    /// queue is stopped and nothing is left to run. Ends waiting calls whose deadline has passed.
    pub(super) fn take(self: &Arc<Self>, wait: bool) -> Option<Vec<(Job, Place)>> {
        self.expire();
        let mut state = self.state.lock();
        while wait && state.admitted.is_empty() {
            if state.is_stopped {
                return None;
            }
            self.changed.wait(&mut state);
        }
        let admitted = state.admitted.drain(..);
        let with_place = |admitted: Admitted| {
            let place = Place {
                queue: Arc::clone(self),
                cache_bytes: admitted.job.cache_bytes,
                since: admitted.since,
            };
            (admitted.job, place)
        };
        Some(admitted.map(with_place).collect())
    }

    fn expire(&self) {
        let now = self.clock.now();
        let expired = {
            let mut state = self.state.lock();
            let expired = state.waiting.extract(|job| job.is_expired(now));
            if !expired.is_empty() {
                state.admit(&self.limits, now);
            }
            expired
        };
        for job in expired {
            let fault = EngineFault::DeadlineExceeded;
            self.counters.ended(Some(&fault));
            job.work.end(Some(fault));
        }
    }

    /// Refuses further calls and lets go of those that wait.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopped = true;
        let dropped = state.waiting.extract(|_| true);
        drop(state);
        self.changed.notify_all();
        add(&self.counters.failed, dropped.len() as u64);
    }

    /// As [`Queue::stop`], and lets go of calls that were let in, too: nobody takes them any more.
    pub(super) fn close(&self) {
        self.stop();
        let dropped: Vec<Admitted> = self.state.lock().admitted.drain(..).collect();
        add(&self.counters.failed, dropped.len() as u64);
    }

    /// All counters.
    pub(super) fn stats(&self) -> EngineStats {
        let (waiting, running, cache_bytes) = {
            let state = self.state.lock();
            (state.waiting.len(), state.running, state.cache_bytes)
        };
        EngineStats {
            waiting,
            running,
            cache_bytes,
            ..self.counters.snapshot()
        }
    }

    /// Takes a call out that the scheduler has not taken.
    fn cancel(&self, id: u64) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let taken_out = if let Some(at) = state.admitted.iter().position(|call| call.id == id) {
            let call = state.admitted.remove(at);
            state.give_back(call.job.cache_bytes);
            Some(call.job)
        } else {
            state.waiting.remove(id)
        };
        if taken_out.is_some() {
            state.admit(&self.limits, now);
            self.changed.notify_one();
            drop(state);
            add(&self.counters.cancelled, 1);
        }
    }
}

// === impl State ===

impl State {
    fn has_room(&self, limits: &Limits, job: &Job) -> bool {
        let left = limits.cache_bytes.saturating_sub(self.cache_bytes);
        self.running < limits.running && job.cache_bytes <= left
    }

    /// Lets in what there is room for.
    fn admit(&mut self, limits: &Limits, now: Instant) {
        while let Some(job) = self.waiting.peek()
            && self.has_room(limits, job)
            && let Some((id, job)) = self.waiting.pop()
        {
            self.running += 1;
            self.cache_bytes += job.cache_bytes;
            self.admitted.push(Admitted {
                id,
                job,
                since: now,
            });
        }
    }

    fn give_back(&mut self, cache_bytes: usize) {
        self.running -= 1;
        self.cache_bytes -= cache_bytes;
    }

    /// Counts a call that ran since then as ended.
    fn measure(&mut self, took: Duration) {
        self.call_duration = (self.call_duration * 3 + took) / 4;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.cancel(self.id);
    }
}

impl Place {
    /// Ends the call, but keeps its memory.
    pub(super) fn hold(mut self) -> Held {
        Held {
            queue: Arc::clone(&self.queue),
            cache_bytes: std::mem::take(&mut self.cache_bytes),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let queue = &*self.queue;
        let now = queue.clock.now();
        let mut state = queue.state.lock();
        state.measure(now.saturating_duration_since(self.since));
        state.give_back(self.cache_bytes);
        state.admit(&queue.limits, now);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let queue = &*self.queue;
        let mut state = queue.state.lock();
        state.cache_bytes -= self.cache_bytes;
        state.admit(&queue.limits, queue.clock.now());
        // The scheduler may be asleep: no call of its own has ended.
        queue.changed.notify_one();
    }
}

/// One place comes free per call that ends. Whole seconds, as the header has it.
fn retry_after(call_duration: Duration, running: usize) -> Duration {
    let calls = u32::try_from(running.max(1)).unwrap_or(u32::MAX);
    let seconds = (call_duration / calls).as_secs_f64().ceil().max(1.0);
    Duration::from_secs_f64(seconds).min(LONGEST_RETRY)
}
