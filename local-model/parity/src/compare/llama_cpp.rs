//! Tokens, greedy answers and log-probabilities beside llama.cpp's: [`compare`].

use std::io;

use thiserror::Error;

use super::{GAP, first_difference, gap};
use crate::figure::{Figure, Goal};
use crate::llama::{Llama, LlamaError, Session};
use crate::ours::{Answer, Ours, OursError};
use crate::prompts::Prompt;
use crate::report::Report;
use crate::statistics::Agreement;

/// Tokens that are generated for each prompt.
const GENERATED: u32 = 64;

/// How many calls run together when answers in company are compared with answers alone.
pub const TOGETHER: usize = 8;

/// A comparison that could not be made.
#[derive(Debug, Error)]
pub enum CompareError {
    /// The local model's side.
    #[error(transparent)]
    Ours(#[from] OursError),
    /// llama.cpp's side.
    #[error(transparent)]
    Llama(#[from] LlamaError),
    /// The report cannot be written.
    #[error("cannot write the report")]
    Report(#[from] io::Error),
}

/// What came of one prompt.
#[derive(Debug)]
struct Row {
    tokens: usize,
    same_tokens: bool,
    /// The first token of the answer that differs, and by how much llama.cpp prefers its own.
    difference: Option<(usize, f64)>,
    agreement: Agreement,
    answer: Answer,
}

/// What is asked of greedy answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greedy {
    /// All are the same, or close where they begin to differ.
    Alike,
    /// Nothing: llama.cpp rounds activations in a way of its own, which decides between likely tokens as a coin would.
    Told,
}

/// Puts every prompt to both, and all of them to ours together; writes a table, and figures named by `prefix`.
pub fn compare(
    ours: &Ours,
    llama: &Llama,
    prompts: &[Prompt],
    (prefix, greedy): (&str, Greedy),
    report: &mut Report,
) -> Result<(), CompareError> {
    let mut session = session(llama, prompts)?;
    let mut overall = Agreement::default();
    let mut rows = Vec::with_capacity(prompts.len());
    report.line(&format!(
        "{:24} {:>6}  {:6}  {:24}  {:>9} {:>9} {:>9}",
        "prompt", "tokens", "ids", "greedy", "mean |d|", "max |d|", "Pearson"
    ))?;
    for prompt in prompts {
        let row = compare_one(ours, llama, &mut session, prompt, &mut overall)?;
        report.line(&row.to_line(&prompt.name))?;
        if let Some((at, gap)) = row.difference.filter(|(_, gap)| !is_close(*gap)) {
            report.line(&format!(
                "  at token {at}, {gap:.3} nats apart: ours {:?}",
                row.answer.text
            ))?;
        }
        rows.push(row);
    }
    let alike = answers_together(ours, prompts, &rows, report)?;
    for figure in figures(prefix, greedy, &rows, &overall, alike) {
        report.figure(&figure)?;
    }
    Ok(())
}

/// Room for any of the prompts with its continuation, or with its answer.
pub(super) fn session<'a>(llama: &'a Llama, prompts: &[Prompt]) -> Result<Session<'a>, LlamaError> {
    let length = |prompt: &Prompt| llama.tokenize(&prompt.whole()).len();
    let longest = prompts.iter().map(length).max();
    let context = u32::try_from(longest.unwrap_or(0))
        .unwrap_or(u32::MAX)
        .saturating_add(GENERATED);
    llama.session(context)
}

