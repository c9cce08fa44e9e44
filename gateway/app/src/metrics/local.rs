//! What the local models have done, read when it is asked for.

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};
use skinflint_local_model::{EngineStats, Histogram, TTFT_BUCKETS};

use crate::local::{LocalModels, ModelStats};

/// The local models' metrics. Their labels are the names of the configuration.
#[derive(Debug)]
pub(crate) struct LocalMetrics(LocalModels);

#[derive(Debug, EncodeLabelSet)]
struct ModelLabels {
    model: String,
}

#[derive(Debug, EncodeLabelSet)]
struct CallLabels {
    model: String,
    outcome: &'static str,
}

/// A number of each model.
type Read<T> = fn(&EngineStats) -> T;

const COUNTERS: [(&str, &str, Read<u64>); 4] = [
    (
        "local_prompt_tokens",
        "Tokens of prompts that local models read",
        |stats| stats.prompt_tokens,
    ),
    (
        "local_generated_tokens",
        "Tokens that local models generated",
        |stats| stats.generated_tokens,
    ),
    (
        "local_steps",
        "Passes through the weights of local models",
        |stats| stats.steps,
    ),
    (
        "local_step_sequences",
        "Calls that took part in a step, summed over all steps",
        |stats| stats.step_sequences,
    ),
];

const GAUGES: [(&str, &str, Option<Unit>, Read<usize>); 3] = [
    (
        "local_waiting",
        "Calls that wait for a local model",
        None,
        |stats| stats.waiting,
    ),
    (
        "local_running",
        "Calls that a local model runs",
        None,
        |stats| stats.running,
    ),
    (
        "local_cache",
        "Set aside for keys and values of running calls",
        Some(Unit::Bytes),
        |stats| stats.cache_bytes,
    ),
];

// === impl LocalMetrics ===

impl LocalMetrics {
    /// Metrics of these models.
    pub(crate) fn new(models: LocalModels) -> Self {
        Self(models)
    }
}

impl Collector for LocalMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let all = self.0.stats();
        if all.is_empty() {
            return Ok(());
        }
        encode(&all, &mut encoder)
    }
}

fn encode(all: &[ModelStats], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let engines: Vec<_> = all
        .iter()
        .filter_map(|of| Some((&of.name, of.engine.as_ref()?)))
        .collect();
    let help = "Whether a local model is loaded";
    let mut loaded = encoder.encode_descriptor("local_loaded", help, None, MetricType::Gauge)?;
    for of in all {
        let value = u32::from(of.is_loaded);
        loaded
            .encode_family(&labels(&of.name))?
            .encode_gauge(&value)?;
    }
    let help = "Calls of local models that have ended";
    let mut calls = encoder.encode_descriptor("local_calls", help, None, MetricType::Counter)?;
    for (name, stats) in &engines {
        for (outcome, count) in [
            ("served", stats.served),
            ("failed", stats.failed),
            ("expired", stats.expired),
            ("cancelled", stats.cancelled),
            ("refused", stats.refused),
        ] {
            let model = name.to_string();
            let labels = CallLabels { model, outcome };
            counter(&mut calls.encode_family(&labels)?, &count)?;
        }
    }
    for (metric, help, read) in COUNTERS {
        let mut family = encoder.encode_descriptor(metric, help, None, MetricType::Counter)?;
        for (name, stats) in &engines {
            counter(&mut family.encode_family(&labels(name))?, &read(stats))?;
        }
    }
    for (metric, help, unit, read) in GAUGES {
        let kind = MetricType::Gauge;
        let mut family = encoder.encode_descriptor(metric, help, unit.as_ref(), kind)?;
        for (name, stats) in &engines {
            family
                .encode_family(&labels(name))?
                .encode_gauge(&read(stats))?;
        }
    }
    encode_durations(&engines, encoder)
}

fn encode_durations(
    engines: &[(&Arc<str>, &EngineStats)],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let seconds = Some(&Unit::Seconds);
    let help = "Time that local models spent in steps";
    let mut busy = encoder.encode_descriptor("local_busy", help, seconds, MetricType::Counter)?;
    for (name, stats) in engines {
        let value = stats.busy.as_secs_f64();
        counter(&mut busy.encode_family(&labels(name))?, &value)?;
    }
    let help = "How long it took to load a local model, the last time";
    let mut load = encoder.encode_descriptor("local_load", help, seconds, MetricType::Gauge)?;
    for (name, stats) in engines {
        let value = stats.load.as_secs_f64();
        load.encode_family(&labels(name))?.encode_gauge(&value)?;
    }
    let help = "From the placing of a call to the first token of a local model";
    let mut ttft = encoder.encode_descriptor("local_ttft", help, seconds, MetricType::Histogram)?;
    for (name, stats) in engines {
        let Histogram { count, sum, .. } = stats.ttft;
        ttft.encode_family(&labels(name))?
            .encode_histogram::<NoLabelSet>(
                sum.as_secs_f64(),
                count,
                &buckets(&stats.ttft),
                None,
            )?;
    }
    Ok(())
}

