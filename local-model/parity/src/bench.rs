//! What the local model takes, beside llama.cpp where llama.cpp does the same: [`run`].
//!
//! Both work in turns in one process, with the same threads, so that whatever else the machine does hits both. A ratio is
//! the median of the rounds' ratios.

mod batch;
mod classify;
mod decode;
mod embed;
mod load;
mod memory;
mod prefill;
mod score;
mod text;

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use skinflint_local_model::Precision;
use thiserror::Error;

use crate::figure::{Figure, Goal};
use crate::llama::{Llama, LlamaError, Session};
use crate::ours::{Ours, OursError};
use crate::prompts::{self, PromptError};
use crate::report::Report;
use crate::statistics::median;
pub use memory::measure_child;
use text::Words;

/// Rounds of a measurement; the median of so many is steady enough on an idle machine.
pub const ROUNDS: usize = 9;

/// Room in llama.cpp for whatever is measured here.
const CONTEXT: u32 = 1024;

/// Calls that our engine may run together.
const SEQUENCES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

/// Threads that have just worked may spin for a while; after this pause they sleep, and the other side has the cores.
const PAUSE: Duration = Duration::from_millis(50);

/// How to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// The GGUF file that both load.
    pub model: PathBuf,
    /// The folder of the sentence embedder.
    pub embedder: PathBuf,
    /// The folder of the token classifier.
    pub classifier: PathBuf,
    /// Threads of each side.
    pub threads: NonZeroUsize,
    /// Rounds of each measurement.
    pub rounds: usize,
    /// What to measure; everything where it is empty.
    pub only: Vec<Part>,
}

/// A thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Reading a prompt of 512 tokens.
    Prefill,
    /// Generating 64 tokens for one call.
    Decode,
    /// Generating for eight calls together.
    Batch,
    /// Log-probabilities of 512 tokens.
    Score,
    /// Loading a file that the system has in its cache.
    Load,
    /// What the process takes with eight long sequences.
    Memory,
    /// Vectors of short texts.
    Embed,
    /// Classes of tokens.
    Classify,
}

/// A measurement that could not be made.
#[derive(Debug, Error)]
pub enum BenchError {
    /// Our side.
    #[error(transparent)]
    Ours(#[from] OursError),
    /// llama.cpp's side.
    #[error(transparent)]
    Llama(#[from] LlamaError),
    /// The texts to work on.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// Files, the report, or the child process.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An answer was shorter than what is measured.
    #[error("an answer has {tokens} tokens instead of {wanted}: the model ended it")]
    ShortAnswer {
        /// What it has.
        tokens: u32,
        /// What it should have.
        wanted: u32,
    },
    /// The child process that measures memory said something else.
    #[error("the process that measures memory failed: {said}")]
    Child {
        /// What it said.
        said: String,
    },
}

/// Both models, ready.
struct Stand<'a> {
    ours: Ours,
    llama: &'a Llama,
    session: Session<'a>,
    words: Words,
    rounds: usize,
}

/// What one side did in each round, in the same order as the other.
#[derive(Debug, Default)]
struct Turns {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// Measures and writes figures.
pub fn run(options: &Options, report: &mut Report) -> Result<(), BenchError> {
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);
    report.figure(&Figure::info(
        "load_average_before",
        load_average()?,
        "threads",
    ))?;
    if wanted(Part::Memory) {
        // First, while no model of this process takes cores or cache.
        write_all(&memory::measure(options)?, report)?;
    }
    let words = Words::read(Path::new(prompts::FOLDER))?;
    if wanted(Part::Embed) {
        write_all(&embed::measure(&options.embedder, options, &words)?, report)?;
    }
    if wanted(Part::Classify) {
        write_all(
            &classify::measure(&options.classifier, options, &words)?,
            report,
        )?;
    }
    let llama = Llama::load(&options.model, options.threads.get())?;
    if wanted(Part::Load) {
        write_all(&load::measure(options)?, report)?;
    }
    let mut stand = Stand {
        ours: Ours::load(&options.model, Precision::Bits8, options.threads, SEQUENCES)?,
        llama: &llama,
        session: llama.session(CONTEXT)?,
        words,
        rounds: options.rounds,
    };
    let parts: [(Part, Measure); 4] = [
        (Part::Prefill, prefill::measure),
        (Part::Decode, decode::measure),
        (Part::Batch, batch::measure),
        (Part::Score, score::measure),
    ];
    for (part, measure) in parts {
        if wanted(part) {
            write_all(&measure(&mut stand)?, report)?;
        }
    }
    report.figure(&Figure::info(
        "load_average_after",
        load_average()?,
        "threads",
    ))?;
    Ok(())
}

/// What measures a part beside llama.cpp.
type Measure = fn(&mut Stand<'_>) -> Result<Vec<Figure>, BenchError>;

fn write_all(figures: &[Figure], report: &mut Report) -> io::Result<()> {
    figures.iter().try_for_each(|figure| report.figure(figure))
}

/// Threads that ran or waited to, over the last minute: what else the machine did.
fn load_average() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(f64::NAN))
}

/// Lets threads that have just worked fall asleep.
fn pause() {
    thread::sleep(PAUSE);
}

impl Turns {
    /// Ours to theirs in tokens per second, the median over the rounds, and both speeds.
    fn figures(&self, name: &str, at_least: f64) -> Vec<Figure> {
        let ratios: Vec<f64> = self
            .ours
            .iter()
            .zip(&self.theirs)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        vec![
            Figure::new(
                format!("{name}_vs_llama"),
                median(&ratios),
                "ratio",
                Goal::AtLeast(at_least),
            ),
            Figure::info(name, median(&self.ours), "tokens/s"),
            Figure::info(format!("{name}_llama"), median(&self.theirs), "tokens/s"),
        ]
    }
}

/// Tokens per second.
fn rate(tokens: u32, time: Duration) -> f64 {
    f64::from(tokens) / time.as_secs_f64()
}
