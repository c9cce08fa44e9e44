//! What may be done to the result of a tool where parts of it can be fetched later: [`compress_balanced`].

mod diff;
mod gaps;
mod log;
mod numbers;
mod rows;
mod search;
mod shape;
mod terms;

use std::fmt;

use crate::jton::Notation;
use crate::kind::{self, Kind};
use crate::omission::{Handle, Omission, Unit};
use crate::origin::Origin;
use crate::safe::{Compressed, Stage, compress_safely};
use crate::{lossless, marker};
use terms::Terms;

/// A way of leaving out parts of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleName {
    /// Elements of lists of JSON that are like the others.
    Rows,
    /// Lines of a log, or of the output of a build or of tests, that tell of nothing but progress.
    LogLines,
    /// Context of a patch, and its changes of files that programs write.
    Hunks,
    /// Results of a search after the first ones of a file.
    Hits,
}

impl SampleName {
    /// Its name in logs and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::LogLines => "log_lines",
            Self::Hunks => "hunks",
            Self::Hits => "hits",
        }
    }
}

impl fmt::Display for SampleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text without some of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cut {
    text: String,
    omitted: usize,
    of: usize,
    unit: Unit,
    name: SampleName,
}

/// Fewer tokens saved are not worth what may be missing: to fetch it takes as many.
const MIN_SAVED: usize = 150;

/// Nor is a smaller share: one part in so many.
const MIN_SHARE: usize = 4;

/// Like [`compress_safely`], but may leave out parts of lists of JSON, of logs, of patches and of search results: what is
/// like the rest of the text, as far as its words, numbers and shapes tell. What tells of failures, what is rare, far from
/// the others or different from them, and what has the rare terms of `question` (a task and the arguments of the tool's
/// call, or nothing) stays, byte by byte and in order.
///
/// Such a text begins with the line of its [`Omission`], under which is what [`compress_safely`] makes of what is left.
/// Nothing is left out of reads of files, source code and prose, nor where that saves less than a quarter of the tokens
/// that [`compress_safely`] needs, or less than 150. A text with a marker of ours is not cut again.
///
/// Pure: the same arguments give the same result everywhere. Time is linear in the length, but for sorting, and for
/// `count`, which is called at most twice as often as by [`compress_safely`].
pub fn compress_balanced(
    text: &str,
    origin: Origin,
    explained: Notation,
    question: &str,
    count: &dyn Fn(&str) -> usize,
) -> Option<Compressed> {
    let safe = compress_safely(text, origin, explained, count);
    if origin == Origin::Verbatim
        || marker::contains_marker(text)
        || Notation::split(text).is_some()
    {
        return safe;
    }
    let Some(cut) = cut(text, question) else {
        return safe;
    };
    let omission = Omission {
        handle: Handle::of(text),
        omitted: cut.omitted,
        of: cut.of,
        unit: cut.unit,
    };
    let rest = rest(cut, explained, count);
    let shown = format!("{omission}\n{}", rest.text);
    let tokens_before = safe
        .as_ref()
        .map_or_else(|| count(text), |safe| safe.tokens_before);
    let tokens_safe = safe
        .as_ref()
        .map_or(tokens_before, |safe| safe.tokens_after);
    let tokens_after = count(&shown);
    let saved = tokens_safe.saturating_sub(tokens_after);
    if saved < MIN_SAVED || saved * MIN_SHARE < tokens_safe {
        return safe;
    }
    Some(Compressed {
        text: shown,
        omission: Some(omission),
        tokens_before,
        tokens_after,
        ..rest
    })
}

/// What is left of a text where parts of it can be left out.
fn cut(text: &str, question: &str) -> Option<Cut> {
    let terms = Terms::of(question);
    let plain = crate::log::normalise::without_ansi_codes(text);
    match kind::detect(plain.as_deref().unwrap_or(text)) {
        Kind::Json => rows::sample(text, &terms),
        Kind::Log => log::sample(text, &terms),
        Kind::Diff => diff::sample(text),
        Kind::SearchResults => search::sample(text, &terms),
        Kind::FileRead | Kind::Prose | Kind::Other => None,
    }
}

/// What is left, without loss of any more. Its numbers of tokens are not those of a whole.
fn rest(cut: Cut, explained: Notation, count: &dyn Fn(&str) -> usize) -> Compressed {
    let sample = Stage::Sample(cut.name);
    let mut rest = Compressed {
        text: cut.text,
        stages: vec![sample],
        normalised: Vec::new(),
        omission: None,
        tokens_before: 0,
        tokens_after: 0,
    };
    if cut.unit == Unit::Rows {
        let smaller = compress_safely(&rest.text, Origin::Other, explained, count);
        let stages = smaller
            .as_ref()
            .map_or(vec![Stage::Minify], |smaller| smaller.stages.clone());
        rest.stages.extend(stages);
        if let Some(smaller) = smaller {
            rest.text = smaller.text;
        }
    } else if let Some(rewrite) = lossless::rewrite_cut(&rest.text, count) {
        rest.text = rewrite.text;
        rest.stages
            .extend(rewrite.stages.into_iter().map(Stage::Fold));
        rest.normalised = rewrite.normalised;
    }
    rest
}

#[cfg(test)]
mod tests;
