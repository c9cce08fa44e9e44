use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::safe;
use crate::tests::{o200k, rough};

const NOTHING: Notation = Notation {
    tables: false,
    groups: false,
    optional: false,
};

fn compress(text: &str, question: &str) -> Compressed {
    compress_balanced(text, Origin::Other, NOTHING, question, &o200k).unwrap()
}

/// What is left, without the line above.
fn left(compressed: &Compressed) -> String {
    let restored = safe::restore(&compressed.text).unwrap();
    let (omission, rest) = Omission::split(&restored).unwrap();
    assert_eq!(Some(omission), compressed.omission);
    rest.to_owned()
}

fn heartbeats(count: usize) -> Vec<Value> {
    (0..count)
        .map(|at| json!({"seq": at, "level": "INFO", "host": format!("web-{}", at % 4), "took_ms": 90 + at * 7 % 20, "msg": format!("heartbeat {at} sent to peer")}))
        .collect()
}

#[test]
fn unusual_rows_stay_and_others_go() {
    let mut rows = heartbeats(200);
    rows[57] = json!({"seq": 57, "level": "INFO", "host": "web-1", "took_ms": 99, "msg": "OOM killed worker 3"});
    rows[101]["level"] = json!("TRACE");
    rows[120]["took_ms"] = json!(99_999);
    rows[131]["msg"] = json!("checkpoint saved at step 4500");
    rows[140]["msg"] = json!("heartbeat 99140 sent to peer");
    rows[144]["note"] = json!("restarted by hand");
    rows[150]["msg"] = json!("heartbeat 4711 sent to peer");
    let text = json!({"next": null, "results": rows}).to_string();
    let compressed = compress(&text, "What about 4711?");
    let left: Value = serde_json::from_str(&left(&compressed)).unwrap();
    let kept = left["results"].as_array().unwrap();
    for row in [0, 57, 101, 120, 131, 140, 144, 150, 199] {
        assert!(kept.contains(&rows[row]), "row {row}");
    }
    let omission = compressed.omission.unwrap();
    assert_eq!((omission.of, omission.omitted), (200, 200 - kept.len()));
    assert!(kept.len() < 40, "{}", kept.len());
    assert!(compressed.text.starts_with(&format!("{omission}\nTables:")));
    assert_eq!(
        compressed.stages,
        [
            Stage::Sample(SampleName::Rows),
            Stage::Minify,
            Stage::UnionTables
        ]
    );
    assert!(compressed.tokens_after * 4 < compressed.tokens_before);
}

#[test]
fn content_is_no_repetition() {
    let words = [
        "red", "blue", "lamp", "chair", "oak", "steel", "glass", "round", "tall", "soft", "old",
    ];
    let products: Vec<Value> = (0..80)
        .map(|at| json!({"id": at, "price": at * 13 % 97, "name": format!("{} {} {}", words[at % 11], words[at * 7 / 11 % 11], words[at / 7 % 11])}))
        .collect();
    let text = json!(products).to_string();
    let safe = compress_safely(&text, Origin::Other, NOTHING, &o200k);
    assert_eq!(
        compress_balanced(&text, Origin::Other, NOTHING, "", &o200k),
        safe
    );
    let users: Vec<Value> = (0..80)
        .map(|at| json!({"id": at, "name": format!("user{at}"), "mail": format!("u{at}@example.com")}))
        .collect();
    let users = json!(users).to_string();
    let compressed = compress_balanced(&users, Origin::Other, NOTHING, "", &o200k);
    assert_eq!(compressed.unwrap().omission, None);
    let vector = json!((0..900).collect::<Vec<usize>>()).to_string();
    assert_eq!(
        compress_balanced(&vector, Origin::Other, NOTHING, "", &o200k),
        None
    );
    let rows = json!(heartbeats(200)).to_string();
    assert_eq!(
        compress_balanced(&rows, Origin::Verbatim, NOTHING, "", &o200k),
        None
    );
}

#[test]
fn of_a_build_what_went_wrong_stays() {
    let mut text = String::new();
    for at in 0..150 {
        let _ = writeln!(
            text,
            "   Compiling crate-{} v1.{at}.0",
            ["a", "bcd", "thiserror"][at % 3].repeat(at % 5 + 1)
        );
    }
    let failure = "error[E0308]: mismatched types\n  --> src/main.rs:12:5\n   |\n12 |     x\n   |     ^ expected `u32`\n   |\n   = note: see above\n";
    text.push_str(failure);
    for at in 0..150 {
        let _ = writeln!(text, "test module::case_{at}_error ... ok");
    }
    text.push_str("test result: FAILED. 150 passed; 1 failed\n");
    let compressed = compress(&text, "");
    let left = left(&compressed);
    assert!(left.contains(failure));
    assert!(left.contains("[skinflint: "));
    assert!(left.contains("lines omitted]\n"));
    assert!(left.ends_with("test result: FAILED. 150 passed; 1 failed\n"));
    assert!(compressed.tokens_after * 3 < compressed.tokens_before);
}

