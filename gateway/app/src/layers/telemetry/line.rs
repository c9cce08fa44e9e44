//! The log line and the counts of one call.

use std::time::Duration;

use http::StatusCode;
use skinflint_ledger::RequestRow;
use skinflint_policies::TenantId;
use skinflint_protocol::{StopReason, Usage};

use super::TelemetryLayer;
use crate::{
    attribution::{Attribution, Label},
    clock,
    logs::{CallRecord, Tokens},
    metrics::{CallLabels, RouteLabels, TokenLabels},
    receipt::{Entries, Receipt},
};

/// A call that has not been written down yet; it is when this is dropped.
#[derive(Debug)]
pub(super) struct CallLine {
    receipt: Receipt,
    layer: TelemetryLayer,
    /// Of the response, once there is one.
    pub(super) status: Option<StatusCode>,
    /// Bytes of the response body.
    pub(super) bytes_out: usize,
    /// Whether the response body has gone out to its end.
    pub(super) ended: bool,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Answered to the end.
    Answered,
    /// Refused by the gateway, or declined by the provider.
    Refused,
    /// The gateway or the provider failed.
    Failed,
    /// The client left before the end.
    ClientGone,
}

/// A status of the field's for a client that left before it was answered; it goes out to nobody.
const CLIENT_CLOSED_REQUEST: u16 = 499;

// === impl CallLine ===

impl CallLine {
    pub(super) fn open(receipt: Receipt, layer: TelemetryLayer) -> Self {
        Self {
            receipt,
            layer,
            status: None,
            bytes_out: 0,
            ended: false,
        }
    }

    fn outcome(&self, entries: &Entries) -> Outcome {
        let server_error = self.status.is_some_and(|status| status.is_server_error());
        let success = self.status.is_some_and(|status| status.is_success());
        if !self.ended && !entries.complete && entries.failure.is_none() {
            Outcome::ClientGone
        } else if server_error || (success && entries.failure.is_some()) {
            Outcome::Failed
        } else if success {
            Outcome::Answered
        } else {
            Outcome::Refused
        }
    }

    fn count(&self, entries: &Entries, status: u16, outcome: Outcome, route: &str) {
        let duration = self.receipt.elapsed();
        let labels = RouteLabels {
            route: route.to_owned(),
        };
        self.layer
            .metrics
            .duration
            .get_or_create(&labels)
            .observe(duration.as_secs_f64());
        if let Some(first_token) = entries.first_token {
            self.layer
                .metrics
                .first_token
                .get_or_create(&labels)
                .observe(first_token.as_secs_f64());
        }
        for (kind, count) in entries.total_usage().iter().flat_map(kinds) {
            let labels = TokenLabels {
                route: route.to_owned(),
                kind,
            };
            self.layer
                .metrics
                .tokens
                .get_or_create(&labels)
                .inc_by(count);
        }
        self.layer
            .metrics
            .calls
            .get_or_create(&CallLabels {
                endpoint: self.receipt.surface().label(),
                route: route.to_owned(),
                status,
                outcome: outcome.label(),
            })
            .inc();
    }
}

impl CallLine {
    /// Keeps the receipt in the ledger: of every call whose caller is known, as strangers shall not fill the disk.
    fn keep(&self, entries: &Entries, status: u16, outcome: Outcome, route: &str) {
        let (Some(tenant), Some(_)) = (&entries.tenant, self.layer.accounting.books()) else {
            return;
        };
        let attribution = entries.attribution.as_deref();
        let label = |pick: fn(&Attribution) -> Option<&Label>| {
            attribution.and_then(pick).map(ToString::to_string)
        };
        let now = clock::unix_millis();
        let elapsed = i64::try_from(self.receipt.elapsed().as_millis()).unwrap_or(0);
        let decisions = serde_json::to_string(&entries.decisions);
        let input = entries.total_usage().as_ref().map(Usage::input);
        self.layer.accounting.record(RequestRow {
            request: self.receipt.id().uuid(),
            at_ms: now.saturating_sub(elapsed),
            tenant: tenant.to_string(),
            key: entries.key.as_ref().map(ToString::to_string),
            task: label(|of| Some(&of.task)),
            session: label(|of| of.session.as_ref()),
            agent: label(|of| of.agent.as_ref()),
            parent: label(|of| of.parent.as_ref()),
            class: label(|of| of.class.as_ref()),
            tags: attribution
                .into_iter()
                .flat_map(|of| of.tags.iter().map(ToString::to_string))
                .collect(),
            endpoint: self.receipt.surface().label().to_owned(),
            model: entries.model.clone(),
            route: Some(route.to_owned()),
            status,
            outcome: outcome.label().to_owned(),
            error: entries
                .failure
                .as_ref()
                .map(|failure| failure.label.to_owned()),
            tokens_before: input.map(|input| input.saturating_add(entries.tokens_spared)),
            tokens_after: input,
            holdout: entries.holdout,
            decisions: decisions.unwrap_or_else(|_| "[]".to_owned()),
            price_version: entries.price_version.as_deref().map(str::to_owned),
            generation: entries.generation,
        });
        if let (Some(task), Some(outcome)) = (label(|of| Some(&of.task)), entries.task_outcome) {
            self.layer.accounting.close_task(tenant, task, outcome);
        }
    }
}

