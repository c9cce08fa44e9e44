//! `skinflint replay`

mod billing;
mod trajectory;

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use serde::Serialize;
use skinflint_compressor::{Omission, jton, restore};
use skinflint_decisions::DecisionStore;
use skinflint_policies::CompressMode;
use skinflint_protocol::{BlockKind, JsonLimits, RequestView};
use skinflint_tokens::Encoding;
use skinflint_upstream::InFlight;
use tokio::time::Instant;

use self::{
    billing::{Bill, Blocks, TokenMemory, number},
    trajectory::{Trajectory, read},
};
use super::{
    Outcome, out,
    table::{Column, Table},
};
use crate::{
    compression::{Compression, Terms, restore_references},
    drain::Drain,
    metrics::Metrics,
    trials::Trials,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files with recorded conversations
    #[arg(required = true, value_name = "TRAJECTORY")]
    files: Vec<PathBuf>,
    /// What is done to results of tools: `off`, `safe` or `balanced`
    #[arg(long, default_value = "safe", value_parser = mode, value_name = "MODE")]
    compress: CompressMode,
    /// One JSON object a conversation
    #[arg(long)]
    json: bool,
}

/// How often the last call is put together again to take the time.
const TIMES: usize = 51;

/// What became of one conversation. Tokens are o200k's; costs are in tokens of fresh input.
#[derive(Debug, Default, Serialize)]
struct Row {
    name: String,
    calls: u64,
    /// Of the whole conversation, once.
    tokens: Pair<u64>,
    /// Of the results of its tools.
    tool_tokens: Pair<u64>,
    /// All calls together, as Anthropic bills them: cache reads 0.1, writes 1.25.
    anthropic: Pair<f64>,
    /// As OpenAI does: cache reads 0.1 in steps of 128 tokens from 1,024, no writes.
    openai: Pair<f64>,
    /// Without a cache.
    uncached: Pair<f64>,
    /// Blocks that were sent otherwise than in the call before.
    prefix_changes: u64,
    /// Compressed texts that do not come back as they were.
    not_restored: u64,
    /// Texts that were compressed.
    compressed: u64,
    /// Of these, such as lost spaces at the ends of lines.
    normalised: u64,
    /// Of the compressed ones, those of which a part is left out.
    omitted: u64,
    /// What it takes to put the last call together again, where all of it is known: the median in milliseconds.
    again_ms: f64,
}

/// A figure as the client sends, and as it would be sent on.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Pair<T> {
    before: T,
    after: T,
}

fn mode(name: &str) -> Result<CompressMode, String> {
    CompressMode::named(name).ok_or_else(|| "expected `off`, `safe` or `balanced`".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    Encoding::O200k.load();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let mut memory = TokenMemory::default();
    let mut rows = Vec::new();
    for path in &arguments.files {
        for trajectory in read(path)? {
            let row = runtime.block_on(replay(&trajectory, arguments.compress, &mut memory))?;
            if arguments.json {
                out::line(serde_json::to_string(&row)?);
            }
            rows.push(row);
        }
    }
    if !arguments.json {
        print(&rows);
    }
    Ok(())
}

/// Sends the calls of a conversation one after the other.
async fn replay(
    trajectory: &Trajectory,
    mode: CompressMode,
    memory: &mut TokenMemory,
) -> Result<Row, Box<dyn std::error::Error>> {
    let (metrics, _) = Metrics::new(InFlight::default());
    let trials = Trials::in_memory(metrics, Drain::default());
    let compression = Compression::new(DecisionStore::in_memory(1 << 30), trials).without_hurry();
    let mut row = Row {
        name: trajectory.name.clone(),
        ..Row::default()
    };
    let (mut before, mut after) = (Bill::default(), Bill::default());
    for body in trajectory.calls(mode > CompressMode::Safe)? {
        let view = RequestView::parse(trajectory.endpoint, &body, JsonLimits::default())
            .map_err(|error| format!("{}: {error}", trajectory.name))?;
        let view = Arc::new(view);
        let terms = terms(mode, trajectory);
        let done = compression.compress(terms, &view, &body).await;
        let (sent_view, sent) = done.request(&view, &body)?;
        let as_it_came = Blocks::of(&view, &body, memory);
        let as_it_is_sent = Blocks::of(&sent_view, &sent, memory);
        row.calls += 1;
        before.call(&as_it_came);
        row.prefix_changes += after.call(&as_it_is_sent);
        row.tokens = Pair {
            before: as_it_came.tokens(),
            after: as_it_is_sent.tokens(),
        };
        row.tool_tokens = Pair {
            before: as_it_came.tokens_of(BlockKind::ToolResult),
            after: as_it_is_sent.tokens_of(BlockKind::ToolResult),
        };
        row.check(&as_it_came, &as_it_is_sent);
    }
    row.again_ms = again(&compression, mode, trajectory).await?;
    let pair = |of: fn(&Bill) -> f64| Pair {
        before: of(&before),
        after: of(&after),
    };
    row.anthropic = pair(|bill| bill.anthropic);
    row.openai = pair(|bill| bill.openai);
    row.uncached = pair(|bill| bill.uncached);
    Ok(row)
}

/// Nothing is tried, and nothing is waited for.
fn terms(mode: CompressMode, trajectory: &Trajectory) -> Terms<'_> {
    Terms {
        mode,
        tenant: "replay",
        task: &trajectory.name,
        trial: None,
        prose: None,
        window: None,
        compacted: false,
    }
}

