//! What is still there of a text after parts of it were left out, and what that saves.

use rand::{SeedableRng, rngs::StdRng};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use skinflint_compressor::{
    Compressed, Omission, Origin, compress_balanced, jton, jton::Notation, protected, restore,
};

use super::generated::{self, Haystack};
use super::{EvalError, Options, at_least, exactly, parse, read, share, tokens};
use crate::figure::Figure;

const SEED: u64 = 20_261_128;

/// Lists, and logs, that something unusual is hidden in.
const HAYSTACKS: usize = 200;

/// A list, a question, and what the answer needs.
#[derive(Debug, Deserialize)]
struct Case<'t> {
    question: String,
    #[serde(borrow)]
    content: &'t RawValue,
    answer_evidence: Vec<String>,
    supporting_facts: Vec<String>,
}

/// What was found in all texts so far.
#[derive(Debug, Default)]
struct Tally {
    /// Sum of the shares of the texts.
    recall: f64,
    texts: usize,
    cut: usize,
    tokens_before: usize,
    tokens_minified: usize,
    tokens_after: usize,
    identifiers: usize,
    identifiers_exact: usize,
}

impl Tally {
    fn add(&mut self, text: &str, question: &str, needles: &[&str]) {
        let compressed =
            compress_balanced(text, Origin::Other, Notation::default(), question, &tokens);
        let minified = jton::minify(text).ok();
        let after = compressed
            .as_ref()
            .map_or(text, |compressed| &compressed.text);
        // Folds may take a line apart: it is there if it can be read out of them.
        let readable = restore(after).unwrap_or_default();
        let found = needles
            .iter()
            .filter(|needle| after.contains(**needle) || readable.contains(**needle))
            .count();
        self.texts += 1;
        self.recall += share(found, needles.len());
        let before = tokens(text);
        self.tokens_before += before;
        self.tokens_minified += minified.as_ref().map_or(before, |text| tokens(text));
        self.tokens_after += compressed.as_ref().map_or(before, |cut| cut.tokens_after);
        if let Some(compressed) = compressed.filter(|compressed| compressed.omission.is_some()) {
            self.cut += 1;
            self.check_identifiers(minified.as_deref().unwrap_or(text), &compressed);
        }
    }

    /// Looks for every identifier of what is left in the text, each behind the one before.
    fn check_identifiers(&mut self, text: &str, compressed: &Compressed) {
        let restored = restore(&compressed.text).unwrap_or_default();
        let left = Omission::split(&restored).map_or("", |(_, left)| left);
        let mut rest = text;
        for line in left
            .split('\n')
            .filter(|line| !line.starts_with("[skinflint:"))
        {
            for range in protected(line) {
                let identifier = &line[range];
                self.identifiers += 1;
                if let Some(at) = rest.find(identifier) {
                    self.identifiers_exact += 1;
                    rest = &rest[at + identifier.len()..];
                }
            }
        }
    }

    fn recall(&self) -> f64 {
        self.recall / f64::from(u32::try_from(self.texts).unwrap_or(0))
    }

    fn saved(&self) -> f64 {
        1.0 - share(self.tokens_after, self.tokens_before)
    }
}

pub(super) fn evaluate(options: &Options) -> Result<Vec<Figure>, EvalError> {
    let text = read(&options.data.join("headroom_fidelity/cases.json"))?;
    let cases: Vec<Case<'_>> = parse("the file of cases", &text)?;
    let (mut minified, mut pretty) = (Tally::default(), Tally::default());
    for case in &cases {
        let needles: Vec<&str> = case
            .answer_evidence
            .iter()
            .chain(&case.supporting_facts)
            .map(String::as_str)
            .collect();
        let content: Value = parse("a case", case.content.get())?;
        let short = jton::minify(case.content.get()).unwrap_or_default();
        minified.add(&short, &case.question, &needles);
        pretty.add(&format!("{content:#}"), &case.question, &needles);
    }
    let (mut rows, mut lines) = (Tally::default(), Tally::default());
    let mut random = StdRng::seed_from_u64(SEED);
    for _ in 0..HAYSTACKS {
        let list = generated::list(&mut random);
        rows.add(&format!("[{}]", list.parts.join(",")), "", &needles(&list));
        let log = generated::log(&mut random);
        lines.add(&log.parts.join("\n"), "", &needles(&log));
    }
    let recall = minified.recall().min(pretty.recall());
    let all = [&minified, &pretty, &rows, &lines];
    let identifiers = all.iter().map(|tally| tally.identifiers).sum();
    let exact = all.iter().map(|tally| tally.identifiers_exact).sum();
    let beside_minified = 1.0 - share(pretty.tokens_after, pretty.tokens_minified);
    let info = |name: &str, value| Figure::new(name, value, "share", None);
    Ok(vec![
        at_least("recall_headroom_fidelity", recall, "share", 0.99),
        info(
            "recall_headroom_cut",
            share(minified.cut + pretty.cut, minified.texts + pretty.texts),
        ),
        info("recall_headroom_tokens_saved", pretty.saved()),
        info(
            "recall_headroom_tokens_saved_beside_minified",
            beside_minified,
        ),
        at_least("recall_injected_rows", rows.recall(), "share", 0.99),
        info("recall_injected_rows_cut", share(rows.cut, rows.texts)),
        info("recall_injected_rows_tokens_saved", rows.saved()),
        at_least("recall_injected_lines", lines.recall(), "share", 0.99),
        info("recall_injected_lines_cut", share(lines.cut, lines.texts)),
        info("recall_injected_lines_tokens_saved", lines.saved()),
        exactly(
            "recall_identifiers_exact",
            share(exact, identifiers),
            "share",
            1.0,
        ),
    ])
}

fn needles(haystack: &Haystack) -> Vec<&str> {
    haystack.needles.iter().map(String::as_str).collect()
}
