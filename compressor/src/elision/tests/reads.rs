//! Reads that are out of date.

use super::*;

/// A result of this call, in a turn of its own long ago.
fn result<'t>(tool: &'t str, arguments: &'t str, text: &'t str, tokens: u64) -> OldResult<'t> {
    OldResult {
        text,
        tokens,
        behind: 0,
        turn: 0,
        call: Some((tool, arguments)),
        failed: false,
        elided: false,
        handle: None,
    }
}

const A: &str = r#"{"file_path":"/a.rs"}"#;
const B: &str = r#"{"file_path":"/b.rs"}"#;
const PART: &str = r#"{"file_path":"/a.rs","offset":5}"#;
const EDITED: &str = "The file /a.rs has been updated.";

fn read(arguments: &'static str) -> OldResult<'static> {
    result("Read", arguments, LONG, 1000)
}

fn edit(arguments: &'static str) -> OldResult<'static> {
    result("Edit", arguments, EDITED, 10)
}

/// What is out of date among results of not long enough ago to be old.
fn outdated(results: &[OldResult<'_>]) -> Vec<(usize, Why)> {
    at(results, 5, Occasion::ColdCache)
        .into_iter()
        .flat_map(|plan| plan.elided)
        .map(|elision| (elision.index, elision.why))
        .collect()
}

#[test]
fn a_read_before_an_edit_is_out_of_date() {
    assert_eq!(outdated(&[read(A), edit(A)]), [(0, Why::Edited)]);
    assert_eq!(outdated(&[read(PART), edit(A)]), [(0, Why::Edited)]);
    assert_eq!(outdated(&[read(A), edit(B)]), []);
    assert_eq!(outdated(&[edit(A), read(A)]), []);
    let sed = result("Bash", r#"{"command":"sed -n 1,9p /a.rs"}"#, LONG, 1000);
    assert_eq!(outdated(&[sed, edit(A)]), [(0, Why::Edited)]);
}

#[test]
fn an_edit_that_failed_changes_nothing() {
    let mut failed = edit(A);
    failed.failed = true;
    assert_eq!(outdated(&[read(A), failed]), []);
    let mut told = edit(A);
    told.text = "Error: string to replace not found in /a.rs";
    assert_eq!(outdated(&[read(A), told]), []);
    let path = r#"{"file_path":"/error.rs"}"#;
    let mut named = edit(path);
    named.text = "The file /error.rs has been updated.";
    assert_eq!(outdated(&[read(path), named]), [(0, Why::Edited)]);
}

#[test]
fn a_read_before_the_same_read_is_out_of_date() {
    assert_eq!(outdated(&[read(A), read(A)]), [(0, Why::ReadAgain)]);
    assert_eq!(outdated(&[read(PART), read(PART)]), [(0, Why::ReadAgain)]);
    assert_eq!(
        outdated(&[read(A), edit(A), read(A)]),
        [(0, Why::ReadAgain)]
    );
    assert_eq!(outdated(&[read(A), read(B)]), []);
    let mut part = read(PART);
    part.text = "another text, of a part of the file";
    assert_eq!(outdated(&[read(A), part]), []);
}

#[test]
fn a_whole_file_covers_the_parts_that_it_shows() {
    let whole = format!("start\n{LONG}\nend");
    let whole = result("Read", A, &whole, 1200);
    assert_eq!(outdated(&[read(PART), whole]), [(0, Why::ReadAgain)]);
    let reminded = format!("{LONG}\n\n<system-reminder>be good</system-reminder>");
    let reminded = result("Read", PART, &reminded, 1000);
    assert_eq!(outdated(&[reminded, whole]), [(0, Why::ReadAgain)]);
    // Tools show no more than the beginning of long files.
    let first = result("Read", A, "only the first lines of it", 2000);
    assert_eq!(outdated(&[read(PART), first]), []);
}

#[test]
fn what_shows_nothing_covers_nothing() {
    let unchanged = result("Read", A, "File unchanged since last read.", 8);
    assert_eq!(outdated(&[read(A), unchanged]), []);
    assert_eq!(
        outdated(&[read(A), read(A), unchanged]),
        [(0, Why::ReadAgain)]
    );
    let mut failed = read(A);
    failed.failed = true;
    assert_eq!(outdated(&[read(A), failed]), []);
    let mut elided = read(A);
    elided.elided = true;
    assert_eq!(outdated(&[read(A), elided]), []);
    let lints = result("read_lints", A, "no findings in this file", 1000);
    assert_eq!(outdated(&[read(A), lints]), []);
}

#[test]
fn a_shell_may_have_gone_elsewhere() {
    let cat = r#"{"command":"cat a.rs"}"#;
    let here = result("Bash", cat, LONG, 1000);
    let elsewhere = result("Bash", cat, "another file of that name", 1000);
    assert_eq!(outdated(&[here, elsewhere]), []);
    assert_eq!(outdated(&[here, here]), [(0, Why::ReadAgain)]);
}

#[test]
fn an_old_read_of_an_unchanged_file_goes_with_a_handle_or_an_overflow() {
    let mut results = [read(A)];
    assert_eq!(at(&results, 100, Occasion::ColdCache), None);
    let overflow = Occasion::Overflow {
        tokens: 11,
        window: 10,
    };
    assert_eq!(indices(at(&results, 100, overflow).as_ref()), [0]);
    results[0].handle = Some(Handle::of(LONG));
    assert_eq!(
        indices(at(&results, 100, Occasion::ColdCache).as_ref()),
        [0]
    );
}

#[test]
fn an_overflow_takes_what_is_out_of_date_first() {
    let bash = result("Bash", "{}", LONG, 1000);
    let results = [bash, bash, read(A), edit(A)];
    let overflow = |tokens| Occasion::Overflow {
        tokens,
        window: 1000,
    };
    // 990 of each.
    assert_eq!(indices(at(&results, 100, overflow(1500)).as_ref()), [2]);
    assert_eq!(indices(at(&results, 100, overflow(2000)).as_ref()), [0, 2]);
    assert_eq!(
        indices(at(&results, 100, overflow(5000)).as_ref()),
        [0, 1, 2]
    );
}
