//! The statements that write, and the rows that they take.

use crate::entry::{RequestRow, Reservation, Settlement};
use crate::store::{Conflict, Insert, Value};

/// Opens reservations, and raises those that are open.
pub(crate) static RESERVE: Insert = Insert::new(
    "reservations",
    &[
        "attempt", "node", "tenant", "task", "upper", "notional", "at_ms", "call",
    ],
    Conflict::Merge(
        "ON CONFLICT (attempt) DO UPDATE SET upper = CASE WHEN excluded.upper > reservations.upper \
         THEN excluded.upper ELSE reservations.upper END",
    ),
);

/// Ends reservations.
pub(crate) static RELEASE: Insert = Insert::new("reservations", &["attempt"], Conflict::Delete);

/// Adds settled attempts, each once.
pub(crate) static ATTEMPTS: Insert = Insert::new(
    "attempts",
    &[
        "id",
        "request",
        "number",
        "tenant",
        "key_id",
        "task",
        "agent",
        "ancestors",
        "class",
        "tags",
        "model",
        "upstream",
        "upstream_model",
        "answered_by",
        "scopes",
        "held",
        "upper",
        "notional",
        "holdout",
        "reserved_ms",
        "settled_ms",
        "source",
        "status",
        "latency_ms",
        "ttft_ms",
        "fresh_input",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "output",
        "reasoning",
        "audio_input",
        "audio_output",
        "server_tool_uses",
        "tier",
        "price_version",
        "cost",
        "counterfactual",
        "saved_provider_cache",
        "saved_ours",
        "harm",
        "lines",
        "response",
        "spared_new",
        "spared_earlier",
        "extra",
    ],
    Conflict::Keep("id"),
);

/// Adds receipts of requests, each once.
pub(crate) static REQUESTS: Insert = Insert::new(
    "requests",
    &[
        "id",
        "at_ms",
        "tenant",
        "key_id",
        "task",
        "session",
        "agent",
        "parent",
        "class",
        "tags",
        "endpoint",
        "model",
        "route",
        "status",
        "outcome",
        "error",
        "tokens_before",
        "tokens_after",
        "holdout",
        "decisions",
        "price_version",
        "generation",
    ],
    Conflict::Keep("id"),
);

/// Keeps the size of answers that later calls can name.
pub(crate) static RESPONSES: Insert = Insert::new(
    "responses",
    &["tenant", "id", "tokens"],
    Conflict::Keep("tenant, id"),
);

/// Adds to tasks. A call that began after a task was closed opens it again; its outcome stays until it is set anew.
pub(crate) static TASKS: Insert = Insert::new(
    "tasks",
    &[
        "tenant",
        "task",
        "session",
        "class",
        "first_ms",
        "last_ms",
        "begun_ms",
        "requests",
        "holdout",
        "calls",
        "fresh_input",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "output",
        "reasoning",
        "cost",
        "notional",
        "counterfactual",
        "saved_provider_cache",
        "saved_ours",
        "harm",
    ],
    Conflict::Merge(
        "ON CONFLICT (tenant, task) DO UPDATE SET \
         session = COALESCE(tasks.session, excluded.session), \
         class = COALESCE(tasks.class, excluded.class), \
         first_ms = CASE WHEN excluded.first_ms < tasks.first_ms THEN excluded.first_ms ELSE tasks.first_ms END, \
         last_ms = CASE WHEN excluded.last_ms > tasks.last_ms THEN excluded.last_ms ELSE tasks.last_ms END, \
         begun_ms = CASE WHEN excluded.begun_ms > tasks.begun_ms THEN excluded.begun_ms ELSE tasks.begun_ms END, \
         closed_ms = CASE WHEN excluded.begun_ms > tasks.closed_ms THEN NULL ELSE tasks.closed_ms END, \
         closed_by = CASE WHEN excluded.begun_ms > tasks.closed_ms THEN NULL ELSE tasks.closed_by END, \
         requests = tasks.requests + excluded.requests, \
         holdout = CASE WHEN excluded.holdout > tasks.holdout THEN excluded.holdout ELSE tasks.holdout END, \
         calls = tasks.calls + excluded.calls, \
         fresh_input = tasks.fresh_input + excluded.fresh_input, \
         cache_read = tasks.cache_read + excluded.cache_read, \
         cache_write_5m = tasks.cache_write_5m + excluded.cache_write_5m, \
         cache_write_1h = tasks.cache_write_1h + excluded.cache_write_1h, \
         output = tasks.output + excluded.output, \
         reasoning = tasks.reasoning + excluded.reasoning, \
         cost = tasks.cost + excluded.cost, \
         notional = tasks.notional + excluded.notional, \
         counterfactual = tasks.counterfactual + excluded.counterfactual, \
         saved_provider_cache = tasks.saved_provider_cache + excluded.saved_provider_cache, \
         saved_ours = tasks.saved_ours + excluded.saved_ours, \
         harm = tasks.harm + excluded.harm \
         RETURNING id, tenant, task",
    ),
);

