//! A model that says what the test wants, when the test wants it, and the engine around it.

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{self as std_mpsc, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use candle_core::{Device, Tensor};
use parking_lot::Mutex;
use skinflint_kernels::{Lead, Team};
use tokio::time::Instant;

use super::super::*;
use crate::fixture;
use crate::model::kv::KvCache;
use crate::model::{Chunk, Rows};
use crate::request::{Chat, Role, Sampling, Turn};

pub(super) const LIMIT: u32 = 600;

/// What a cache takes, per position.
pub(super) const BYTES_PER_POSITION: usize = 100;

/// Ends an answer in the tiny vocabulary.
const END: u32 = 1;

/// How long a test waits for the engine before it fails: longer than any pass takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Answers a prompt by the script that its first letter names, then with end tokens.
///
/// What a sequence has read is told by the position of its cache: script × 1,000,000 + tokens
/// generated × 1,000 + tokens read.
struct Scripted {
    /// The first for prompts that name none.
    scripts: Vec<Script>,
    vocabulary: usize,
    passes: Arc<Mutex<Vec<Vec<Part>>>>,
    /// Told of the beginning of each pass.
    entered: Sender<()>,
    /// Each forward pass takes one permit, where there are any.
    permits: Option<Mutex<Receiver<()>>>,
    /// What goes wrong in the forward pass of this number, from 1.
    fault: Option<(usize, Fault)>,
}

struct Script {
    /// The token after the start token.
    letter: u32,
    answer: Vec<u32>,
}

/// What one sequence did in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The number of its script.
    pub(super) script: usize,
    /// Tokens that it read before.
    pub(super) from: usize,
    /// Tokens that it read.
    pub(super) tokens: usize,
    pub(super) rows: Rows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Panic,
    Error,
}

impl Model for Scripted {
    fn context_length(&self) -> u32 {
        LIMIT
    }

    fn cache(&self) -> KvCache {
        KvCache::new(std::iter::empty())
    }

    fn cache_bytes(&self, positions: usize) -> usize {
        positions * BYTES_PER_POSITION
    }

    fn cache_bytes_keeping_all(&self, positions: usize) -> usize {
        self.cache_bytes(positions)
    }

    /// Rows of three: what for (0 to choose, 1 to score), then the script and the number of the
    /// token to choose, or the position and the token read.
    fn hidden(&self, _lead: &Lead<'_>, chunks: &mut [Chunk<'_>]) -> candle_core::Result<Tensor> {
        let mut parts = Vec::new();
        let mut rows: Vec<f32> = Vec::new();
        for chunk in &mut *chunks {
            let position = chunk.cache.position();
            let (script, generated, read) = (
                position / 1_000_000,
                position / 1_000 % 1_000,
                position % 1_000,
            );
            let script = if read == 0 {
                let named = |script: &Script| chunk.tokens.get(1) == Some(&script.letter);
                self.scripts.iter().position(named).unwrap_or(0)
            } else {
                script
            };
            let chosen = usize::from(chunk.rows == Rows::Last);
            if chunk.rows == Rows::Last {
                rows.extend([0.0, script as f32, generated as f32]);
            } else if chunk.rows == Rows::All {
                for (offset, &token) in chunk.tokens.iter().enumerate() {
                    rows.extend([1.0, (read + offset) as f32, token as f32]);
                }
            }
            parts.push(Part {
                script,
                from: read,
                tokens: chunk.tokens.len(),
                rows: chunk.rows,
            });
            let to = script * 1_000_000 + (generated + chosen) * 1_000 + read + chunk.tokens.len();
            chunk.cache.advance(to - position);
        }
        let pass = {
            let mut passes = self.passes.lock();
            passes.push(parts);
            passes.len()
        };
        // Fails only where the test has ended.
        let _ = self.entered.send(());
        if let Some(permits) = &self.permits {
            permits.lock().recv().unwrap();
        }
        match self.fault {
            Some((at, Fault::Panic)) if at == pass => panic!("as the test asked"),
            Some((at, Fault::Error)) if at == pass => candle_core::bail!("as the test asked"),
            _ => {}
        }
        let count = rows.len() / 3;
        Tensor::from_vec(rows, (count, 3), &Device::Cpu)
    }

    fn logits(&self, _lead: &Lead<'_>, hidden: &Tensor) -> candle_core::Result<Tensor> {
        let rows = hidden.to_vec2::<f32>()?;
        assert!(rows.len() <= 64, "too many logits at a time");
        let width = self.vocabulary;
        let mut logits = vec![0.0_f32; rows.len() * width];
        for (row, logits) in rows.iter().zip(logits.chunks_mut(width)) {
            let (first, second) = (row[1] as usize, row[2] as usize);
            if row[0] == 0.0 {
                let answer = &self.scripts[first].answer;
                logits[*answer.get(second).unwrap_or(&END) as usize] = 1.0;
            } else {
                for (token, logit) in logits.iter_mut().enumerate() {
                    *logit = score_logit(first, second, token);
                }
            }
        }
        Tensor::from_vec(logits, (rows.len(), width), &Device::Cpu)
    }
}

/// The logit of `next` after `token` at `position`.
pub(super) fn score_logit(position: usize, token: usize, next: usize) -> f32 {
    ((token * 7 + position * 3 + next) % 11) as f32 * 0.25
}

/// An engine around a [`Scripted`] model, and the test's hold on it.
pub(super) struct Stage {
    pub(super) engine: Engine,
    passes: Arc<Mutex<Vec<Vec<Part>>>>,
    entered: Receiver<()>,
    seen: Cell<usize>,
    permits: Option<Sender<()>>,
    now: Arc<Mutex<Instant>>,
}