/// Puts the last call of a conversation together again and again.
async fn again(
    compression: &Compression,
    mode: CompressMode,
    trajectory: &Trajectory,
) -> Result<f64, Box<dyn std::error::Error>> {
    let Some(body) = trajectory.calls(mode > CompressMode::Safe)?.pop() else {
        return Ok(0.0);
    };
    let view = RequestView::parse(trajectory.endpoint, &body, JsonLimits::default())?;
    let view = Arc::new(view);
    let terms = terms(mode, trajectory);
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = Instant::now();
        let done = compression.compress(terms, &view, &body).await;
        let _sent = done.request(&view, &body)?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[TIMES / 2].as_secs_f64() * 1e3)
}

impl Row {
    /// Whether all texts that were changed come back; those of the last call are all.
    fn check(&mut self, before: &Blocks, after: &Blocks) {
        (self.compressed, self.not_restored, self.normalised) = (0, 0, 0);
        self.omitted = 0;
        let sent = after;
        for (before, after) in before.texts().zip(after.texts()) {
            if before == after {
                continue;
            }
            self.compressed += 1;
            if Omission::split(after).is_some() {
                self.omitted += 1;
                continue;
            }
            let restored = restore_references(after, sent.texts_of(BlockKind::ToolResult));
            let restored = restored.and_then(|text| restore(&text).ok());
            let is_whole = restored.as_deref() == Some(before);
            let is_json = jton::minify(before).ok() == restored && restored.is_some();
            let normal = skinflint_compressor::log::normalise::normalise(before);
            let is_normal = normal.is_some_and(|(normal, _)| Some(normal) == restored);
            if is_normal {
                self.normalised += 1;
            } else if !is_whole && !is_json {
                self.not_restored += 1;
            }
        }
    }
}

/// Savings by conversation, and what they come to.
fn print(rows: &[Row]) {
    let share = |pair: Pair<f64>| format!("{:.1}%", saved(pair) * 100.0);
    let count = |pair: Pair<u64>| Pair {
        before: number(pair.before),
        after: number(pair.after),
    };
    let mut table = Table::new([
        Column::Left("CONVERSATION"),
        Column::Right("CALLS"),
        Column::Right("TOKENS"),
        Column::Right("OF TOOLS"),
        Column::Right("SAVED"),
        Column::Right("OF TOOLS"),
        Column::Right("ANTHROPIC"),
        Column::Right("OPENAI"),
        Column::Right("NO CACHE"),
        Column::Right("PREFIX CHANGES"),
    ]);
    for row in rows {
        table.row([
            row.name.clone(),
            row.calls.to_string(),
            row.tokens.before.to_string(),
            row.tool_tokens.before.to_string(),
            share(count(row.tokens)),
            share(count(row.tool_tokens)),
            share(row.anthropic),
            share(row.openai),
            share(row.uncached),
            row.prefix_changes.to_string(),
        ]);
    }
    out::line(table);
}

/// The share that was saved; negative where it costs more.
fn saved(pair: Pair<f64>) -> f64 {
    if pair.before > 0.0 {
        1.0 - pair.after / pair.before
    } else {
        0.0
    }
}
