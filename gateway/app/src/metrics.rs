//! Counters, gauges and histograms for Prometheus, with bounded label sets.

mod local;

use std::sync::atomic::AtomicI64;

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use skinflint_upstream::InFlight;

pub(crate) use self::local::LocalMetrics;

/// Everything that is counted; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Calls from their first byte to the last byte of their answer.
    pub in_flight: Gauge<i64, AtomicI64>,
    /// Calls turned away because too many were in flight.
    pub overloaded: Counter,
    /// Calls ended, by what they were and how they ended.
    pub calls: Family<CallLabels, Counter>,
    /// Tokens by kind.
    pub tokens: Family<TokenLabels, Counter>,
    /// Seconds from a call's first byte to the last byte of its answer.
    pub duration: Family<RouteLabels, Histogram>,
    /// Seconds from a call's first byte to the first token of its answer.
    pub first_token: Family<RouteLabels, Histogram>,
    /// Calls that were asked both ways.
    pub trials: Family<TrialLabels, Counter>,
    /// Calls whose cost is not settled.
    pub reservations_open: Gauge<i64, AtomicI64>,
    /// Alerts raised.
    pub alerts: Family<AlertLabels, Counter>,
    /// Times that policies were read again and put in force.
    pub policy_reloads: Counter,
    /// 1 while the policies' files are wrong and the last good ones hold on.
    pub policy_stale: Gauge,
    /// Seconds that the gateway itself took before the answer's headers.
    pub overhead: Histogram,
}

/// Labels of [`Metrics::calls`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct CallLabels {
    /// The endpoint's name, or `other`.
    pub endpoint: &'static str,
    /// The route taken.
    pub route: String,
    /// HTTP status.
    pub status: u16,
    /// How the call ended.
    pub outcome: &'static str,
}

/// Labels of [`Metrics::tokens`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TokenLabels {
    /// The route taken.
    pub route: String,
    /// Kind of token, as in the normal form of usage.
    pub kind: &'static str,
}

/// Labels of [`Metrics::alerts`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct AlertLabels {
    /// What it is about.
    pub kind: &'static str,
    /// Whose money.
    pub tenant: String,
}

/// Labels of [`Metrics::trials`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TrialLabels {
    /// What was tried.
    pub technique: &'static str,
    /// What the comparison goes by.
    pub judge: &'static str,
    /// Whether the answers come to the same.
    pub outcome: &'static str,
}

/// Labels by route alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteLabels {
    /// The route taken.
    pub route: String,
}

/// From a cached title to a long agent turn, in seconds.
const DURATION_BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
/// From 20 µs, in seconds.
const OVERHEAD_BUCKETS: [f64; 10] = [
    0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.02, 0.1,
];

// === impl Metrics ===

impl Metrics {
    /// All metrics, and the registry that prints them.
    pub(crate) fn new(upstream: InFlight) -> (Self, Registry) {
        let durations = || Histogram::new(DURATION_BUCKETS);
        let metrics = Self {
            in_flight: Gauge::default(),
            overloaded: Counter::default(),
            calls: Family::default(),
            tokens: Family::default(),
            duration: Family::new_with_constructor(durations),
            first_token: Family::new_with_constructor(durations),
            trials: Family::default(),
            reservations_open: Gauge::default(),
            alerts: Family::default(),
            policy_reloads: Counter::default(),
            policy_stale: Gauge::default(),
            overhead: Histogram::new(OVERHEAD_BUCKETS),
        };
        let mut registry = Registry::with_prefix("skinflint");
        registry.register(
            "calls_in_flight",
            "Calls being served",
            metrics.in_flight.clone(),
        );
        registry.register(
            "calls_overloaded",
            "Calls turned away because too many were in flight",
            metrics.overloaded.clone(),
        );
        registry.register("calls", "Calls ended", metrics.calls.clone());
        registry.register(
            "trials",
            "Calls that were asked with and without what is tried",
            metrics.trials.clone(),
        );
        registry.register(
            "reservations_open",
            "Calls whose cost is not settled",
            metrics.reservations_open.clone(),
        );
        registry.register("alerts", "Alerts raised", metrics.alerts.clone());
        registry.register(
            "policy_reloads",
            "Times that policies were read again and put in force",
            metrics.policy_reloads.clone(),
        );
        registry.register(
            "policy_stale",
            "1 while the policies' files are wrong and the last good ones hold on",
            metrics.policy_stale.clone(),
        );
        registry.register("tokens", "Tokens by kind", metrics.tokens.clone());
        registry.register_with_unit(
            "call_duration",
            "From a call's first byte to the last byte of its answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register_with_unit(
            "first_token",
            "From a call's first byte to the first token of its answer",
            Unit::Seconds,
            metrics.first_token.clone(),
        );
        registry.register_with_unit(
            "overhead",
            "What the gateway itself took before the answer's headers",
            Unit::Seconds,
            metrics.overhead.clone(),
        );
        registry.register_collector(Box::new(UpstreamCalls(upstream)));
        (metrics, registry)
    }
}

/// Reads the upstream's own count when it is asked for.
#[derive(Debug)]
struct UpstreamCalls(InFlight);

impl prometheus_client::collector::Collector for UpstreamCalls {
    fn encode(
        &self,
        mut encoder: prometheus_client::encoding::DescriptorEncoder<'_>,
    ) -> Result<(), std::fmt::Error> {
        use prometheus_client::encoding::EncodeMetric;
        let gauge = prometheus_client::metrics::gauge::ConstGauge::new(
            i64::try_from(self.0.count()).unwrap_or(i64::MAX),
        );
        let encoder = encoder.encode_descriptor(
            "upstream_calls_in_flight",
            "Calls that a provider may still be working on",
            None,
            gauge.metric_type(),
        )?;
        gauge.encode(encoder)
    }
}

/// The registry in the OpenMetrics text format.
pub(crate) fn render(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    text::encode(&mut page, registry)?;
    Ok(page)
}
