//! `skinflint explain`

use std::fmt::Write;

use clap::Args;
use serde_json::{Map, Value};
use skinflint_ledger::{AttemptRow, Explanation, RequestRow, Source};

use super::{
    Outcome, books,
    figure::time,
    table::{Column, Table, printable},
};
use crate::inquiry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    books: books::LedgerArguments,
    /// The request's id, as the answer's header `x-skinflint-request-id` tells it
    request: String,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let config = arguments.books.load()?;
    books::run(async {
        let reader = books::reader(&config).await?;
        let found = inquiry::request(&reader, &arguments.request).await?;
        arguments.books.print(&found, text)
    })
}

/// Lines of a name and a value each.
#[derive(Default)]
struct Lines(String);

fn text(found: &Explanation) -> String {
    let mut lines = Lines::default();
    match &found.request {
        Some(request) => lines.request(request),
        None => lines.line("receipt", "none: the gateway ended before it was written"),
    }
    for attempt in &found.attempts {
        lines.attempt(attempt);
    }
    lines.blank();
    lines.line("total", format_args!("{} USD", found.cost));
    if found.notional.get() > 0 {
        let notional = format_args!("{} USD that a subscription paid", found.notional);
        lines.line("beside", notional);
    }
    lines.0.truncate(lines.0.trim_end().len());
    lines.0
}

// === impl Lines ===

impl Lines {
    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        // A string takes everything.
        let _infallible = writeln!(self.0, "{name:<11} {}", printable(value.to_string()));
    }

    /// Says nothing of what is not known.
    fn known(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    fn blank(&mut self) {
        self.0.push('\n');
    }

    fn request(&mut self, request: &RequestRow) {
        self.line("request", format_args!("req_{}", request.request.simple()));
        self.line("came", time(request.at_ms));
        let tenant = Some(request.tenant.as_str()).filter(|tenant| !tenant.is_empty());
        self.known("tenant", tenant);
        self.known("key", request.key.as_deref());
        self.known("task", request.task.as_deref());
        self.known("session", request.session.as_deref());
        self.known("agent", request.agent.as_deref());
        self.known("agent above", request.parent.as_deref());
        self.known("class", request.class.as_deref());
        if !request.tags.is_empty() {
            self.line("tags", request.tags.join(", "));
        }
        self.line("endpoint", &request.endpoint);
        self.known("model", request.model.as_deref());
        self.known("route", request.route.as_deref());
        let failure = request.error.as_deref();
        let failure = failure
            .map(|error| format!(" ({error})"))
            .unwrap_or_default();
        self.line(
            "answer",
            format_args!("{} {}{failure}", request.status, request.outcome),
        );
        if let (Some(before), Some(after)) = (request.tokens_before, request.tokens_after) {
            self.line("prompt", format_args!("{before} tokens, sent as {after}"));
        }
        if request.holdout {
            self.line("holdout", "the task runs unoptimised, to compare with");
        }
        self.known("prices", request.price_version.as_deref());
        self.line(
            "policies",
            format_args!("generation {}", request.generation),
        );
        self.decisions(&request.decisions);
    }

    /// What the layers decided, in order, in the words of the decisions themselves.
    fn decisions(&mut self, json: &str) {
        let Ok(decisions) = serde_json::from_str::<Vec<Map<String, Value>>>(json) else {
            return self.line("decisions", "not readable");
        };
        for mut decision in decisions {
            let name = decision.remove("decision");
            let name = name.as_ref().and_then(Value::as_str).unwrap_or("decided");
            let facts: Vec<String> = decision.iter().map(fact).collect();
            let facts = facts.join(", ");
            let separator = if facts.is_empty() { "" } else { ": " };
            let name = name.replace('_', " ");
            self.line("decision", format_args!("{name}{separator}{facts}"));
        }
    }

    fn attempt(&mut self, attempt: &AttemptRow) {
        self.blank();
        self.line(
            &format!("attempt {}", attempt.number),
            format_args!("{} at {}", attempt.upstream_model, attempt.upstream),
        );
        self.known("answered by", attempt.answered_by.as_deref());
        self.known("response", attempt.response.as_deref());
        let first = attempt
            .ttft_ms
            .map(|ms| format!(", the first byte after {ms} ms"));
        let status = match attempt.status {
            0 => "no answer".to_owned(),
            status => status.to_string(),
        };
        self.line(
            "answer",
            format_args!(
                "{status} after {} ms{}",
                attempt.latency_ms,
                first.unwrap_or_default()
            ),
        );
        self.line(
            "reserved",
            format_args!("{} USD likely, {} USD at most", attempt.held, attempt.upper),
        );
        self.line("settled", source(attempt.source));
        let tier = match attempt.tier.as_str() {
            "" => String::new(),
            tier => format!(", tier {tier}"),
        };
        self.line("prices", format_args!("{}{tier}", attempt.price_version));
        self.blank();
        // A string takes everything.
        let _infallible = write!(self.0, "{}\n\n", receipt(attempt));
        let money = &attempt.money;
        let whose = if attempt.notional {
            " that a subscription paid"
        } else {
            ""
        };
        self.line("cost", format_args!("{} USD{whose}", money.cost));
        self.line("as asked", format_args!("{} USD", money.counterfactual));
        self.line("saved", format_args!("{} USD by us", money.saved_ours));
        self.line("harm", format_args!("{} USD by us", money.harm));
        self.line(
            "cache",
            format_args!(
                "{} USD saved by the provider's cache",
                money.saved_provider_cache
            ),
        );
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Provider => "by what the provider says was used",
        Source::Counted => "by our own count: the provider did not say what was used",
        Source::UpperBound => "at the most that it can have cost: nobody knows what was used",
        Source::Crash => "at the most that it can have cost: the gateway ended in between",
        Source::Declined => "at nothing: the provider declined",
    }
}

/// Tokens and money by kind, those of which there are any.
fn receipt(attempt: &AttemptRow) -> Table {
    let usage = &attempt.usage;
    let counts = [
        ("fresh_input", usage.fresh_input),
        ("cache_read", usage.cache_read),
        ("cache_write_5m", usage.cache_write_5m),
        ("cache_write_1h", usage.cache_write_1h),
        ("output", usage.output),
        ("reasoning", usage.reasoning),
        ("audio_input", usage.audio_input),
        ("audio_output", usage.audio_output),
        ("tools", usage.server_tool_uses),
    ];
    let mut money: Map<String, Value> = serde_json::from_str(&attempt.lines).unwrap_or_default();
    let mut table = Table::new([
        Column::Left("LINE"),
        Column::Right("COUNT"),
        Column::Decimal("USD"),
    ]);
    for (kind, count) in counts {
        let usd = money.remove(kind);
        let usd = usd.as_ref().and_then(Value::as_str).unwrap_or("-");
        if count > 0 || !["-", "0.00"].contains(&usd) {
            table.row([kind.replace('_', " "), count.to_string(), usd.to_owned()]);
        }
    }
    for (line, usd) in &money {
        let usd = usd.as_str().map_or_else(|| usd.to_string(), str::to_owned);
        table.row([line.replace('_', " "), "-".to_owned(), usd]);
    }
    table
}

fn fact((name, value): (&String, &Value)) -> String {
    let told = match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    match name.strip_suffix("_usd") {
        Some(name) => format!("{} {told} USD", name.replace('_', " ")),
        None => format!("{} {told}", name.replace('_', " ")),
    }
}

#[cfg(test)]
mod tests;
