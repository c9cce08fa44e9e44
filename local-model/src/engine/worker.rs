//! The thread that serves calls, one after another.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use candle_core::utils::barrier_pool;
use rayon::ThreadPoolBuilder;
use skinflint_kernels::Team;
use tracing::{error, warn};

use super::generation::{Event, Finish, TokenUsage};
use super::queue::{Job, Queue};
use crate::error::{EngineFault, LoadFault};
use crate::model::kv::KvCache;
use crate::model::{Chunk, Model, Rows};
use crate::tokenizer::{Detokenizer, Tokenizer};

/// Tokens of the prompt that are read between two looks at whether anybody still waits: some tenths
/// of a second on two cores. Each chunk dequantizes the weights again, which adds 3% at this size.
const PREFILL_CHUNK: usize = 128;

/// Serves the queue until it is stopped.
pub(super) struct Worker {
    team: Arc<Team>,
    model: Box<dyn Model>,
    tokenizer: Arc<Tokenizer>,
    queue: Arc<Queue>,
}

impl Worker {
    pub(super) fn new(
        team: Arc<Team>,
        model: Box<dyn Model>,
        tokenizer: Arc<Tokenizer>,
        queue: Arc<Queue>,
    ) -> Self {
        Self {
            team,
            model,
            tokenizer,
            queue,
        }
    }

    /// Starts `threads` threads, one of which serves. Work that candle hands to rayon from there
    /// stays within them.
    pub(super) fn start(self, threads: NonZeroUsize) -> Result<(), LoadFault> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .thread_name(|index| format!("local-model-{index}"))
            .build()
            .map_err(LoadFault::Threads)?;
        let quantized_threads = barrier_pool().n_workers() + 1;
        if quantized_threads > threads.get() {
            warn!(
                quantized_threads,
                threads = threads.get(),
                "candle decodes on more threads than configured: set CANDLE_NUM_THREADS"
            );
        }
        pool.spawn(move || self.run());
        Ok(())
    }

    fn run(&self) {
        while let Some((mut job, serving)) = self.queue.next() {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.serve(&mut job)));
            drop(serving);
            let last = match outcome {
                Ok(Ok(Some((finish, usage)))) => Event::Done { finish, usage },
                Ok(Ok(None)) => continue,
                Ok(Err(fault)) => {
                    error!(%fault, "a local call failed");
                    Event::Failed(EngineFault::Compute(fault.to_string()))
                }
                Err(_) => {
                    error!("the local model's worker panicked; it goes on with the next call");
                    Event::Failed(EngineFault::Panicked)
                }
            };
            // Fails only where the client has gone away.
            let _ = job.events.send(last);
        }
    }

    /// Answers one call; `None` where the client went away.
    fn serve(&self, job: &mut Job) -> candle_core::Result<Option<(Finish, TokenUsage)>> {
        let mut usage = TokenUsage {
            prompt_tokens: job.prompt_tokens,
            completion_tokens: 0,
        };
        if job.max_tokens == 0 {
            return Ok(Some((Finish::MaxTokens, usage)));
        }
        let lead = self.team.lead();
        let mut cache = self.model.cache(job.prompt.len());
        let step = |tokens: &[u32], cache: &mut KvCache| {
            let rows = Rows::Last;
            let mut chunks = [Chunk {
                tokens,
                cache,
                rows,
            }];
            self.model.hidden(&lead, &mut chunks)
        };
        let mut hidden = None;
        for chunk in job.prompt.chunks(PREFILL_CHUNK) {
            if job.is_abandoned() {
                return Ok(None);
            }
            hidden = Some(step(chunk, &mut cache)?);
        }
        let Some(mut hidden) = hidden else {
            candle_core::bail!("a prompt without tokens");
        };
        let mut text = Detokenizer::default();
        loop {
            let mut logits = self.model.logits(&lead, &hidden)?.squeeze(0)?.to_vec1()?;
            if job.is_abandoned() {
                return Ok(None);
            }
            let token = job
                .sampler
                .sample(&mut logits)
                .map_err(candle_core::Error::wrap)?
                .token;
            usage.completion_tokens += 1;
            if self.tokenizer.is_end(token) {
                let finish = job.end(text).unwrap_or(Finish::EndOfTurn);
                return Ok(Some((finish, usage)));
            }
            let piece = text.push(&self.tokenizer, token);
            if let Some(finish) = job.say(&piece) {
                return Ok(Some((finish, usage)));
            }
            if usage.completion_tokens == job.max_tokens {
                let finish = job.end(text).unwrap_or(Finish::MaxTokens);
                return Ok(Some((finish, usage)));
            }
            hidden = step(&[token], &mut cache)?;
        }
    }
}

impl Job {
    /// Sends what of `piece` can go out; returns why the answer ends here, if it does.
    fn say(&mut self, piece: &str) -> Option<Finish> {
        let (ready, finish) = self.filter.push(piece);
        self.send(ready);
        finish
    }

    /// Sends all that was kept back; returns the stop sequence, if the last bytes completed one.
    fn end(&mut self, text: Detokenizer) -> Option<Finish> {
        let finish = self.say(&text.finish());
        if finish.is_none() {
            let rest = self.filter.take_rest();
            self.send(rest);
        }
        finish
    }

    fn send(&self, text: String) {
        if !text.is_empty() {
            // Fails only where the client has gone away, which is looked at before each token.
            let _ = self.events.send(Event::Text {
                text,
                tokens: Vec::new(),
            });
        }
    }
}