impl Drop for CallLine {
    fn drop(&mut self) {
        let entries = self.receipt.read(Entries::clone);
        let status = self
            .status
            .map_or(CLIENT_CLOSED_REQUEST, |status| status.as_u16());
        let outcome = self.outcome(&entries);
        let route = entries.route.as_ref().map(ToString::to_string);
        let route = route.as_deref().unwrap_or("none");
        self.count(&entries, status, outcome, route);
        self.keep(&entries, status, outcome, route);
        let attribution = entries.attribution.as_deref();
        let label = |pick: fn(&Attribution) -> Option<&Label>| {
            attribution.and_then(pick).map(Label::as_str)
        };
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let failure = entries.failure.as_ref();
        self.layer.log.write(&CallRecord {
            request_id: self.receipt.id().to_string(),
            tenant: entries.tenant.as_ref().map(TenantId::as_str),
            task: label(|attribution| Some(&attribution.task)),
            session: label(|attribution| attribution.session.as_ref()),
            agent: label(|attribution| attribution.agent.as_ref()),
            parent_agent: label(|attribution| attribution.parent.as_ref()),
            class: label(|attribution| attribution.class.as_ref()),
            tags: attribution.and_then(tags),
            endpoint: self.receipt.surface().label(),
            model: entries.model.as_deref(),
            answered_by: entries.answered_by.as_deref(),
            route,
            stream: entries.stream,
            status,
            outcome: outcome.label(),
            stop: entries.stop.map(StopReason::as_str),
            cost_usd: entries.cost,
            usage: entries.total_usage().as_ref().map(tokens),
            bytes_in: entries.bytes_in,
            bytes_out: self.bytes_out,
            first_token_ms: entries.first_token.map(milliseconds),
            duration_ms: milliseconds(self.receipt.elapsed()),
            failure: failure.map(|failure| failure.label),
            failure_detail: failure.map(|failure| failure.detail.as_str()),
        });
    }
}

fn tokens(usage: &Usage) -> Tokens {
    Tokens {
        fresh_input: usage.fresh_input,
        cache_read: usage.cache_read,
        cache_write_5m: usage.cache_write_5m,
        cache_write_1h: usage.cache_write_1h,
        output: usage.output,
        reasoning: usage.reasoning,
    }
}

fn tags(attribution: &Attribution) -> Option<String> {
    let tags: Vec<_> = attribution.tags.iter().map(Label::as_str).collect();
    (!tags.is_empty()).then(|| tags.join(","))
}

/// The counts of usage by the names of its normal form.
fn kinds(usage: &Usage) -> impl Iterator<Item = (&'static str, u64)> {
    let Usage {
        fresh_input,
        cache_read,
        cache_write_5m,
        cache_write_1h,
        output,
        reasoning,
        audio_input: _,
        audio_output: _,
        server_tool_uses: _,
    } = *usage;
    [
        ("fresh_input", fresh_input),
        ("cache_read", cache_read),
        ("cache_write_5m", cache_write_5m),
        ("cache_write_1h", cache_write_1h),
        ("output", output),
        ("reasoning", reasoning),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
}

// === impl Outcome ===

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::ClientGone => "client_gone",
        }
    }
}
