//! Texts as tools write them, made here.

use std::fmt::Write as _;

/// Numbers that look arbitrary and are the same each time.
pub(super) fn arbitrary(seed: usize) -> usize {
    (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

pub(super) fn service_log() -> String {
    let mut text = String::new();
    for line in 0..200 {
        let number = arbitrary(line);
        let (minute, second, part) = (line / 60, line % 60, number % 1000);
        let _ = write!(text, "2026-03-01T12:{minute:02}:{second:02}.{part:03}Z ");
        let _ = match number % 5 {
            0 => writeln!(
                text,
                "INFO  http: GET /api/orders/{number} 200 in {part} ms"
            ),
            1 => writeln!(
                text,
                "DEBUG cache: hit for key order:{number} (age {part} s)"
            ),
            2 => writeln!(
                text,
                "WARN  pool: connection {} slow, waited {part} ms",
                number % 9
            ),
            3 => writeln!(
                text,
                "INFO  queue: worker-{} took job {number:x}",
                number % 4
            ),
            _ => writeln!(
                text,
                "ERROR billing: charge of customer c{number} declined: card_expired"
            ),
        };
    }
    text
}

pub(super) fn syslog() -> String {
    let mut text = String::new();
    for line in 0..120 {
        let number = arbitrary(line);
        let (minute, second) = (line / 4, line % 4 * 15);
        let _ = write!(text, "Mar  1 04:{minute:02}:{second:02} web-1 ");
        let _ = match number % 3 {
            0 => writeln!(
                text,
                "sshd[{}]: Failed password for invalid user admin from 10.0.{}.{} port {} ssh2",
                number % 30_000,
                number % 200,
                number % 250,
                number % 60_000
            ),
            1 => writeln!(
                text,
                "CRON[{}]: (root) CMD (/usr/local/bin/rotate --all)",
                number % 30_000
            ),
            _ => writeln!(
                text,
                "systemd[1]: Started Session {} of user deploy.",
                number % 900
            ),
        };
    }
    text
}

pub(super) fn json_lines() -> String {
    let mut text = String::new();
    for line in 0..100 {
        let number = arbitrary(line);
        let level = ["info", "info", "warn", "error"][number % 4];
        let _ = writeln!(
            text,
            "{{\"ts\":\"2026-03-01T12:00:{:02}.{:03}Z\",\"level\":\"{level}\",\"msg\":\"request done\",\"status\":{},\"took_ms\":{}}}",
            line % 60,
            number % 1000,
            200 + number % 5,
            number % 4000,
        );
    }
    text
}

pub(super) fn cargo_build() -> String {
    let mut text = String::new();
    for line in 0..60 {
        let number = arbitrary(line);
        let _ = writeln!(
            text,
            "\u{1b}[1m\u{1b}[32m   Compiling\u{1b}[0m crate-{line} v{}.{}.{}",
            number % 3,
            number % 20,
            number % 7
        );
    }
    text.push_str("\u{1b}[1m\u{1b}[33mwarning\u{1b}[0m\u{1b}[1m: unused variable: `x`\u{1b}[0m\n");
    text.push_str("    Finished `dev` profile [unoptimized] target(s) in 31.20s\n");
    text
}

pub(super) fn download() -> String {
    let mut text = String::from("Collecting bigpackage\n");
    for share in 0..=50 {
        let _ = write!(
            text,
            "\r  {}% |{:<25}| {} kB",
            share * 2,
            "#".repeat(share / 2),
            share * 431
        );
    }
    text.push_str("\nSuccessfully installed bigpackage-1.2.3   \n");
    text
}

pub(super) fn pytest() -> String {
    let mut text =
        String::from("============ test session starts ============\ncollected 90 items\n\n");
    for line in 0..90 {
        let verdict = if line == 41 { "FAILED" } else { "PASSED" };
        let _ = writeln!(
            text,
            "tests/integration/test_checkout.py::test_total_of_basket[case{line}] {verdict} [{:>3}%]",
            line * 100 / 90
        );
    }
    text
}

pub(super) fn retries() -> String {
    let mut text = String::from("INFO starting worker\n");
    for _ in 0..40 {
        text.push_str("WARN database is not ready, trying again in 500 ms\n");
    }
    for _ in 0..12 {
        text.push_str(
            "ERROR connection refused\n    at connect (net.js:12)\n    at retry (pool.js:99)\n",
        );
    }
    text.push_str("INFO giving up\n");
    text
}

pub(super) fn grep() -> String {
    let mut text = String::new();
    for file in 0..20 {
        for hit in 0..=arbitrary(file) % 8 {
            let number = arbitrary(file * 10 + hit) % 100;
            let _ = writeln!(
                text,
                "services/billing/src/handlers/invoice_{file}.rs:{}:    let total_{number} = compute_total(&items[{number}])?;",
                hit * 31 + number % 30 + 1
            );
        }
    }
    text
}

pub(super) fn grep_with_context() -> String {
    let mut text = String::new();
    for file in 0..12 {
        let path = format!("packages/web/src/pages/page-{file}-2/index.tsx");
        let line = arbitrary(file) % 300 + 2;
        let _ = write!(
            text,
            "{path}-{}-  const state = useState();\n{path}:{line}:  useEffect(() => load(state), [state]);\n{path}-{}-  return <Page state={{state}} />;\n--\n",
            line - 1,
            line + 1
        );
    }
    text
}

/// All of them by name.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    vec![
        ("service log", service_log()),
        ("syslog", syslog()),
        ("JSON lines", json_lines()),
        ("cargo build with colours", cargo_build()),
        ("download with progress", download()),
        ("pytest -v", pytest()),
        ("retries", retries()),
        ("rg", grep()),
        ("rg -C1", grep_with_context()),
    ]
}