pub(super) struct Play<'a> {
    pub(super) answer: &'a str,
    /// First letters of prompts, and the answers to them.
    pub(super) scripts: &'a [(&'a str, &'a str)],
    pub(super) max_sequences: usize,
    pub(super) max_queue: usize,
    pub(super) cache_limit_bytes: usize,
    pub(super) by_permit: bool,
    pub(super) fault: Option<(usize, Fault)>,
}

impl Default for Play<'_> {
    fn default() -> Self {
        Self {
            answer: " the thing",
            scripts: &[],
            max_sequences: 1,
            max_queue: 4,
            cache_limit_bytes: usize::MAX,
            by_permit: false,
            fault: None,
        }
    }
}

impl Play<'_> {
    pub(super) fn stage(self) -> Stage {
        let tokenizer = fixture::tokenizer();
        let encode = |text: &str| {
            let mut tokens = Vec::new();
            tokenizer.encode_into(text, &mut tokens);
            tokens
        };
        let mut scripts = vec![Script {
            letter: u32::MAX,
            answer: encode(self.answer),
        }];
        for (letter, answer) in self.scripts {
            let answer = encode(answer);
            let letter = encode(letter)[0];
            scripts.push(Script { letter, answer });
        }
        let passes = Arc::new(Mutex::new(Vec::new()));
        let (permits, permit_receiver) = std_mpsc::channel();
        let (enter, entered) = std_mpsc::channel();
        let model = Scripted {
            scripts,
            vocabulary: tokenizer.size(),
            passes: Arc::clone(&passes),
            entered: enter,
            permits: self.by_permit.then(|| Mutex::new(permit_receiver)),
            fault: self.fault,
        };
        let now = Arc::new(Mutex::new(Instant::now()));
        let clock = Arc::clone(&now);
        let loaded = Loaded {
            model: Box::new(model),
            tokenizer,
            template: Template::Transcript,
            architecture: "scripted",
            parameter_count: 0,
            file_bytes: 0,
        };
        let took = Duration::from_millis(700);
        let options = EngineOptions {
            team: team(),
            precision: Precision::Bits8,
            max_sequences: NonZeroUsize::new(self.max_sequences).unwrap(),
            max_queue: self.max_queue,
            cache_limit_bytes: self.cache_limit_bytes,
            context_limit: None,
            name: "scripted".to_owned(),
        };
        let clock = Clock::new(move || *clock.lock());
        Stage {
            engine: Engine::start(loaded, options, clock, took).unwrap(),
            passes,
            entered,
            seen: Cell::new(0),
            permits: self.by_permit.then_some(permits),
            now,
        }
    }
}

impl Stage {
    pub(super) fn generate(&self, request: GenerateRequest) -> Generation {
        self.engine.generate(request).unwrap()
    }

    pub(super) fn permit(&self, count: usize) {
        for _ in 0..count {
            self.permits.as_ref().unwrap().send(()).unwrap();
        }
    }

    /// Waits until the pass of this number, from 1, has begun. What is placed after that cannot
    /// take part in it.
    pub(super) fn in_pass(&self, number: usize) {
        while self.seen.get() < number {
            self.entered.recv_timeout(PATIENCE).unwrap();
            self.seen.set(self.seen.get() + 1);
        }
    }

    /// Drops the engine and waits until its thread has let go of the model.
    pub(super) fn close(self) {
        drop(self.engine);
        drop(self.permits);
        loop {
            match self.entered.recv_timeout(PATIENCE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("the thread goes on"),
            }
        }
    }

    pub(super) fn passes(&self) -> Vec<Vec<Part>> {
        self.passes.lock().clone()
    }

    /// Moves the engine's clock.
    pub(super) fn advance(&self, by: Duration) {
        *self.now.lock() += by;
    }

    pub(super) fn now(&self) -> Instant {
        *self.now.lock()
    }

    /// That nothing waits, runs or takes memory, and that every call has ended in one way.
    pub(super) fn assert_idle(&self, placed: u64) {
        let stats = self.engine.stats();
        assert_eq!((stats.waiting, stats.running, stats.cache_bytes), (0, 0, 0));
        let ended = stats.served + stats.failed + stats.expired + stats.cancelled;
        assert_eq!(ended, placed, "{stats:?}");
    }
}

pub(super) fn team() -> Arc<Team> {
    Arc::new(Team::new(NonZeroUsize::MIN).unwrap())
}

pub(super) fn text(prompt: &str) -> GenerateRequest {
    GenerateRequest {
        // Without a penalty the script is followed even where it repeats itself.
        sampling: Sampling {
            repetition_penalty: Some(1.0),
            ..Sampling::default()
        },
        ..GenerateRequest::new(Prompt::Text(prompt.to_owned()))
    }
}

pub(super) fn chat(said: &str) -> GenerateRequest {
    GenerateRequest {
        prompt: Prompt::Chat(Chat {
            turns: vec![Turn::new(Role::User, said)],
            ..Chat::default()
        }),
        ..text("")
    }
}

pub(super) fn of_tenant(name: &str, request: GenerateRequest) -> GenerateRequest {
    GenerateRequest {
        tenant: Some(name.to_owned()),
        ..request
    }
}

pub(super) fn said(text: &str) -> Event {
    Event::Text {
        text: text.to_owned(),
        tokens: Vec::new(),
    }
}

/// All text of an answer, and its last event.
pub(super) async fn read(mut generation: Generation) -> (String, Event) {
    let mut said = String::new();
    loop {
        match generation.next().await.unwrap() {
            Event::Text { text, .. } => said.push_str(&text),
            last => {
                assert_eq!(generation.next().await, None);
                return (said, last);
            }
        }
    }
}

pub(super) fn finish(last: &Event) -> &Finish {
    match last {
        Event::Done { finish, .. } => finish,
        other => panic!("{other:?}"),
    }
}
