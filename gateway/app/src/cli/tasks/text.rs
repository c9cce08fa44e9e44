//! Tasks as people read them.

use std::fmt::Write;

use skinflint_ledger::{AgentRow, ModelRow, Outcome, Sums, TaskRow, TaskTree};
use skinflint_money::NanoUsd;

use super::super::{
    figure::{or_dash, share, time},
    table::{Column, Table, printable},
};

/// The costliest tasks, a line each.
pub(super) fn list(tasks: &[TaskRow]) -> String {
    if tasks.is_empty() {
        return "no tasks".to_owned();
    }
    let has_notional = tasks.iter().any(|task| task.sums.notional > NanoUsd::ZERO);
    let mut table = Table::new(
        [
            Column::Left("TASK"),
            Column::Left("TENANT"),
            Column::Left("CLASS"),
            Column::Right("CALLS"),
            Column::Right("IN"),
            Column::Right("CACHED"),
            Column::Right("OUT"),
            Column::Decimal("COST"),
        ]
        .into_iter()
        .chain(has_notional.then_some(Column::Decimal("SUBSCRIBED")))
        .chain([
            Column::Decimal("SAVED"),
            Column::Left("OUTCOME"),
            Column::Left("LAST ACTIVE"),
        ]),
    );
    for task in tasks {
        let sums = &task.sums;
        table.row(
            [
                task.task.clone(),
                task.tenant.clone(),
                or_dash(task.class.as_deref()),
                task.requests.to_string(),
                sums.input().to_string(),
                share(sums.cache_read, sums.input()),
                sums.output.to_string(),
                sums.cost.to_string(),
            ]
            .into_iter()
            .chain(has_notional.then(|| sums.notional.to_string()))
            .chain([sums.saved_ours.to_string(), state(task), time(task.last_ms)]),
        );
    }
    table.to_string()
}

/// A task, its agents and its models.
pub(super) fn tree(tree: &TaskTree) -> String {
    let task = &tree.task;
    let sums = &task.sums;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // A string takes everything.
        let _infallible = writeln!(text, "{name:<9} {}", printable(value));
    };
    line("task", task.task.clone());
    line("tenant", task.tenant.clone());
    if let Some(session) = &task.session {
        line("session", session.clone());
    }
    if let Some(class) = &task.class {
        line("class", class.clone());
    }
    line("state", whole_state(task));
    line(
        "active",
        format!("{} to {}", time(task.first_ms), time(task.last_ms)),
    );
    line(
        "calls",
        format!("{} of the client, {} sent on", task.requests, sums.calls),
    );
    line("tokens", tokens(sums));
    line("cost", money(sums));
    if task.holdout {
        line("holdout", "runs unoptimised, to compare with".to_owned());
    }
    line("as asked", format!("{} USD", sums.counterfactual));
    line("saved", format!("{} USD by us", sums.saved_ours));
    line("harm", format!("{} USD by us", sums.harm));
    line(
        "cache",
        format!(
            "{} USD saved by the provider's cache",
            sums.saved_provider_cache
        ),
    );
    if !tree.agents.is_empty() {
        let _infallible = write!(text, "\n{}\n", agents(&tree.agents));
    }
    if !tree.models.is_empty() {
        let _infallible = write!(text, "\n{}\n", models(&tree.models));
    }
    text.truncate(text.trim_end().len());
    text
}

fn agents(rows: &[AgentRow]) -> Table {
    let mut table = Table::new([
        Column::Left("AGENT"),
        Column::Right("CALLS"),
        Column::Right("IN"),
        Column::Right("OUT"),
        Column::Decimal("OWN COST"),
        Column::Decimal("WITH AGENTS BELOW"),
    ]);
    for row in rows {
        let name = row.agent.as_deref().unwrap_or("(no agent)");
        table.row([
            format!("{}{name}", "  ".repeat(row.depth)),
            row.own.calls.to_string(),
            row.own.input().to_string(),
            row.own.output.to_string(),
            paid(&row.own).to_string(),
            paid(&row.subtree).to_string(),
        ]);
    }
    table
}

fn models(rows: &[ModelRow]) -> Table {
    let mut table = Table::new([
        Column::Left("MODEL"),
        Column::Left("AT"),
        Column::Right("CALLS"),
        Column::Right("IN"),
        Column::Right("CACHED"),
        Column::Right("OUT"),
        Column::Decimal("COST"),
    ]);
    for row in rows {
        let sums = &row.sums;
        table.row([
            row.model.clone(),
            row.upstream.clone(),
            sums.calls.to_string(),
            sums.input().to_string(),
            share(sums.cache_read, sums.input()),
            sums.output.to_string(),
            paid(sums).to_string(),
        ]);
    }
    table
}

/// What was paid, by whatever means.
fn paid(sums: &Sums) -> NanoUsd {
    sums.cost.saturating_add(sums.notional)
}

fn tokens(sums: &Sums) -> String {
    format!(
        "{} in ({} from the provider's cache, {} written to it), {} out ({} of reasoning)",
        sums.input(),
        share(sums.cache_read, sums.input()),
        sums.cache_write_5m.saturating_add(sums.cache_write_1h),
        sums.output,
        sums.reasoning,
    )
}

fn money(sums: &Sums) -> String {
    match sums.notional {
        NanoUsd::ZERO => format!("{} USD", sums.cost),
        notional => format!(
            "{} USD, and {notional} USD that subscriptions paid",
            sums.cost
        ),
    }
}

fn state(task: &TaskRow) -> String {
    match (task.closed_ms, task.outcome) {
        (None, Outcome::Unknown) => "open".to_owned(),
        (None, outcome) => format!("{}, open", outcome.name()),
        (Some(_), outcome) => outcome.name().to_owned(),
    }
}

fn whole_state(task: &TaskRow) -> String {
    let outcome = task.outcome.name();
    match task.closed_ms {
        None => format!("open, outcome {outcome}"),
        Some(closed) => format!(
            "closed {} by {}, outcome {outcome}",
            time(closed),
            or_dash(task.closed_by.as_deref()),
        ),
    }
}

#[cfg(test)]
mod tests;
