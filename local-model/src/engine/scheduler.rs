//! The thread that serves calls, all that run together: step by step, with calls joining and
//! leaving between any two (Yu et al., 2022, "Orca: A Distributed Serving System for
//! Transformer-Based Generative Models", iteration-level scheduling).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use skinflint_kernels::{Team, lower_priority};
use tracing::error;

use super::queue::Queue;
use super::sequence::{Pending, Sequence};
use super::stats::{Counters, add};
use super::step::{self, Step};
use crate::error::{EngineFault, LoadFault};
use crate::model::Model;
use crate::tokenizer::Tokenizer;

/// Serves the queue until it is stopped.
pub(super) struct Scheduler {
    pub(super) team: Arc<Team>,
    pub(super) model: Arc<dyn Model>,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) queue: Arc<Queue>,
    pub(super) counters: Arc<Counters>,
}

/// Closes the queue when the thread ends, be it by a panic: nobody must wait for what never comes.
struct CloseOnExit<'a>(&'a Queue);

impl Drop for CloseOnExit<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Scheduler {
    /// Starts the thread.
    pub(super) fn start(self) -> Result<(), LoadFault> {
        thread::Builder::new()
            .name("scheduler".to_owned())
            .spawn(move || self.run())
            .map_err(LoadFault::Thread)?;
        Ok(())
    }

    fn run(&self) {
        lower_priority();
        let _close = CloseOnExit(&self.queue);
        let mut sequences = Vec::new();
        while let Some(admitted) = self.queue.take(sequences.is_empty()) {
            sequences.extend(
                admitted
                    .into_iter()
                    .map(|(job, place)| Sequence::new(job, place, || self.model.cache())),
            );
            self.retire_lost(&mut sequences);
            self.retire_finished(&mut sequences);
            if !sequences.is_empty() {
                self.step(&mut sequences);
                self.retire_finished(&mut sequences);
            }
        }
    }

    /// Ends the calls that nobody waits for and those whose deadline has passed.
    fn retire_lost(&self, sequences: &mut Vec<Sequence>) {
        let now = self.queue.clock().now();
        for sequence in sequences.extract_if(.., |sequence| sequence.work.is_abandoned()) {
            add(&self.counters.cancelled, 1);
            sequence.end(None);
        }
        for sequence in sequences.extract_if(.., |sequence| sequence.is_expired(now)) {
            self.retire(sequence, Some(EngineFault::DeadlineExceeded));
        }
    }

    fn retire_finished(&self, sequences: &mut Vec<Sequence>) {
        for sequence in sequences.extract_if(.., |sequence| sequence.work.is_over()) {
            let fault = sequence.work.fault();
            self.retire(sequence, fault);
        }
    }

    /// Counts the call, so that whoever has seen its end finds it counted, and ends it.
    fn retire(&self, sequence: Sequence, fault: Option<EngineFault>) {
        self.counters.ended(fault.as_ref());
        sequence.end(fault);
    }

    fn step(&self, sequences: &mut Vec<Sequence>) {
        let pending: Vec<Pending> = sequences.iter().map(Sequence::pending).collect();
        let shares = step::plan(&pending);
        let step = Step {
            model: &*self.model,
            tokenizer: &self.tokenizer,
            counters: &self.counters,
            clock: self.queue.clock(),
        };
        let done = {
            let lead = self.team.lead();
            let run = || step.run(&lead, sequences, &shares);
            catch_unwind(AssertUnwindSafe(run))
        };
        let fault = match done {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => {
                error!(%fault, "a step of the local model failed");
                EngineFault::Compute(fault.to_string())
            }
            Err(_) => {
                error!("a step of the local model panicked; the engine goes on");
                EngineFault::Panicked
            }
        };
        let mut shares = shares.into_iter();
        let failed = |sequence: &mut Sequence| {
            let took_part = shares.next().is_some_and(|share| share > 0);
            took_part && !sequence.work.is_over()
        };
        for sequence in sequences.extract_if(.., failed) {
            self.retire(sequence, Some(fault.clone()));
        }
    }
}
