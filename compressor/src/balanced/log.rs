//! Logs, and the output of builds and tests, with fewer lines of progress and of messages that come again and again.

use std::collections::HashMap;

use super::gaps::{self, Fate};
use super::numbers::Slots;
use super::shape::{self, rare};
use super::terms::Terms;
use super::{Cut, SampleName};
use crate::failure;
use crate::log::normalise::without_ansi_codes;
use crate::omission::Unit;

/// Shorter texts stay whole, in lines.
const MIN_LINES: usize = 40;

/// Lines that stay at the beginning and at the end.
const HEAD: usize = 5;
const TAIL: usize = 10;

/// Lines that stay before and after one that tells of a failure.
const BEFORE: usize = 2;
const AFTER: usize = 4;

/// The most lines of a stack trace, or of a report of failures, that stay.
const MAX_TRACE: usize = 200;

/// What is left of a text; `None` if all of it.
pub(super) fn sample(text: &str, terms: &Terms) -> Option<Cut> {
    let lines: Vec<&str> = text.split('\n').collect();
    if lines.len() < MIN_LINES {
        return None;
    }
    let plain: Vec<Option<String>> = lines.iter().map(|line| without_ansi_codes(line)).collect();
    let shown: Vec<&str> = lines
        .iter()
        .zip(&plain)
        .map(|(line, plain)| plain.as_deref().unwrap_or(line))
        .collect();
    let classes = classes(&shown);
    let mut kept = vec![false; lines.len()];
    keep(&mut kept, 0, HEAD);
    keep(&mut kept, lines.len() - TAIL, lines.len());
    keep_rare(&classes, &mut kept);
    keep_failures(&shown, &classes, &mut kept);
    let mut slots = Slots::default();
    for (line, class) in classes.iter().enumerate() {
        if let Class::Shape(shape) = class {
            slots.add(line, *shape, shown[line]);
        }
    }
    for line in slots.outliers() {
        kept[line] = true;
    }
    let most = (lines.len() / 10).max(20);
    for line in terms.matches(shown.iter().copied(), most) {
        kept[line] = true;
    }
    let fates: Vec<Fate> = kept
        .into_iter()
        .map(|kept| if kept { Fate::Kept } else { Fate::Omitted })
        .collect();
    gaps::write(
        &lines,
        &fates,
        lines.len(),
        (Unit::Lines, SampleName::LogLines),
    )
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// It tells of something that went wrong.
    Failure,
    /// It says how all ended.
    Summary,
    /// Begins or ends a part of the output.
    Heading,
    /// It has words or spaces alone that a trace goes on with.
    Continuation(u64),
    /// It says that a test passed.
    Passed(u64),
    /// All else, by its shape.
    Shape(u64),
}

/// What lines are. More summaries than there can be in one output are lines like others.
fn classes(shown: &[&str]) -> Vec<Class> {
    let mut classes: Vec<Class> = shown.iter().map(|line| Class::of(line)).collect();
    let is_rule = |class: &Class| matches!(class, Class::Summary | Class::Heading);
    if classes.iter().filter(|class| is_rule(class)).count() > (classes.len() / 10).max(20) {
        for (class, line) in classes.iter_mut().zip(shown) {
            if is_rule(class) {
                *class = if failure::tells_of_failure(line) {
                    Class::Failure
                } else {
                    Class::Shape(shape::shape(line.trim()))
                };
            }
        }
    }
    classes
}

impl Class {
    fn of(line: &str) -> Self {
        let trimmed = line.trim();
        if let Some(passed) = passed(trimmed) {
            Self::Passed(shape::exact(passed))
        } else if let Some(step) = step(trimmed) {
            Self::Shape(shape::exact(step))
        } else if is_summary(trimmed) {
            Self::Summary
        } else if is_heading(trimmed) {
            Self::Heading
        } else if failure::tells_of_failure(trimmed) {
            Self::Failure
        } else if goes_on(line) {
            Self::Continuation(shape::shape(trimmed))
        } else {
            Self::Shape(shape::shape(trimmed))
        }
    }
}

/// What lines have in common that say that a step was done.
fn step(line: &str) -> Option<&'static str> {
    const VERBS: [&str; 34] = [
        "Adding ",
        "Building ",
        "Built ",
        "Checking ",
        "Collecting ",
        "Compiling ",
        "Copying ",
        "Creating ",
        "Documenting ",
        "Downloaded ",
        "Downloading ",
        "Extracting ",
        "Fetched ",
        "Fetching ",
        "Fresh ",
        "Generating ",
        "Get:",
        "Hit:",
        "Installing ",
        "Linking ",
        "Locking ",
        "Preparing ",
        "Processing ",
        "Pulling ",
        "Requirement already",
        "Resolving ",
        "Running ",
        "Selecting ",
        "Setting up ",
        "Unpacking ",
        "Updating ",
        "Using cached",
        "> Task ",
        "=== RUN",
    ];
    VERBS
        .into_iter()
        .find(|start| line.starts_with(start))
        .filter(|_| !failure::tells_of_failure(line))
}

