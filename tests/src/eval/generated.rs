//! Lists and logs as services write them, with something in them that must not get lost; the same seed makes the same.

use rand::{RngExt, rngs::StdRng};

/// Rows or lines, and those among them that tell what the others do not.
#[derive(Debug)]
pub(super) struct Haystack {
    pub(super) parts: Vec<String>,
    pub(super) needles: Vec<String>,
}

impl Haystack {
    fn new(
        random: &mut StdRng,
        length: usize,
        ordinary: fn(&mut StdRng, usize, usize) -> String,
        unusual: fn(&mut StdRng, usize, usize) -> String,
    ) -> Self {
        let kind = random.random_range(0..KINDS);
        let mut parts: Vec<String> = (0..length).map(|at| ordinary(random, kind, at)).collect();
        let mut needles = Vec::new();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..length);
            let needle = unusual(random, kind, at);
            // Two must not fall on one place.
            if !needles.contains(&parts[at]) {
                parts[at].clone_from(&needle);
                needles.push(needle);
            }
        }
        Self { parts, needles }
    }
}

/// Sorts of lists, and of logs.
const KINDS: usize = 4;

const TROUBLES: [&str; 8] = [
    "connection refused by 10.3.4.5:5432",
    "OOM killed worker after 8 GiB",
    "request timed out after 30 s",
    "certificate of api.example.com expired",
    "disk full on /var/lib/data",
    "permission denied for role reader",
    "leader changed from node-3 to node-5",
    "unexpected end of stream at offset 4711",
];

/// A list of 30 to 300 objects.
pub(super) fn list(random: &mut StdRng) -> Haystack {
    let length = random.random_range(30..300);
    list_of(random, length)
}

/// A list of so many, at least one.
pub(super) fn list_of(random: &mut StdRng, length: usize) -> Haystack {
    Haystack::new(random, length, row, unusual_row)
}

/// A log of 100 to 600 lines.
pub(super) fn log(random: &mut StdRng) -> Haystack {
    let length = random.random_range(100..600);
    log_of(random, length)
}

/// A log of so many, at least one.
pub(super) fn log_of(random: &mut StdRng, length: usize) -> Haystack {
    Haystack::new(random, length, line, unusual_line)
}

fn clock(at: usize) -> String {
    format!(
        "2026-03-01T{:02}:{:02}:{:02}Z",
        8 + at / 3600,
        at / 60 % 60,
        at % 60
    )
}

fn row(random: &mut StdRng, kind: usize, at: usize) -> String {
    let (small, large) = (random.random_range(10..90), random.random_range(1000..9999));
    let host = random.random_range(1..5);
    match kind {
        0 => event(
            at,
            "INFO",
            &format!("request {large} done in {small} ms"),
            200,
        ),
        1 => metric(at, host, small, "eu-west-1", ""),
        2 => check(at, "passed", small, ""),
        _ => order(at, large, small, "EUR", "shipped"),
    }
}

fn unusual_row(random: &mut StdRng, kind: usize, at: usize) -> String {
    let trouble = TROUBLES[random.random_range(0..TROUBLES.len())];
    let host = random.random_range(1..5);
    match (kind, random.random_range(0..4)) {
        (0, 0) => event(at, "INFO", trouble, 200),
        (0, 1) => event(at, "INFO", "request 4711 done in 91234 ms", 200),
        (0, 2) => event(at, "TRACE", "request 12 done in 14 ms", 200),
        (0, _) => event(at, "INFO", "request 13 done in 15 ms", 503),
        (1, 0) => metric(at, host, 99_999, "eu-west-1", ""),
        (1, 1) => metric(at, host, 40, "ap-south-2", ""),
        (1, 2) => metric(at, host, 40, "eu-west-1", ",\"note\":\"restarted by hand\""),
        (1, _) => metric(at, 77, 40, "eu-west-1", ""),
        (2, 0) => check(at, "failed", 41, &format!(",\"error\":\"{trouble}\"")),
        (2, 1) => check(at, "skipped", 41, ""),
        (2, 2) => check(at, "passed", 87_000, ""),
        (2, _) => check(at, "passed", 41, ",\"retries\":2"),
        (_, 0) => order(at, 1234, 900_000, "EUR", "shipped"),
        (_, 1) => order(at, 1234, 40, "ISK", "shipped"),
        (_, 2) => order(at, 1234, 40, "EUR", "returned"),
        _ => order(at, 1234, 40, "EUR", trouble),
    }
}

