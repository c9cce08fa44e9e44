//! One settled attempt.

use serde::{Serialize, Serializer};
use skinflint_money::NanoUsd;
use skinflint_protocol::Usage;
use uuid::Uuid;

use crate::entry::{Money, Source, Spared};
use crate::error::LedgerError;
use crate::store::Cells;

/// An attempt as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptRow {
    /// Its id.
    pub id: Uuid,
    /// The request.
    pub request: Uuid,
    /// Which sending of it, from 1.
    pub number: u32,
    /// Who paid.
    pub tenant: String,
    /// The id of the key.
    pub key: Option<String>,
    /// The task.
    pub task: String,
    #[serde(skip)]
    pub(crate) task_id: i64,
    /// The agent.
    pub agent: Option<String>,
    /// The agents above it, the outermost first.
    pub ancestors: Vec<String>,
    /// The class.
    pub class: Option<String>,
    /// What the client tagged it with.
    pub tags: Vec<String>,
    /// The model that was asked for.
    pub model: String,
    /// Where it went.
    pub upstream: String,
    /// The model that was asked for there.
    pub upstream_model: String,
    /// The model that answered.
    pub answered_by: Option<String>,
    /// The roll-ups that count it.
    pub scopes: Vec<String>,
    /// The likely cost when it was reserved.
    pub held: NanoUsd,
    /// The most that it could cost when it was last extended.
    pub upper: NanoUsd,
    /// A subscription paid.
    pub notional: bool,
    /// The task ran unoptimised.
    pub holdout: bool,
    /// When it was reserved, in unix milliseconds.
    pub reserved_ms: i64,
    /// When it was settled, in unix milliseconds.
    pub settled_ms: i64,
    /// Where the cost comes from.
    pub source: Source,
    /// The provider's HTTP status; 0 if there was no answer.
    pub status: u16,
    /// From the reservation to the end of the answer, in milliseconds.
    pub latency_ms: u64,
    /// To the first byte of the answer, in milliseconds.
    pub ttft_ms: Option<u64>,
    /// The tokens.
    #[serde(with = "Tokens")]
    pub usage: Usage,
    /// The tier of prices.
    pub tier: String,
    /// The price table.
    pub price_version: String,
    /// The money.
    #[serde(flatten)]
    pub money: Money,
    /// The lines of the receipt, JSON.
    #[serde(serialize_with = "as_json")]
    pub lines: String,
    /// The provider's id of the answer.
    pub response: Option<String>,
    /// What we kept out of the prompt.
    pub spared: Spared,
}

/// How [`Usage`] is written.
#[derive(Serialize)]
#[serde(remote = "Usage")]
struct Tokens {
    fresh_input: u64,
    cache_read: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
    output: u64,
    reasoning: u64,
    audio_input: u64,
    audio_output: u64,
    server_tool_uses: u64,
}

/// What [`AttemptRow::read`] reads, of `attempts AS a` joined with `tasks AS t`.
macro_rules! attempt_columns {
    () => {
        "a.id, a.request, a.number, a.tenant, a.key_id, t.task, a.task, a.agent, a.ancestors, a.class, a.tags, \
         a.model, a.upstream, a.upstream_model, a.answered_by, a.scopes, a.held, a.upper, a.notional, a.holdout, \
         a.reserved_ms, a.settled_ms, a.source, a.status, a.latency_ms, a.ttft_ms, a.fresh_input, a.cache_read, \
         a.cache_write_5m, a.cache_write_1h, a.output, a.reasoning, a.audio_input, a.audio_output, \
         a.server_tool_uses, a.tier, a.price_version, a.cost, a.counterfactual, a.saved_provider_cache, \
         a.saved_ours, a.harm, a.lines, a.response, a.spared_new, a.spared_earlier, a.extra \
         FROM attempts AS a JOIN tasks AS t ON t.id = a.task"
    };
}
pub(crate) use attempt_columns;

impl AttemptRow {
    pub(crate) fn read(row: &mut Cells) -> Result<Self, LedgerError> {
        Ok(Self {
            id: row.id()?,
            request: row.id()?,
            number: row.small()?,
            tenant: row.text()?,
            key: row.text_if()?,
            task: row.text()?,
            task_id: row.int()?,
            agent: row.text_if()?,
            ancestors: row.list()?,
            class: row.text_if()?,
            tags: row.list()?,
            model: row.text()?,
            upstream: row.text()?,
            upstream_model: row.text()?,
            answered_by: row.text_if()?,
            scopes: row.list()?,
            held: row.amount()?,
            upper: row.amount()?,
            notional: row.flag()?,
            holdout: row.flag()?,
            reserved_ms: row.int()?,
            settled_ms: row.int()?,
            source: row.named(Source::named)?,
            status: row.small()?,
            latency_ms: row.count()?,
            ttft_ms: row.count_if()?,
            usage: Usage {
                fresh_input: row.count()?,
                cache_read: row.count()?,
                cache_write_5m: row.count()?,
                cache_write_1h: row.count()?,
                output: row.count()?,
                reasoning: row.count()?,
                audio_input: row.count()?,
                audio_output: row.count()?,
                server_tool_uses: row.count()?,
            },
            tier: row.text()?,
            price_version: row.text()?,
            money: Money {
                cost: row.amount()?,
                counterfactual: row.amount()?,
                saved_provider_cache: row.delta()?,
                saved_ours: row.delta()?,
                harm: row.delta()?,
            },
            lines: row.text()?,
            response: row.text_if()?,
            spared: Spared {
                new: row.count()?,
                earlier: row.count()?,
                extra: row.flag()?,
            },
        })
    }
}

/// Writes text that is JSON as that, and any other text as a string.
pub(crate) fn as_json<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(json) => json.serialize(serializer),
        Err(_) => serializer.serialize_str(text),
    }
}
