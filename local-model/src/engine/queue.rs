//! The bounded queue of calls before the worker.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::generation::{Event, Finish};
use crate::error::GenerateError;
use crate::sampler::Sampler;
use crate::stop::StopFilter;
use crate::tokenizer::TokenId;

/// How long a call is taken to last before one has been measured.
const FIRST_GUESS: Duration = Duration::from_secs(5);

/// The longest that a refused client is told to wait: the guess is rough, and places come free
/// when clients go away.
const LONGEST_RETRY: Duration = Duration::from_mins(1);

/// One call, ready to be served.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) prompt: Vec<TokenId>,
    pub(super) prompt_tokens: u32,
    pub(super) max_tokens: u32,
    pub(super) sampler: Sampler,
    pub(super) filter: StopFilter<Finish>,
    /// Not bounded: it never holds more than `max_tokens` pieces, and a slow client must not stop
    /// the calls behind it. Closed when the client is gone.
    pub(super) events: UnboundedSender<Event>,
}

impl Job {
    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.events.is_closed()
    }
}

/// Calls that wait for the worker.
#[derive(Debug)]
pub(super) struct Queue {
    max_waiting: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<(u64, Job)>,
    next_id: u64,
    is_serving: bool,
    is_stopped: bool,
    /// A moving average over the calls that were served.
    call_duration: Duration,
}

/// A call's place in the queue, given up when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    queue: Arc<Queue>,
    id: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        state.waiting.retain(|(id, _)| *id != self.id);
    }
}

/// Marks the queue as serving until dropped, and measures for how long.
#[derive(Debug)]
pub(super) struct Serving<'a> {
    queue: &'a Queue,
    since: Instant,
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        state.is_serving = false;
        state.call_duration = (state.call_duration * 3 + self.since.elapsed()) / 4;
    }
}

impl Queue {
    pub(super) fn new(max_waiting: usize) -> Self {
        Self {
            max_waiting,
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                next_id: 0,
                is_serving: false,
                is_stopped: false,
                call_duration: FIRST_GUESS,
            }),
            changed: Condvar::new(),
        }
    }

    /// Adds a call, if there is a place.
    pub(super) fn push(self: &Arc<Self>, job: Job) -> Result<Ticket, GenerateError> {
        let mut state = self.state.lock();
        if state.is_stopped {
            return Err(GenerateError::Stopped);
        }
        // The call that is served does not wait; nor will the first one, which the worker has yet
        // to see.
        let ahead = state.waiting.len() + usize::from(state.is_serving);
        if ahead > self.max_waiting {
            return Err(GenerateError::QueueFull {
                retry_after: retry_after(state.call_duration),
            });
        }
        let id = state.next_id;
        state.next_id += 1;
        state.waiting.push_back((id, job));
        self.changed.notify_one();
        Ok(Ticket {
            queue: Arc::clone(self),
            id,
        })
    }

    /// Waits for the next call; `None` once the queue is stopped.
    pub(super) fn next(&self) -> Option<(Job, Serving<'_>)> {
        let mut state = self.state.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some((_, job)) = state.waiting.pop_front() {
                state.is_serving = true;
                let serving = Serving {
                    queue: self,
                    since: Instant::now(),
                };
                return Some((job, serving));
            }
            self.changed.wait(&mut state);
        }
    }

    /// Refuses further calls and lets go of those that wait.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopped = true;
        state.waiting.clear();
        self.changed.notify_all();
    }
}

/// One place comes free per call served. Whole seconds, as the header has it.
fn retry_after(call_duration: Duration) -> Duration {
    let seconds = call_duration.as_secs_f64().ceil().max(1.0);
    Duration::from_secs_f64(seconds).min(LONGEST_RETRY)
}