/// Adds to the roll-ups of hours.
pub(crate) static HOURS: Insert = Insert::new(
    "usage_hours",
    &[
        "scope",
        "tenant",
        "hour",
        "calls",
        "fresh_input",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "output",
        "reasoning",
        "cost",
        "notional",
        "counterfactual",
        "saved_provider_cache",
        "saved_ours",
        "harm",
    ],
    Conflict::Merge(
        "ON CONFLICT (scope, tenant, hour) DO UPDATE SET \
         calls = usage_hours.calls + excluded.calls, \
         fresh_input = usage_hours.fresh_input + excluded.fresh_input, \
         cache_read = usage_hours.cache_read + excluded.cache_read, \
         cache_write_5m = usage_hours.cache_write_5m + excluded.cache_write_5m, \
         cache_write_1h = usage_hours.cache_write_1h + excluded.cache_write_1h, \
         output = usage_hours.output + excluded.output, \
         reasoning = usage_hours.reasoning + excluded.reasoning, \
         cost = usage_hours.cost + excluded.cost, \
         notional = usage_hours.notional + excluded.notional, \
         counterfactual = usage_hours.counterfactual + excluded.counterfactual, \
         saved_provider_cache = usage_hours.saved_provider_cache + excluded.saved_provider_cache, \
         saved_ours = usage_hours.saved_ours + excluded.saved_ours, \
         harm = usage_hours.harm + excluded.harm",
    ),
);

/// A row for [`RESERVE`].
pub(crate) fn reservation(row: &Reservation, node: &str, call: String) -> [Value; 8] {
    [
        row.attempt.into(),
        node.into(),
        (&row.tenant).into(),
        (&row.task).into(),
        row.upper.into(),
        row.notional.into(),
        row.at_ms.into(),
        call.into(),
    ]
}

/// Adds a row for [`ATTEMPTS`].
pub(crate) fn attempt(
    values: &mut Vec<Value>,
    reserved: &Reservation,
    settled: &Settlement,
    task: i64,
) {
    let usage = &settled.usage;
    let money = &settled.money;
    values.extend([
        reserved.attempt.into(),
        reserved.request.into(),
        reserved.number.into(),
        (&reserved.tenant).into(),
        (&reserved.key).into(),
        task.into(),
        (&reserved.agent).into(),
        list(&reserved.ancestors),
        (&reserved.class).into(),
        list(&reserved.tags),
        (&reserved.model).into(),
        (&reserved.upstream).into(),
        (&reserved.upstream_model).into(),
        (&settled.answered_by).into(),
        json(&reserved.scopes).into(),
        reserved.held.into(),
        reserved.upper.into(),
        reserved.notional.into(),
        reserved.holdout.into(),
        reserved.at_ms.into(),
        settled.at_ms.into(),
        settled.source.name().into(),
        u32::from(settled.status).into(),
        settled.latency_ms.into(),
        maybe(settled.ttft_ms),
        usage.fresh_input.into(),
        usage.cache_read.into(),
        usage.cache_write_5m.into(),
        usage.cache_write_1h.into(),
        usage.output.into(),
        usage.reasoning.into(),
        usage.audio_input.into(),
        usage.audio_output.into(),
        usage.server_tool_uses.into(),
        (&settled.tier).into(),
        (&reserved.price_version).into(),
        money.cost.into(),
        money.counterfactual.into(),
        money.saved_provider_cache.into(),
        money.saved_ours.into(),
        money.harm.into(),
        (&settled.lines).into(),
        (&settled.response).into(),
        reserved.spared.new.into(),
        reserved.spared.earlier.into(),
        reserved.spared.extra.into(),
    ]);
}

/// Adds a row for [`REQUESTS`].
pub(crate) fn request(values: &mut Vec<Value>, row: &RequestRow, task: Option<i64>) {
    values.extend([
        row.request.into(),
        row.at_ms.into(),
        (&row.tenant).into(),
        (&row.key).into(),
        task.into(),
        (&row.session).into(),
        (&row.agent).into(),
        (&row.parent).into(),
        (&row.class).into(),
        list(&row.tags),
        (&row.endpoint).into(),
        (&row.model).into(),
        (&row.route).into(),
        u32::from(row.status).into(),
        (&row.outcome).into(),
        (&row.error).into(),
        maybe(row.tokens_before),
        maybe(row.tokens_after),
        row.holdout.into(),
        (&row.decisions).into(),
        (&row.price_version).into(),
        row.generation.into(),
    ]);
}

fn maybe(number: Option<u64>) -> Value {
    Value::Int(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)))
}

/// A list of names as JSON; none if it is empty.
fn list(names: &[String]) -> Value {
    Value::from((!names.is_empty()).then(|| json(names)))
}

/// Strings always have a form in JSON.
pub(crate) fn json(names: &[String]) -> String {
    serde_json::to_string(names).unwrap_or_default()
}