#[test]
fn of_a_log_rare_lines_stay() {
    let mut text = String::new();
    for at in 0..400 {
        let _ = writeln!(
            text,
            "2026-03-01T12:{:02}:{:02}Z INFO http: GET /api/orders/{at} 200 in {} ms",
            at / 60,
            at % 60,
            at * 7 % 90
        );
        if at == 213 {
            text.push_str("2026-03-01T12:03:33Z INFO config: max_connections set to 12 by bob\n");
            text.push_str("2026-03-01T12:03:34Z INFO http: GET /api/orders/9 503 in 4 ms\n");
            text.push_str("2026-03-01T12:03:35Z INFO http: GET /api/orders/8 200 in 9041 ms\n");
        }
    }
    let compressed = compress(&text, "what happened to orders/377");
    let left = left(&compressed);
    for line in [
        "max_connections set to 12 by bob\n",
        "GET /api/orders/9 503 in 4 ms\n",
        "GET /api/orders/8 200 in 9041 ms\n",
        "/api/orders/377 200",
    ] {
        assert!(left.contains(line), "{line}");
    }
    assert!(compressed.tokens_after * 4 < compressed.tokens_before);
}

#[test]
fn of_a_patch_changes_stay() {
    let mut text = String::from(
        "diff --git a/src/a.rs b/src/a.rs\nindex 83db48f..bf3a2c1 100644\n--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,9 +1,9 @@ fn main()\n one of the lines\n two of the lines\n three of the lines\n-old\n+new\n four of the lines\n five of the lines\n six of the lines\n-gone\n+come\n seven of the lines\ndiff --git a/Cargo.lock b/Cargo.lock\nindex 83db48f..bf3a2c2 100644\n--- a/Cargo.lock\n+++ b/Cargo.lock\n@@ -1,0 +1,90 @@\n",
    );
    for at in 0..90 {
        let _ = writeln!(text, "+ \"crate {at}\",");
    }
    text.push_str("that is all\n");
    let compressed = compress(&text, "");
    assert_eq!(
        left(&compressed),
        "diff --git a/src/a.rs b/src/a.rs\n--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,9 +1,9 @@ fn main()\n three of the lines\n-old\n+new\n four of the lines\n five of the lines\n six of the lines\n-gone\n+come\n seven of the lines\ndiff --git a/Cargo.lock b/Cargo.lock\n--- a/Cargo.lock\n+++ b/Cargo.lock\n@@ -1,0 +1,90 @@\n[skinflint: 90 lines omitted]\nthat is all\n"
    );
    assert_eq!(compressed.omission.unwrap().omitted, 94);
    assert_eq!(
        compress_balanced(&text, Origin::Verbatim, NOTHING, "", &o200k),
        None
    );
}

#[test]
fn of_a_search_all_paths_and_what_is_asked_for_stay() {
    let mut text = String::new();
    for file in 0..6 {
        for hit in 1..60 {
            let what = if file == 3 && hit == 44 {
                "reconcile"
            } else {
                "compute"
            };
            let _ = writeln!(
                text,
                "src/billing/part_{file}.rs:{hit}:    let total = {what}(items);"
            );
        }
    }
    let compressed = compress(&text, "where do we reconcile?");
    let left = left(&compressed);
    for file in 0..6 {
        assert_eq!(
            left.matches(&format!("part_{file}.rs:")).count(),
            if file == 3 { 6 } else { 5 }
        );
    }
    assert!(left.contains("part_3.rs:44:    let total = reconcile(items);"));
    assert!(left.contains("[skinflint: 54 hits omitted]"));
    let omission = compressed.omission.unwrap();
    assert_eq!((omission.omitted, omission.of), (6 * 54 - 1, 6 * 59));
    assert!(
        compressed
            .stages
            .contains(&Stage::Fold(crate::StageName::Search))
    );
}

/// Whether all of `part` is in `whole`, in order.
fn is_within<T: PartialEq>(part: &[T], whole: &[T]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|one| rest.any(|other| one == other))
}

