//! Compression of texts that nobody would write: what must hold of every text. See [`evaluate`].

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    panic,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::value::RawValue;
use skinflint_compressor::{
    Compressed, Omission, Origin, Stage, Unit, compress_balanced, compress_safely, jton,
    jton::Notation,
    log::normalise::{normalise, without_ansi_codes},
    restore,
};

use super::{exactly, generated, tokens};
use crate::figure::Figure;

const SEED: u64 = 20_261_129;
const CASES: u32 = 100_000;

/// Of so many cases one is counted by the tokenizer; the others by their bytes, which is a hundred times as fast.
const COUNTED: u32 = 50;

/// Texts of which some rule does not hold: nothing panics, no result has more tokens, what is without loss leads back, what
/// was compressed is not compressed again, and what is left of a text is in it, byte by byte and in order.
pub(super) fn evaluate() -> Vec<Figure> {
    let mut random = StdRng::seed_from_u64(SEED);
    let (mut faults, mut compressed, mut cut) = (0, 0_u32, 0_u32);
    for case in 0..CASES {
        let text = text(&mut random);
        let question = ["", "what failed", "orders 4711"][random.random_range(0..3)];
        let count: &(dyn Fn(&str) -> usize + panic::RefUnwindSafe) = if case % COUNTED == 0 {
            &tokens
        } else {
            &|text: &str| text.len().div_ceil(4)
        };
        match panic::catch_unwind(|| check(&text, question, &|text| count(text))) {
            Ok(Ok(outcome)) => {
                compressed += u32::from(outcome.is_compressed);
                cut += u32::from(outcome.is_cut);
            }
            Ok(Err(Fault(rule))) => {
                faults += 1;
                tell(case, rule);
            }
            Err(_) => {
                faults += 1;
                tell(case, "something panics");
            }
        }
    }
    let part = |count| f64::from(count) / f64::from(CASES);
    vec![
        exactly("compress_fuzz_faults", f64::from(faults), "cases", 0.0),
        Figure::new("compress_fuzz_compressed", part(compressed), "share", None),
        Figure::new("compress_fuzz_cut", part(cut), "share", None),
    ]
}

/// Says which rule does not hold of which case.
fn tell(case: u32, rule: &str) {
    // Nothing is left to tell if standard error is closed as well; the fault counts.
    let _ = writeln!(io::stderr(), "fuzz case {case}: {rule}");
}

/// What was done to a text of which all rules hold.
struct Outcome {
    is_compressed: bool,
    is_cut: bool,
}

/// A rule that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault(&'static str);

fn check(text: &str, question: &str, count: &dyn Fn(&str) -> usize) -> Result<Outcome, Fault> {
    let nothing = Notation::default();
    let safe = compress_safely(text, Origin::Other, nothing, count);
    if let Some(safe) = &safe {
        check_tokens(text, safe, count)?;
        let expected = normal(text, safe).ok_or(Fault("what was done does not fit the text"))?;
        if restore(&safe.text).as_ref() != Ok(&expected) {
            return Err(Fault("what is without loss does not lead back"));
        }
        if compress_safely(&safe.text, Origin::Other, nothing, count).is_some() {
            return Err(Fault("what was compressed is compressed again"));
        }
    }
    let balanced = compress_balanced(text, Origin::Other, nothing, question, count);
    let outcome = Outcome {
        is_compressed: safe.is_some(),
        is_cut: balanced
            .as_ref()
            .is_some_and(|balanced| balanced.omission.is_some()),
    };
    let Some(balanced) = balanced.filter(|balanced| balanced.omission.is_some()) else {
        return Ok(outcome);
    };
    check_tokens(text, &balanced, count)?;
    if compress_balanced(&balanced.text, Origin::Other, nothing, question, count).is_some() {
        return Err(Fault("what was cut is cut again"));
    }
    check_left(text, &balanced)?;
    Ok(outcome)
}

fn check_tokens(
    text: &str,
    compressed: &Compressed,
    count: &dyn Fn(&str) -> usize,
) -> Result<(), Fault> {
    let fewer = compressed.tokens_after < compressed.tokens_before
        && compressed.tokens_before == count(text)
        && compressed.tokens_after == count(&compressed.text);
    fewer
        .then_some(())
        .ok_or(Fault("there are not fewer tokens"))
}

/// What a text is that was compressed without loss, apart from what is taken away for good.
fn normal(text: &str, compressed: &Compressed) -> Option<String> {
    if compressed.stages.contains(&Stage::Minify) {
        return jton::minify(text).ok();
    }
    if compressed.normalised.is_empty() {
        return Some(text.to_owned());
    }
    // Of search results, the codes of a terminal alone are taken away.
    let stripped = without_ansi_codes(text);
    let all = normalise(text).map(|(normal, _)| normal);
    if compressed.normalised.len() == 1 && restore(&compressed.text).ok() == stripped {
        stripped
    } else {
        all
    }
}

fn check_left(text: &str, compressed: &Compressed) -> Result<(), Fault> {
    let restored = restore(&compressed.text).map_err(|_| Fault("what is left cannot be read"))?;
    let (omission, left) =
        Omission::split(&restored).ok_or(Fault("nothing says what was left out"))?;
    let is_part = if omission.unit == Unit::Rows {
        let whole = jton::minify(text).map_err(|_| Fault("rows of what is no JSON"))?;
        is_cut(left, &whole)
    } else {
        let normal = |text: &str| normalise(text).map_or(text.to_owned(), |(text, _)| text);
        let (left, whole) = (normal(left), normal(text));
        let mut lines = whole.split('\n');
        left.split('\n')
            .filter(|line| !line.starts_with("[skinflint:"))
            .all(|kept| lines.any(|line| line == kept))
    };
    is_part
        .then_some(())
        .ok_or(Fault("what is left is not in the text"))
}