/// What lines have in common that say that a test passed.
fn passed(line: &str) -> Option<&'static str> {
    const STARTS: [&str; 6] = ["--- PASS", "PASS ", "ok ", "ok\t", "✓", "✔"];
    const ENDS: [&str; 3] = [" ... ok", " PASSED", " ... PASSED"];
    // `[ 12%]` may stand behind the verdict.
    let verdict = match line.strip_suffix("%]") {
        Some(rest) => rest.trim_end_matches(|symbol: char| {
            symbol.is_ascii_digit() || matches!(symbol, ' ' | '[')
        }),
        None => line,
    };
    let start = STARTS.into_iter().find(|start| line.starts_with(start));
    start.or_else(|| ENDS.into_iter().find(|end| verdict.ends_with(end)))
}

/// Whether a line counts what was done, or says how it ended.
fn is_summary(line: &str) -> bool {
    const STARTS: [&str; 16] = [
        "BUILD ",
        "Build ",
        "test result",
        "Tests:",
        "Test Suites:",
        "Tests run",
        "Ran ",
        "Finished",
        "Total",
        "TOTAL",
        "Summary",
        "SUMMARY",
        "Successfully",
        "Snapshots:",
        "Time:",
        "Process exited",
    ];
    const COUNTED: [&str; 9] = [
        "passed", "failed", "skipped", "passing", "failing", "pending", "ignored", "tests",
        "errors",
    ];
    let mut after_number = false;
    let is_counted = line.split([' ', ',', ';']).any(|word| {
        let counted = after_number && COUNTED.contains(&word.trim_end_matches([':', '.']));
        after_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        counted
    });
    is_counted || STARTS.iter().any(|start| line.starts_with(start))
}

/// Whether a line is drawn to begin a part: `==== FAILURES ====`, `---- a::b stdout ----`, `failures:`.
fn is_heading(line: &str) -> bool {
    let drawn = ["===", "---", "___", "***", "###"];
    drawn
        .iter()
        .any(|mark| line.starts_with(mark) && line.ends_with(mark))
        || line == "failures:"
}

/// Whether a line goes on with what the line before began.
fn goes_on(line: &str) -> bool {
    const STARTS: [&str; 11] = [
        "at ",
        "Caused by",
        "...",
        "| ",
        "= note",
        "= help",
        "--> ",
        "note:",
        "help:",
        "E  ",
        ">  ",
    ];
    line.starts_with([' ', '\t']) || STARTS.iter().any(|start| line.starts_with(start))
}

fn keep(kept: &mut [bool], from: usize, to: usize) {
    let to = to.min(kept.len());
    kept[from.min(to)..to].fill(true);
}

/// Keeps lines of which there are few, and the first and the last of the others.
fn keep_rare(classes: &[Class], kept: &mut [bool]) {
    let mut counts: HashMap<u64, (usize, usize)> = HashMap::new();
    let shape_of = |class: &Class| match class {
        Class::Shape(shape) | Class::Passed(shape) | Class::Continuation(shape) => Some(*shape),
        Class::Failure | Class::Summary | Class::Heading => None,
    };
    for (line, class) in classes.iter().enumerate() {
        if let Some(shape) = shape_of(class) {
            let (count, last) = counts.entry(shape).or_default();
            *count += 1;
            *last = line;
        }
    }
    let bound = rare(classes.len());
    let mut is_known: HashMap<u64, bool> = HashMap::new();
    for (line, class) in classes.iter().enumerate() {
        let Some(shape) = shape_of(class) else {
            kept[line] |= *class != Class::Failure;
            continue;
        };
        let (count, last) = counts.get(&shape).copied().unwrap_or_default();
        let is_first = is_known.insert(shape, true).is_none();
        kept[line] |= count <= bound || is_first || line == last;
    }
}

/// Keeps lines that tell of failures with some around them, their traces, and reports under headings that do.
fn keep_failures(shown: &[&str], classes: &[Class], kept: &mut [bool]) {
    let mut report: usize = 0;
    let mut line = 0;
    while line < classes.len() {
        let is_heading = classes[line] == Class::Heading;
        if is_heading {
            let title = shown[line].trim_matches(|symbol: char| !symbol.is_alphabetic());
            let fails = failure::tells_of_failure(title) || title.contains("stdout");
            // Under the heading of all failures stands one for each.
            let is_within = report > 0 && (title.contains('_') || title.contains("::"));
            report = if fails || is_within { MAX_TRACE } else { 0 };
        }
        if report > 0 {
            kept[line] = true;
            report -= 1;
        }
        if classes[line] != Class::Failure {
            line += 1;
            continue;
        }
        let near = line.saturating_sub(BEFORE)..(line + 1 + AFTER).min(classes.len());
        for near in near {
            // That other tests passed does not explain why one did not.
            kept[near] |= !matches!(classes[near], Class::Passed(_));
        }
        let trace = classes[line + 1..]
            .iter()
            .take(MAX_TRACE)
            .take_while(|class| matches!(class, Class::Continuation(_)))
            .count();
        keep(kept, line, line + 1 + trace);
        line += 1;
    }
}
