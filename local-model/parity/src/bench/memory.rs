//! What a process takes that has our engine alone, with eight sequences of 2,048 tokens.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use skinflint_local_model::Precision;

use super::text::Words;
use super::{BenchError, Figure, Goal, Options, SEQUENCES};
use crate::ours::Ours;
use crate::prompts;

/// Tokens of a sequence, its answer included.
const TOKENS: usize = 2048;

/// Tokens of the answer: enough for all sequences to be running at the same time.
const GENERATED: u32 = 64;

/// Starts a process of this program that does nothing else.
pub(super) fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let output = Command::new(env::current_exe()?)
        .arg("--memory")
        .arg("--model")
        .arg(&options.model)
        .arg("--embedder")
        .arg(&options.embedder)
        .arg("--classifier")
        .arg(&options.classifier)
        .arg("--threads")
        .arg(options.threads.to_string())
        .stderr(Stdio::inherit())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers.as_slice() {
        &[loaded, peak] if output.status.success() => Ok(vec![
            Figure::new("rss_8x2048", peak, "MB", Goal::AtMost(900.0)),
            Figure::info("rss_loaded", loaded, "MB"),
        ]),
        _ => Err(BenchError::Child {
            said: said.into_owned(),
        }),
    }
}

/// The other process: loads, answers, and prints what it took when loaded and at most, in megabytes.
pub fn measure_child(options: &Options) -> Result<(), BenchError> {
    let ours = Ours::load(&options.model, Precision::Bits8, options.threads, SEQUENCES)?;
    let loaded = megabytes("VmRSS:")?;
    let words = Words::read(Path::new(prompts::FOLDER))?;
    let count = |text: &str| ours.tokenize(text).map(|tokens| tokens.len());
    let texts = (0..SEQUENCES.get())
        .map(|call| words.text(call * 17, TOKENS - GENERATED as usize, count))
        .collect::<Result<Vec<_>, _>>()?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    ours.greedy_together(&texts, GENERATED)?;
    writeln!(io::stdout(), "{loaded} {}", megabytes("VmHWM:")?)?;
    Ok(())
}

/// A line of `/proc/self/status`, which counts in KiB. Pages of a mapped file count as well.
fn megabytes(key: &str) -> io::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kibibytes: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    Ok(kibibytes.unwrap_or(f64::NAN) * 1024.0 / 1e6)
}