fn labels(name: &Arc<str>) -> ModelLabels {
    ModelLabels {
        model: name.to_string(),
    }
}

fn counter<T: prometheus_client::encoding::EncodeCounterValue>(
    encoder: &mut MetricEncoder<'_>,
    value: &T,
) -> fmt::Result {
    encoder.encode_counter::<NoLabelSet, T, f64>(value, None)
}

/// Bounds and counts, with the bucket of all that is beyond the last bound, which the encoder knows by its bound.
fn buckets(histogram: &Histogram) -> Vec<(f64, u64)> {
    let bounded: u64 = histogram.buckets.iter().sum();
    let bounds = TTFT_BUCKETS.iter().map(Duration::as_secs_f64);
    bounds
        .zip(histogram.buckets)
        .chain([(f64::MAX, histogram.count.saturating_sub(bounded))])
        .collect()
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl Collector for Fixed {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let mut ttft = Histogram::default();
            ttft.buckets[1] = 2;
            ttft.count = 3;
            ttft.sum = Duration::from_millis(70_200);
            let engine = EngineStats {
                served: 3,
                refused: 1,
                prompt_tokens: 20,
                generated_tokens: 30,
                waiting: 2,
                running: 1,
                cache_bytes: 4096,
                steps: 12,
                step_sequences: 33,
                busy: Duration::from_millis(1_500),
                load: Duration::from_millis(900),
                ttft,
                ..EngineStats::default()
            };
            let all = [
                ModelStats {
                    name: "small".into(),
                    is_loaded: true,
                    engine: Some(engine),
                },
                ModelStats {
                    name: "embedder".into(),
                    is_loaded: false,
                    engine: None,
                },
            ];
            super::encode(&all, &mut encoder)
        }
    }

    #[test]
    fn each_model_has_its_numbers() {
        let mut registry = Registry::with_prefix("skinflint");
        registry.register_collector(Box::new(Fixed));
        let page = crate::metrics::render(&registry).unwrap();
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        let lines: Vec<_> = lines.collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        skinflint_local_loaded{model="small"} 1
        skinflint_local_loaded{model="embedder"} 0
        skinflint_local_calls_total{model="small",outcome="served"} 3
        skinflint_local_calls_total{model="small",outcome="failed"} 0
        skinflint_local_calls_total{model="small",outcome="expired"} 0
        skinflint_local_calls_total{model="small",outcome="cancelled"} 0
        skinflint_local_calls_total{model="small",outcome="refused"} 1
        skinflint_local_prompt_tokens_total{model="small"} 20
        skinflint_local_generated_tokens_total{model="small"} 30
        skinflint_local_steps_total{model="small"} 12
        skinflint_local_step_sequences_total{model="small"} 33
        skinflint_local_waiting{model="small"} 2
        skinflint_local_running{model="small"} 1
        skinflint_local_cache_bytes{model="small"} 4096
        skinflint_local_busy_seconds_total{model="small"} 1.5
        skinflint_local_load_seconds{model="small"} 0.9
        skinflint_local_ttft_seconds_sum{model="small"} 70.2
        skinflint_local_ttft_seconds_count{model="small"} 3
        skinflint_local_ttft_seconds_bucket{le="0.05",model="small"} 0
        skinflint_local_ttft_seconds_bucket{le="0.1",model="small"} 2
        skinflint_local_ttft_seconds_bucket{le="0.25",model="small"} 2
        skinflint_local_ttft_seconds_bucket{le="0.5",model="small"} 2
        skinflint_local_ttft_seconds_bucket{le="1.0",model="small"} 2
        skinflint_local_ttft_seconds_bucket{le="2.5",model="small"} 2
        skinflint_local_ttft_seconds_bucket{le="5.0",model="small"} 2
        skinflint_local_ttft_seconds_bucket{le="10.0",model="small"} 2
        skinflint_local_ttft_seconds_bucket{le="30.0",model="small"} 2
        skinflint_local_ttft_seconds_bucket{le="60.0",model="small"} 2
        skinflint_local_ttft_seconds_bucket{le="+Inf",model="small"} 3
        "#);
    }
}