/// Whether a JSON text is another one without some elements of its lists, both without space.
fn is_cut(part: &str, whole: &str) -> bool {
    if part == whole {
        return true;
    }
    let lists = |text| serde_json::from_str::<Vec<&RawValue>>(text).ok();
    if let (Some(part), Some(whole)) = (lists(part), lists(whole)) {
        let mut rest = whole.iter();
        return if part.len() == whole.len() {
            part.iter()
                .zip(&whole)
                .all(|(part, whole)| is_cut(part.get(), whole.get()))
        } else {
            part.iter()
                .all(|kept| rest.any(|row| row.get() == kept.get()))
        };
    }
    let objects = |text| serde_json::from_str::<BTreeMap<String, &RawValue>>(text).ok();
    let (Some(part), Some(whole)) = (objects(part), objects(whole)) else {
        return false;
    };
    part.len() == whole.len()
        && part
            .iter()
            .zip(&whole)
            .all(|((name, part), (other, whole))| name == other && is_cut(part.get(), whole.get()))
}

/// Any sort of text, most of them broken somewhere.
fn text(random: &mut StdRng) -> String {
    let length = match random.random_range(0..20) {
        0 => random.random_range(60..250),
        _ => random.random_range(1..40),
    };
    let text = match random.random_range(0..9) {
        0 | 1 => json(random, length),
        2 | 3 => generated::log_of(random, length).parts.join("\n"),
        4 => hits(random, length),
        5 => patch(random, length),
        6 => prose(random, length),
        7 => {
            let bytes: Vec<u8> = (0..length * 8)
                .map(|_| random.random_range(0..=255))
                .collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => {
            let list = json(random, length);
            compress_safely(&list, Origin::Other, Notation::default(), &|text| {
                text.len()
            })
            .map_or(list, |table| table.text)
        }
    };
    if random.random_range(0..2) == 0 {
        return text;
    }
    mutated(random, text)
}

fn json(random: &mut StdRng, length: usize) -> String {
    let rows = generated::list_of(random, length).parts;
    let mark = [",", ", ", ",\n  "][random.random_range(0..3)];
    let list = rows.join(mark);
    match random.random_range(0..3) {
        0 => format!("[{list}]"),
        1 => format!("{{\"next\": null, \"results\": [{list}]}}"),
        _ => format!("[[{list}], {{\"a\": [{}]}}]", rows[..length / 2].join(mark)),
    }
}

fn hits(random: &mut StdRng, length: usize) -> String {
    let mut lines = Vec::new();
    for line in 1..=length {
        let file = random.random_range(0..4);
        let mark = [":", ":", "-"][random.random_range(0..3)];
        lines.push(format!(
            "src/part-{file}/a.rs{mark}{line}{mark}    let x = call({file});\n"
        ));
        if random.random_range(0..9) == 0 {
            lines.push("--\n".to_owned());
        }
    }
    lines.concat()
}

fn patch(random: &mut StdRng, length: usize) -> String {
    let mut parts = Vec::new();
    for file in 0..=length / 12 {
        let name = ["src/a.rs", "yarn.lock"][random.random_range(0..2)];
        let context = random.random_range(0..6);
        let (old, new) = (context * 2 + 1, context * 2 + 2);
        parts.push(format!(
            "diff --git a/{name} b/{name}\nindex 83db48f..bf3a2c1 100644\n"
        ));
        parts.push(format!(
            "--- a/{name}\n+++ b/{name}\n@@ -1,{old} +1,{new} @@ fn f{file}\n"
        ));
        let around = " some line of context that stays as it was\n".repeat(context);
        parts.push(format!("{around}-old\n+new\n+newer\n{around}"));
    }
    parts.concat()
}

fn prose(random: &mut StdRng, length: usize) -> String {
    const WORDS: [&str; 12] = [
        "the",
        "error",
        "not",
        "model",
        "über",
        "\"quoted\"",
        "3.14",
        "words,",
        "and",
        "end.",
        "\n",
        "```",
    ];
    (0..length * 4)
        .map(|_| WORDS[random.random_range(0..WORDS.len())])
        .collect::<Vec<&str>>()
        .join(" ")
}

/// A text with some of its bytes deleted, doubled or overwritten.
fn mutated(random: &mut StdRng, text: String) -> String {
    const INSERTS: [&str; 16] = [
        "[skinflint:",
        "[skinflint: 3 lines omitted]\n",
        "Tables:\n",
        "\u{1b}[31m",
        "\r",
        "\n",
        "\"",
        "\\",
        "{",
        "]",
        ",",
        ";",
        "(x3)",
        "@@ -1,3 +1,3 @@\n",
        "é",
        "1e999",
    ];
    let mut bytes = text.into_bytes();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..20)).min(bytes.len());
        match random.random_range(0..4) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            2 => bytes[at..end]
                .iter_mut()
                .for_each(|byte| *byte = random.random_range(32..127)),
            _ => {
                let insert = INSERTS[random.random_range(0..INSERTS.len())];
                bytes.splice(at..at, insert.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
