//! The figures that have a bound, and others that are good to know. See [`figures`].

use super::{
    case::{Case, Mode, Size},
    process::Memory,
    results::{CaseResults, Pick, Results, Way},
    statistics::megabytes,
};
use crate::figure::{Figure, Goal};

/// What was measured besides the load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// From the start of the process until both listeners are up, in s.
    pub(super) start: f64,
    /// Memory before the first call, in bytes.
    pub(super) idle: u64,
    /// Memory after the last call.
    pub(super) after: Memory,
}

const P50: Pick = |slice| slice.p50;
const P99: Pick = |slice| slice.p99;
const FIRST_P50: Pick = |slice| slice.first_p50;
const FIRST_P99: Pick = |slice| slice.first_p99;
const RATE: Pick = |slice| slice.rate;
const CPU: Pick = |slice| slice.cpu;
/// Connections of a busy gateway: where CPU time a request decides how many it can serve.
const BUSY: usize = 32;

/// The figures with a bound, and then the others; those of cases that were not measured are left out.
pub(super) fn figures(results: &Results, standing: Standing) -> Vec<Figure> {
    let mut figures = bounded(results, standing);
    figures.extend(unbounded(results, standing));
    figures
}

fn bounded(results: &Results, standing: Standing) -> Vec<Figure> {
    use Goal::{AtLeast, AtMost};
    let find = |size, mode, connections| find(results, size, mode, connections);
    let mut figures = Vec::new();
    let mut add = |name: &str, value, unit, goal| {
        figures.push(Figure::new(name, value, unit, Some(goal)));
    };
    if let Some(one) = find(Size::Small, Mode::Whole, 1) {
        let ratio = one.added(Way::Skinflint, P50) / one.added(Way::Nginx, P50);
        add("proxy_p50_added_1kb_vs_nginx", ratio, "ratio", AtMost(2.0));
    }
    if let Some(busy) = find(Size::Small, Mode::Whole, BUSY) {
        let cpu = busy.median(Way::Skinflint, CPU);
        add("proxy_cpu_1kb", cpu, "ms", AtMost(0.06));
    }
    if let Some(busy) = find(Size::Agent, Mode::Whole, BUSY) {
        let cpu = busy.median(Way::Skinflint, CPU);
        add("proxy_cpu_50kb", cpu, "ms", AtMost(0.15));
    }
    if let Some(busy) = find(Size::Small, Mode::Whole, BUSY) {
        let ratio = busy.median(Way::Skinflint, RATE) / busy.median(Way::Nginx, RATE);
        add("proxy_rps_32_vs_nginx", ratio, "ratio", AtLeast(0.5));
    }
    if let Some(one) = find(Size::Small, Mode::Stream, 1) {
        let added = one.added(Way::Skinflint, FIRST_P50);
        add("proxy_first_token_added_p50", added, "ms", AtMost(0.3));
    }
    add("proxy_start", standing.start, "s", AtMost(0.3));
    let idle = megabytes(standing.idle);
    add("proxy_rss_idle", idle, "MB", AtMost(40.0));
    figures
}

fn unbounded(results: &Results, standing: Standing) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut add = |name: &str, value, unit| {
        figures.push(Figure::new(name, value, unit, None));
    };
    for size in [Size::Small, Size::Agent, Size::Session] {
        let kb = size.kilobytes();
        if let Some(one) = find(results, size, Mode::Whole, 1) {
            for (way, name) in [(Way::Skinflint, "proxy"), (Way::Nginx, "nginx")] {
                add(
                    &format!("{name}_p50_added_{kb}kb"),
                    one.added(way, P50),
                    "ms",
                );
                add(
                    &format!("{name}_p99_added_{kb}kb"),
                    one.added(way, P99),
                    "ms",
                );
                let cpu = one.median(way, CPU);
                add(&format!("{name}_cpu_{kb}kb_1_connection"), cpu, "ms");
            }
        }
        if let Some(busy) = find(results, size, Mode::Whole, BUSY) {
            if size == Size::Session {
                let cpu = busy.median(Way::Skinflint, CPU);
                add(&format!("proxy_cpu_{kb}kb"), cpu, "ms");
            }
            let cpu = busy.median(Way::Nginx, CPU);
            add(&format!("nginx_cpu_{kb}kb"), cpu, "ms");
        }
        if let Some(busy) = find(results, size, Mode::Stream, BUSY) {
            let cpu = busy.median(Way::Skinflint, CPU);
            add(&format!("proxy_cpu_{kb}kb_stream"), cpu, "ms");
            let cpu = busy.median(Way::Nginx, CPU);
            add(&format!("nginx_cpu_{kb}kb_stream"), cpu, "ms");
        }
    }
    if let Some(one) = find(results, Size::Small, Mode::Stream, 1) {
        let added = one.added(Way::Skinflint, FIRST_P99);
        add("proxy_first_token_added_p99", added, "ms");
        let added = one.added(Way::Nginx, FIRST_P50);
        add("nginx_first_token_added_p50", added, "ms");
    }
    add(
        "proxy_rss_after_load",
        megabytes(standing.after.resident),
        "MB",
    );
    add("proxy_rss_peak", megabytes(standing.after.peak), "MB");
    figures
}

fn find(results: &Results, size: Size, mode: Mode, connections: usize) -> Option<&CaseResults> {
    results.of(Case {
        size,
        mode,
        connections,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{load::Slice, results::Round};

    fn slice(p50: f64, rate: f64, cpu: f64) -> Slice {
        Slice {
            p50,
            p99: p50 * 3.0,
            first_p50: p50 / 2.0,
            first_p99: p50,
            rate,
            cpu,
        }
    }

    fn lines(cases: &[Case]) -> Vec<String> {
        let mut results = Results::new(cases);
        for case in results.iter_mut() {
            for noise in [0.0, 0.01, 5.0] {
                case.push(Round {
                    direct: slice(0.05 + noise, 30_000.0, 0.0),
                    nginx: slice(0.10 + noise, 12_000.0, 0.03),
                    skinflint: slice(0.17 + noise, 5_000.0, 0.0601),
                });
            }
        }
        let standing = Standing {
            start: 0.02,
            idle: 20_480_000,
            after: Memory {
                resident: 30_000_000,
                peak: 51_200_000,
            },
        };
        let figures = figures(&results, standing);
        figures.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_goal_has_its_line() {
        let lines = lines(&Case::all());
        let goals: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("figure "))
            .collect();
        let expected = [
            "figure proxy_p50_added_1kb_vs_nginx 2.4000 ratio goal <= 2 short",
            "figure proxy_cpu_1kb 0.0601 ms goal <= 0.06 short",
            "figure proxy_cpu_50kb 0.0601 ms goal <= 0.15 ok",
            "figure proxy_rps_32_vs_nginx 0.4167 ratio goal >= 0.5 short",
            "figure proxy_first_token_added_p50 0.0600 ms goal <= 0.3 ok",
            "figure proxy_start 0.0200 s goal <= 0.3 ok",
            "figure proxy_rss_idle 20.4800 MB goal <= 40 ok",
        ];
        assert_eq!(goals, expected.iter().collect::<Vec<_>>());
        assert!(
            lines.contains(&"info proxy_rss_peak 51.2000 MB".to_owned()),
            "{lines:#?}"
        );
    }

    #[test]
    fn figures_of_cases_that_were_not_measured_are_left_out() {
        let lines = lines(&[]);
        let has = |name: &str| lines.iter().any(|line| line.contains(name));
        assert!(has("proxy_start") && !has("proxy_cpu_1kb"), "{lines:#?}");
    }
}
