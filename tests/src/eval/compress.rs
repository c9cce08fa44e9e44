//! Recorded conversations of agents, priced with and without compression.

use std::process::Command;

use serde::Deserialize;
use serde_json::json;

use super::{EvalError, Options, at_least, at_most, parse};
use crate::figure::Figure;

const TAU: &[&str] = &["tau_bench/airline_trajectories.anthropic.jsonl"];
/// The same as OpenAI's clients send them: a provider's rules hold for what it is sent.
const TAU_OPENAI: &[&str] = &["tau_bench/airline_trajectories.json"];
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
    omitted: f64,
    again_ms: f64,
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
    let tau = replay(options, "safe", TAU)?;
    let tau_openai = replay(options, "safe", TAU_OPENAI)?;
    let swe = replay(options, "safe", SWE)?;
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
    for (set, rows, openai) in [("tau", &tau, &tau_openai), ("swe", &swe, &swe)] {
        let sum = |of: fn(&Row) -> f64| {
            let all = rows.iter().chain(openai.iter().filter(|_| set == "tau"));
            all.map(of).sum::<f64>()
        };
        let name = |figure: &str| format!("compress_{set}_{figure}");
        for (bill, of) in BILLS {
            let rows = if bill == "openai" { openai } else { rows };
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
    for (set, files) in [("tau", TAU), ("swe", SWE)] {
        figures.extend(balanced(options, set, files)?);
    }
    figures.push(known_turn(options)?);
    Ok(figures)
}

/// What leaving something out saves beside that, the gateway's own tool paid for.
fn balanced(options: &Options, set: &str, files: &[&str]) -> Result<Vec<Figure>, EvalError> {
    let rows = replay(options, "balanced", files)?;
    let name = |figure: &str| format!("compress_{set}_balanced_{figure}");
    let bills = BILLS.iter().map(|(bill, of)| {
        Figure::new(
            &name(&format!("{bill}_saved")),
            saved(&rows, *of),
            "share",
            None,
        )
    });
    let mut figures: Vec<_> = bills.collect();
    let sum = |of: fn(&Row) -> f64| rows.iter().map(of).sum::<f64>();
    let (cut, changes) = (sum(|row| row.omitted), sum(|row| row.prefix_changes));
    figures.push(Figure::new(&name("cut"), cut, "blocks", None));
    figures.push(at_most(&name("prefix_changes"), changes, "blocks", 0.0));
    Ok(figures)
}

/// What it takes to put a turn of 400 KB together of which all results are known: reading its blocks, finding what was
/// decided, and writing the request anew.
fn known_turn(options: &Options) -> Result<Figure, EvalError> {
    let rows = |turn: u32| -> String {
        let row = |row: u32| json!({ "id": turn * 1000 + row, "name": format!("row {row} of {turn}"), "state": "open" });
        json!((0..330).map(row).collect::<Vec<_>>()).to_string()
    };
    let mut messages = vec![json!({ "role": "user", "content": "Go on." })];
    for turn in 0..20 {
        let id = format!("toolu_{turn}");
        let call = json!({ "type": "tool_use", "id": id, "name": "list", "input": {} });
        messages.push(json!({ "role": "assistant", "content": [call] }));
        let result = json!({ "type": "tool_result", "tool_use_id": id, "content": rows(turn) });
        messages.push(json!({ "role": "user", "content": [result] }));
    }
    messages.push(json!({ "role": "assistant", "content": "Done." }));
    let folder = tempfile::tempdir().map_err(|source| EvalError::Io {
        what: "no folder for a conversation".to_owned(),
        source,
    })?;
    let path = folder.path().join("known.json");
    std::fs::write(&path, json!({ "messages": messages }).to_string()).map_err(|source| {
        EvalError::Io {
            what: format!("cannot write {}", path.display()),
            source,
        }
    })?;
    let rows = replay(options, "safe", &[&path.to_string_lossy()])?;
    let worst = rows.iter().map(|row| row.again_ms).fold(0.0, f64::max);
    Ok(at_most("compress_known_turn", worst, "ms", 0.2))
}

#[expect(
    clippy::disallowed_methods,
    reason = "no request is served here: it is the binary that is evaluated"
)]
fn replay(options: &Options, mode: &str, files: &[&str]) -> Result<Vec<Row>, EvalError> {
    let output = Command::new(&options.gateway)
        .args(["replay", "--json", "--compress", mode])
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
