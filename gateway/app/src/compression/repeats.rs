//! Passages of new results that stand in earlier ones, as references to these.

use skinflint_compressor::{
    Compressed, Kind, Stage, StageName, kind,
    repeats::{self, Earlier, Passages},
};

/// A result that the model has as it came, by its number among all results, from 1.
#[derive(Debug, Clone)]
pub(super) struct Verbatim {
    label: String,
    text: String,
}

/// Shorter passages are said again: a reference takes some thirty tokens, and the model has to look it up.
const PASSAGES: Passages = Passages {
    min_lines: 4,
    min_bytes: 400,
};
/// How a reference names a result.
const LABEL: &str = "tool result ";

impl Verbatim {
    pub(super) fn new(index: usize, text: String) -> Self {
        Self {
            label: label(index),
            text,
        }
    }
}

fn label(index: usize) -> String {
    format!("{LABEL}{}", index + 1)
}

/// A text with references, where that is fewer tokens. JSON is not cut by lines.
pub(super) fn refer(
    text: &str,
    earlier: &[Verbatim],
    count: &dyn Fn(&str) -> usize,
) -> Option<Compressed> {
    if earlier.is_empty() || kind::detect(text) == Kind::Json {
        return None;
    }
    let known: Vec<_> = earlier
        .iter()
        .map(|block| Earlier {
            label: &block.label,
            text: &block.text,
        })
        .collect();
    let referring = repeats::encode(text, &known, PASSAGES)?;
    let (tokens_before, tokens_after) = (count(text), count(&referring));
    (tokens_after < tokens_before).then_some(Compressed {
        text: referring,
        stages: vec![Stage::Fold(StageName::Repeats)],
        normalised: Vec::new(),
        omission: None,
        tokens_before,
        tokens_after,
    })
}

/// Whether a text refers to the result of this number, counted from 0: then that has to stay.
pub(super) fn refers_to(text: &str, index: usize) -> bool {
    text.contains(&format!(" of {}: \"", label(index)))
}

/// The text with what it refers to, among the results as they are sent.
pub(crate) fn restore<'t>(text: &str, results: impl Iterator<Item = &'t str>) -> Option<String> {
    let labels: Vec<_> = results
        .enumerate()
        .map(|(index, text)| (label(index), text))
        .collect();
    let known: Vec<_> = labels
        .iter()
        .map(|(label, text)| Earlier { label, text })
        .collect();
    repeats::restore(text, &known).ok()
}