fn compare_one(
    ours: &Ours,
    llama: &Llama,
    session: &mut Session<'_>,
    prompt: &Prompt,
    overall: &mut Agreement,
) -> Result<Row, CompareError> {
    let prompt_tokens = llama.tokenize(&prompt.text);
    let whole = llama.tokenize(&prompt.whole());
    let same_tokens =
        ours.tokenize(&prompt.text)? == prompt_tokens && ours.tokenize(&prompt.whole())? == whole;

    let answer = ours.greedy(&prompt.text, GENERATED, true)?;
    let reference = session.greedy(&prompt_tokens, GENERATED as usize)?;
    let ended = reference.len() < GENERATED as usize;
    let pieces: Vec<Vec<u8>> = reference.iter().map(|&token| llama.piece(token)).collect();
    let difference = match first_difference(&answer, &pieces, ended) {
        None => None,
        Some(at) => {
            let read = [prompt_tokens.as_slice(), &reference[..at]].concat();
            let chosen = answer
                .tokens
                .get(at)
                .map_or_else(|| llama.ends(), |token| llama.tokens_of(&token.bytes));
            Some((at, gap(&session.next_logprobs(&read)?, &chosen)))
        }
    };

    // Both score llama.cpp's tokens, so that a fault of the tokenizer shows once and not everywhere.
    let our_scores = ours.score(&whole)?;
    let their_scores = session.score(&whole)?;
    let mut agreement = Agreement::default();
    agreement.add_all(&our_scores, &their_scores);
    overall.add_all(&our_scores, &their_scores);
    Ok(Row {
        tokens: whole.len(),
        same_tokens,
        difference,
        agreement,
        answer,
    })
}

/// How many prompts have the same answer in company as they had alone.
fn answers_together(
    ours: &Ours,
    prompts: &[Prompt],
    rows: &[Row],
    report: &Report,
) -> Result<usize, CompareError> {
    let mut alike = 0;
    for (prompts, rows) in prompts.chunks(TOGETHER).zip(rows.chunks(TOGETHER)) {
        let texts: Vec<&str> = prompts.iter().map(|prompt| prompt.text.as_str()).collect();
        let answers = ours.greedy_together(&texts, GENERATED)?;
        for ((prompt, row), answer) in prompts.iter().zip(rows).zip(answers) {
            if answer.text == row.answer.text {
                alike += 1;
            } else {
                report.line(&format!(
                    "{} is answered otherwise in company: {:?}",
                    prompt.name, answer.text
                ))?;
                report.line(&format!("  alone: {:?}", row.answer.text))?;
            }
        }
    }
    Ok(alike)
}

fn figures(
    prefix: &str,
    greedy: Greedy,
    rows: &[Row],
    overall: &Agreement,
    alike: usize,
) -> Vec<Figure> {
    let all = count(rows.len());
    let same_tokens = rows.iter().filter(|row| row.same_tokens).count();
    let same = rows.iter().filter(|row| row.difference.is_none()).count();
    let close = rows
        .iter()
        .filter(|row| row.difference.is_none_or(|(_, gap)| is_close(gap)))
        .count();
    let name_of_close = format!("{prefix}_greedy_same_or_close");
    let at_least_all = Goal::AtLeast(all);
    vec![
        Figure::new(
            format!("{prefix}_tokens"),
            count(same_tokens),
            "prompts",
            at_least_all,
        ),
        Figure::info(format!("{prefix}_greedy_same"), count(same), "prompts"),
        match greedy {
            Greedy::Alike => Figure::new(name_of_close, count(close), "prompts", at_least_all),
            Greedy::Told => Figure::info(name_of_close, count(close), "prompts"),
        },
        Figure::new(
            format!("{prefix}_logprob_difference"),
            overall.mean_difference(),
            "nats",
            Goal::AtMost(0.1),
        ),
        Figure::info(
            format!("{prefix}_logprob_difference_max"),
            overall.largest_difference(),
            "nats",
        ),
        Figure::new(
            format!("{prefix}_logprob_pearson"),
            overall.pearson(),
            "ratio",
            Goal::AtLeast(0.999),
        ),
        Figure::new(
            format!("{prefix}_batched"),
            count(alike),
            "prompts",
            at_least_all,
        ),
    ]
}

impl Row {
    fn to_line(&self, name: &str) -> String {
        let greedy = match self.difference {
            None => "same".to_owned(),
            Some((at, gap)) if is_close(gap) => format!("close at {at} by {gap:.4}"),
            Some((at, gap)) => format!("OTHER at {at} by {gap:.4}"),
        };
        format!(
            "{name:24} {:6}  {:6}  {greedy:24}  {:9.5} {:9.5} {:9.6}",
            self.tokens,
            if self.same_tokens { "same" } else { "OTHER" },
            self.agreement.mean_difference(),
            self.agreement.largest_difference(),
            self.agreement.pearson(),
        )
    }
}

fn is_close(gap: f64) -> bool {
    gap < GAP
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
