//! The thread that runs an encoder: it takes what waits, as much as makes a good step, and answers.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use candle_core::Tensor;
use parking_lot::{Condvar, Mutex};
use skinflint_kernels::{Lead, Team, lower_priority};
use tokio::sync::oneshot;

use crate::error::{EncodeFault, EngineFault, LoadFault};
use crate::model::encoder::Encoder;
use crate::tokenizer::TokenId;

/// Tokens that go through the encoder together: enough to read each weight once for many of them,
/// few enough that other models get their turn within some tens of milliseconds.
const STEP_TOKENS: usize = 1024;

/// What a client is told to wait when the queue is full, which empties within seconds.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is made of a step's hidden states, (tokens of all texts, width): one result a text.
pub(super) type Finish = dyn Fn(&Encoder, &Lead<'_>, &Tensor, &[&[TokenId]]) -> candle_core::Result<Vec<Vec<f32>>>
    + Send
    + Sync;

/// An encoder and its thread, which ends when this is dropped.
pub(super) struct Batcher {
    queue: Arc<Queue>,
}

struct Queue {
    max_texts: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    is_stopped: bool,
}

struct Job {
    tokens: Vec<TokenId>,
    /// Closed when nobody waits any more.
    reply: oneshot::Sender<Result<Vec<f32>, EngineFault>>,
}

/// A result that is being computed; dropping it gives it up.
pub(super) type Pending = oneshot::Receiver<Result<Vec<f32>, EngineFault>>;

impl Batcher {
    /// Starts the thread.
    pub(super) fn start(
        team: Arc<Team>,
        encoder: Arc<Encoder>,
        finish: Box<Finish>,
        name: &str,
        max_texts: usize,
    ) -> Result<Self, LoadFault> {
        let queue = Arc::new(Queue {
            max_texts,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let worker = Worker {
            team,
            encoder,
            finish,
            queue: Arc::clone(&queue),
        };
        thread::Builder::new()
            .name(format!("encode-{name}"))
            .spawn(move || worker.run())
            .map_err(LoadFault::Thread)?;
        Ok(Self { queue })
    }

    /// Queues texts, all or none; each has tokens.
    pub(super) fn submit(&self, texts: Vec<Vec<TokenId>>) -> Result<Vec<Pending>, EncodeFault> {
        let mut state = self.queue.state.lock();
        if state.is_stopped {
            return Err(EncodeFault::Engine(EngineFault::Stopped));
        }
        // A call that finds nobody waiting is never too large.
        if !state.waiting.is_empty() && state.waiting.len() + texts.len() > self.queue.max_texts {
            state.waiting.retain(|job| !job.reply.is_closed());
            if state.waiting.len() + texts.len() > self.queue.max_texts {
                return Err(EncodeFault::QueueFull {
                    retry_after: RETRY_AFTER,
                });
            }
        }
        let pending = texts
            .into_iter()
            .map(|tokens| {
                let (reply, pending) = oneshot::channel();
                state.waiting.push_back(Job { tokens, reply });
                pending
            })
            .collect();
        self.queue.changed.notify_one();
        Ok(pending)
    }

    /// Refuses new texts and gives up those that wait.
    pub(super) fn stop(&self) {
        let mut state = self.queue.state.lock();
        state.is_stopped = true;
        state.waiting.clear();
        self.queue.changed.notify_all();
    }
}

impl Drop for Batcher {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Worker {
    team: Arc<Team>,
    encoder: Arc<Encoder>,
    finish: Box<Finish>,
    queue: Arc<Queue>,
}

impl Worker {
    fn run(&self) {
        lower_priority();
        while let Some(jobs) = self.queue.next() {
            let step = catch_unwind(AssertUnwindSafe(|| self.step(&jobs)));
            let results = match step {
                Ok(Ok(results)) => results.into_iter().map(Ok).collect(),
                Ok(Err(error)) => {
                    tracing::error!(%error, "an encoder's step failed");
                    vec![Err(EngineFault::Compute(error.to_string())); jobs.len()]
                }
                Err(_) => {
                    tracing::error!("an encoder's step panicked; the next ones go on");
                    vec![Err(EngineFault::Panicked); jobs.len()]
                }
            };
            for (job, result) in jobs.into_iter().zip(results) {
                // Fails only where nobody waits any more.
                let _ = job.reply.send(result);
            }
        }
    }

    fn step(&self, jobs: &[Job]) -> candle_core::Result<Vec<Vec<f32>>> {
        let texts: Vec<&[TokenId]> = jobs.iter().map(|job| job.tokens.as_slice()).collect();
        let lead = self.team.lead();
        let hidden = self.encoder.hidden(&lead, &texts)?;
        (self.finish)(&self.encoder, &lead, &hidden, &texts)
    }
}

impl Queue {
    /// Waits for texts, and takes as many as make a step; `None` once stopped.
    fn next(&self) -> Option<Vec<Job>> {
        let mut state = self.state.lock();
        loop {
            if state.is_stopped {
                return None;
            }
            let mut jobs = Vec::new();
            let mut tokens = 0;
            while let Some(job) = state.waiting.front() {
                if !jobs.is_empty() && tokens + job.tokens.len() > STEP_TOKENS {
                    break;
                }
                tokens += job.tokens.len();
                jobs.extend(
                    state
                        .waiting
                        .pop_front()
                        .filter(|job| !job.reply.is_closed()),
                );
            }
            if !jobs.is_empty() {
                return Some(jobs);
            }
            self.changed.wait(&mut state);
        }
    }
}
