//! Recorded conversations of agents, priced with and without compression.

use std::process::Command;

use serde::Deserialize;

use super::{EvalError, Options, at_least, at_most, parse};
use crate::figure::Figure;

const TAU: &[&str] = &["tau_bench/airline_trajectories.anthropic.jsonl"];
const SWE: &[&str] = &[
    "swe_agent_traj/function_calling_simple.traj.json",
    "swe_agent_traj/mini_github_issue.traj.json",
    "swe_agent_traj/replay__marshmallow-code__marshmallow-1867__function_calling_replace__install-1.traj.json",
];

/// What `skinflint replay --json` says of a conversation.
#[derive(Debug, Deserialize)]
struct Row {
    tokens: Pair,
    tool_tokens: Pair,
    anthropic: Pair,
    openai: Pair,
    uncached: Pair,
    prefix_changes: f64,
    not_restored: f64,
    compressed: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Pair {
    before: f64,
    after: f64,
}

type Of = fn(&Row) -> Pair;

const BILLS: [(&str, Of); 3] = [
    ("anthropic", |row| row.anthropic),
    ("openai", |row| row.openai),
    ("uncached", |row| row.uncached),
];

pub(super) fn evaluate(options: &Options) -> Result<Vec<Figure>, EvalError> {
    let tau = replay(options, TAU)?;
    let swe = replay(options, SWE)?;
    let mut figures = vec![
        at_least(
            "compress_tau_tool_tokens_saved",
            saved(&tau, |row| row.tool_tokens),
            "share",
            0.3,
        ),
        at_least(
            "compress_tau_tokens_saved",
            saved(&tau, |row| row.tokens),
            "share",
            0.11,
        ),
    ];
    for (set, rows) in [("tau", &tau), ("swe", &swe)] {
        let sum = |of: fn(&Row) -> f64| rows.iter().map(of).sum::<f64>();
        let name = |figure: &str| format!("compress_{set}_{figure}");
        for (bill, of) in BILLS {
            let mut shares: Vec<f64> = rows.iter().map(|row| share(of(row))).collect();
            shares.sort_by(f64::total_cmp);
            let at = |part: usize| shares.get(shares.len() * part / 10).copied();
            figures.push(at_least(
                &name(&format!("{bill}_saved")),
                saved(rows, of),
                "share",
                0.001,
            ));
            for (quantile, part) in [("p50", 5), ("p10", 1), ("least", 0)] {
                let value = at(part).unwrap_or(f64::NAN);
                let name = name(&format!("{bill}_saved_{quantile}"));
                figures.push(at_least(&name, value, "share", 0.0));
            }
        }
        let changes = sum(|row| row.prefix_changes);
        figures.push(at_most(&name("prefix_changes"), changes, "blocks", 0.0));
        let lost = sum(|row| row.not_restored);
        figures.push(at_most(&name("not_restored"), lost, "blocks", 0.0));
        let compressed = sum(|row| row.compressed);
        figures.push(Figure::new(&name("blocks"), compressed, "blocks", None));
    }
    Ok(figures)
}

#[expect(
    clippy::disallowed_methods,
    reason = "no request is served here: it is the binary that is evaluated"
)]
fn replay(options: &Options, files: &[&str]) -> Result<Vec<Row>, EvalError> {
    let output = Command::new(&options.gateway)
        .args(["replay", "--json"])
        .args(files.iter().map(|file| options.data.join(file)))
        .output()
        .map_err(|source| EvalError::Io {
            what: format!("cannot start {}", options.gateway.display()),
            source,
        })?;
    if !output.status.success() {
        return Err(EvalError::Gateway {
            command: format!("replay --json {}", files.join(" ")),
            told: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| parse("a line of `skinflint replay`", line))
        .collect()
}

/// The share that was saved on all together.
fn saved(rows: &[Row], of: Of) -> f64 {
    let sum = |side: fn(Pair) -> f64| rows.iter().map(|row| side(of(row))).sum();
    share(Pair {
        before: sum(|pair| pair.before),
        after: sum(|pair| pair.after),
    })
}

fn share(pair: Pair) -> f64 {
    if pair.before > 0.0 {
        1.0 - pair.after / pair.before
    } else {
        0.0
    }
}
