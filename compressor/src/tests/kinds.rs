use std::fmt::Write as _;

use super::{rough, samples};
use crate::kind::{Kind, detect};
use crate::lossless;

fn untouched(text: &str, kind: Kind) {
    assert_eq!(detect(text), kind, "{text}");
    assert_eq!(lossless::rewrite(text, &rough), None, "{text}");
    let long = text.repeat(20);
    assert_eq!(lossless::rewrite(&long, &rough), None, "{long}");
}

#[test]
fn samples_are_what_they_are() {
    let kinds: Vec<_> = samples::all()
        .into_iter()
        .map(|(name, text)| {
            let shown = crate::log::normalise::without_ansi_codes(&text).unwrap_or(text);
            (name, detect(&shown))
        })
        .collect();
    for (name, kind) in kinds {
        let expected = match name {
            "rg" | "rg -C1" => Kind::SearchResults,
            // Its progress tells that a terminal showed it.
            "download with progress" => Kind::Other,
            _ => Kind::Log,
        };
        assert_eq!(kind, expected, "{name}");
    }
}

#[test]
fn json_is_left_to_others() {
    assert_eq!(detect(" {\"a\": [1, 2]}\n"), Kind::Json);
    assert_eq!(detect("[1, 2,\n 3]"), Kind::Json);
    assert_eq!(
        lossless::rewrite(&format!("[{}1]", "1,\n".repeat(100)), &rough),
        None
    );
    assert_ne!(detect("[not json]"), Kind::Json);
}

#[test]
fn reads_of_files_are_left_alone() {
    untouched(
        "     1→use std::fmt;   \n     2→\n     3→fn main() {   \n     4→}\n",
        Kind::FileRead,
    );
    untouched("  9\tx = 1\n 10\ty = 2\n 11\tz = 3\n", Kind::FileRead);
    untouched(
        "[File: src/a.py (40 lines total)]\n(3 more lines above)\n4:import os\n5:\n6:print(1)\n",
        Kind::FileRead,
    );
    // A log that is read with numbers is a read.
    let mut log = String::new();
    for (index, line) in samples::service_log().lines().enumerate() {
        let _ = writeln!(log, "{:6}\t{line}", index + 1);
    }
    untouched(&log, Kind::FileRead);
}

#[test]
fn patches_are_left_alone() {
    untouched(
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n-ERROR one   \n+ERROR two   \n",
        Kind::Diff,
    );
    untouched("INFO x\nINFO y\nINFO z\n--- a/x\n+++ b/x\n", Kind::Diff);
    let coloured = "\u{1b}[1mdiff --git a/x b/x\u{1b}[m\n\u{1b}[31m-one\u{1b}[m\n".repeat(9);
    assert_eq!(lossless::rewrite(&coloured, &rough), None);
}

#[test]
fn source_code_is_left_alone() {
    untouched(
        "fn main() {\n    let x = 1;   \n\n    run(x);\n}\n",
        Kind::Other,
    );
    untouched(
        "import logging\n\ndef main():\n    logging.error('ERROR one')   \n    logging.info('INFO')\n    return 1\n",
        Kind::Other,
    );
    untouched(
        "#include <stdio.h>\nint main(void)\n{\n  puts(\"ERROR\");\n}\n",
        Kind::Other,
    );
    untouched("key: value   \nother:\n  - one\n  - two\n", Kind::Other);
    untouched("a;b;c\n", Kind::Other);
    untouched(
        "all:   \n\tnpm run build\n\tnpm test\n\tgcc x.c\n",
        Kind::Other,
    );
    untouched(
        "time,name,value   \n2026-03-01T12:00:00,a,x   \n2026-03-01T12:00:01,b,y   \n",
        Kind::Other,
    );
}

#[test]
fn prose_is_left_alone() {
    untouched(
        "The first sentence says little.   \nThe second sentence says even less than that.\n",
        Kind::Prose,
    );
}

#[test]
fn clocks_are_no_line_numbers() {
    let log = "12:00:01 INFO up\n13:00:01 INFO still up\n14:00:02 INFO going down\n";
    assert_eq!(detect(log), Kind::Log);
}

#[test]
fn search_needs_paths() {
    assert_eq!(
        detect("a.rs:1:x\na.rs:7:y\nb.rs:3:z\n"),
        Kind::SearchResults
    );
    assert_eq!(
        detect("C:\\a\\b.rs:1:x\nC:\\a\\b.rs:7:y\nC:\\c.rs:3:z\n"),
        Kind::SearchResults
    );
    assert_ne!(detect("one:1:x\ntwo:7:y\nthree:3:z\n"), Kind::SearchResults);
    assert_ne!(
        detect("http://a.b:80:x\nhttp://a.b:80:y\nhttp://a.b:81:z\n"),
        Kind::SearchResults
    );
}