fn event(at: usize, level: &str, message: &str, status: u32) -> String {
    let (time, service) = (clock(at), at * 7 % 3);
    format!(
        r#"{{"ts":"{time}","level":"{level}","service":"svc-{service}","message":"{message}","status":{status}}}"#
    )
}

fn metric(at: usize, host: u32, load: u32, region: &str, more: &str) -> String {
    let time = clock(at * 10);
    format!(
        r#"{{"at":"{time}","host":"web-{host}","load":{load},"free_mb":{},"region":"{region}"{more}}}"#,
        2000 + at * 13 % 97
    )
}

fn check(at: usize, outcome: &str, took: u32, more: &str) -> String {
    format!(r#"{{"name":"test_case_{at}","outcome":"{outcome}","took_ms":{took}{more}}}"#)
}

fn order(at: usize, customer: u32, amount: u32, currency: &str, state: &str) -> String {
    format!(
        r#"{{"id":"ord-{:05}","customer":"c-{customer}","total":{{"amount":{amount}.5,"currency":"{currency}"}},"state":"{state}"}}"#,
        40_000 + at * 31 % 9973
    )
}

fn line(random: &mut StdRng, kind: usize, at: usize) -> String {
    let (small, large) = (random.random_range(10..90), random.random_range(1000..9999));
    let time = clock(at);
    match (kind, random.random_range(0..3)) {
        (0, 0) => format!("{time} INFO http: GET /api/orders/{large} 200 in {small} ms"),
        (0, 1) => format!("{time} DEBUG cache: hit for order:{large}, age {small} s"),
        (0, _) => format!("{time} INFO queue: worker-{} took job {large:x}", small % 4),
        (1, _) => format!(
            "tests/test_shop.py::test_basket[case{at}] PASSED [{:>3}%]",
            at / 6
        ),
        (2, 0) => format!("   Compiling crate-{at} v0.{small}.1"),
        (2, _) => format!("  Downloaded dep-{large} v1.{small}.0"),
        (_, 0) => format!(
            "Mar  1 04:{:02}:{:02} web-1 CRON[{large}]: (root) CMD (/usr/bin/rotate)",
            at / 60,
            at % 60
        ),
        (_, _) => format!(
            "Mar  1 04:{:02}:{:02} web-1 systemd[1]: Started Session {large} of user deploy.",
            at / 60,
            at % 60
        ),
    }
}

fn unusual_line(random: &mut StdRng, kind: usize, at: usize) -> String {
    let trouble = TROUBLES[random.random_range(0..TROUBLES.len())];
    let time = clock(at);
    match (kind, random.random_range(0..3)) {
        (0, 0) => format!("{time} ERROR http: {trouble}"),
        (0, 1) => format!("{time} INFO http: GET /api/orders/17 503 in 12 ms"),
        (0, _) => format!("{time} INFO config: {trouble}"),
        (1, 0) => format!(
            "tests/test_shop.py::test_basket[case{at}] FAILED [{:>3}%]",
            at / 6
        ),
        (1, _) => format!("E       AssertionError: {trouble}"),
        (2, 0) => format!("error[E0308]: {trouble}"),
        (2, 1) => format!("warning: unused variable: `case_{at}`"),
        (2, _) => format!("note: {trouble}"),
        (_, 0) => format!(
            "Mar  1 04:{:02}:{:02} web-1 kernel: {trouble}",
            at / 60,
            at % 60
        ),
        (_, _) => format!(
            "Mar  1 04:{:02}:{:02} web-1 sshd[812]: Accepted publickey for root",
            at / 60,
            at % 60
        ),
    }
}