fn rows() -> impl Strategy<Value = String> {
    let row = prop_oneof![
        8 => (0..50_u32, 0..4_u32).prop_map(|(took, host)| format!(r#"{{"took":{took},"host":"web-{host}","msg":"all is well with web-{host} since {took} seconds"}}"#)),
        1 => ("[a-z\\\\\"é]{0,9}", any::<f64>()).prop_map(|(msg, took)| format!(r#"{{"took":{},"msg":{},"x":[]}}"#, json!(took), json!(msg))),
        1 => Just("null".to_owned()),
        1 => Just(r#"{"msg":"error: it failed","took":1,"took":2}"#.to_owned()),
        1 => Just("17".to_owned()),
    ];
    prop::collection::vec(row, 0..150).prop_map(|rows| format!("[{}]", rows.join(", ")))
}

fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        8 => (0..60_u32, 0..999_u32).prop_map(|(second, took)| format!("2026-03-01 12:00:{second:02} INFO worker finished the job in {took} ms")),
        2 => Just("2026-03-01 12:00:01 ERROR it failed".to_owned()),
        1 => "\\PC{0,30}",
        1 => Just("   at a.b.c(D.java:12)\r".to_owned()),
        1 => Just("\u{1b}[31mFAILED\u{1b}[0m ".to_owned()),
        1 => Just(String::new()),
        1 => Just("[skinflint: 3 lines omitted]".to_owned()),
    ];
    prop::collection::vec(line, 0..150).prop_map(|lines| lines.join("\n"))
}

fn patch() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("diff --git a/x b/x".to_owned()),
        Just("index 83db48f..bf3a2c1 100644".to_owned()),
        Just("+++ b/yarn.lock".to_owned()),
        (0..9_u32, 0..9_u32).prop_map(|(old, new)| format!("@@ -1,{old} +1,{new} @@")),
        "[ +-][a-z]{0,5}",
        "[ +-][a-z]{0,5}",
        "[ +-][a-z]{90}",
    ];
    prop::collection::vec(line, 0..90).prop_map(|lines| lines.join("\n"))
}

fn hits() -> impl Strategy<Value = String> {
    let line = (0..3_u32, 1..99_u32, "[:-]", "[a-z ]{0,20}")
        .prop_map(|(file, line, mark, text)| format!("src/f-{file}.rs{mark}{line}{mark}{text}"));
    let line = prop_oneof![9 => line, 1 => Just("--".to_owned())];
    prop::collection::vec(line, 0..200).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn what_is_left_is_exact(text in prop_oneof![rows(), lines(), patch(), hits(), any::<String>()], question in "[a-z0-9 ]{0,20}") {
        let compressed = compress_balanced(&text, Origin::Other, NOTHING, &question, &rough);
        prop_assert_eq!(&compressed, &compress_balanced(&text, Origin::Other, NOTHING, &question, &rough));
        let Some(compressed) = compressed else { return Ok(()) };
        prop_assert!(compressed.tokens_after < rough(&text));
        prop_assert_eq!(rough(&compressed.text), compressed.tokens_after);
        let again = compress_balanced(&compressed.text, Origin::Other, NOTHING, &question, &rough);
        prop_assert_eq!(again, None);
        let restored = safe::restore(&compressed.text);
        prop_assert!(restored.is_ok(), "{:?}", restored);
        let Some(omission) = compressed.omission else { return Ok(()) };
        prop_assert_eq!(omission.handle, Handle::of(&text));
        let left = left(&compressed);
        if omission.unit == Unit::Rows {
            let parse = |text: &str| serde_json::from_str::<Vec<Box<serde_json::value::RawValue>>>(text).unwrap();
            let minified = crate::jton::minify(&text).unwrap();
            let (part, whole) = (parse(&left), parse(&minified));
            let raw = |rows: &[Box<serde_json::value::RawValue>]| rows.iter().map(|row| row.get().to_owned()).collect::<Vec<String>>();
            prop_assert!(is_within(&raw(&part), &raw(&whole)));
            prop_assert_eq!(omission.omitted, whole.len() - part.len());
            prop_assert_eq!(omission.of, whole.len());
        } else {
            let shown = |text: &str| crate::log::normalise::normalise(text).map_or(text.to_owned(), |(text, _)| text);
            let (part, whole) = (shown(&left), shown(&text));
            let part: Vec<&str> = part.split('\n').filter(|line| !line.starts_with("[skinflint:")).collect();
            let whole: Vec<&str> = whole.split('\n').collect();
            prop_assert!(is_within(&part, &whole));
            if omission.unit == Unit::Lines {
                prop_assert_eq!(omission.omitted, whole.len() - part.len());
                prop_assert_eq!(omission.of, whole.len());
            }
        }
    }
}
