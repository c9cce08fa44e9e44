//! What may always be done to the result of a tool: [`compress_safely`].

use std::fmt;

use thiserror::Error;

use crate::balanced::SampleName;
use crate::form::{FormError, StageName};
use crate::jton::{self, JtonError, Notation, Profile, scan};
use crate::kind::{self, Kind};
use crate::log::normalise::Normalisation;
use crate::lossless;
use crate::omission::Omission;
use crate::origin::Origin;

/// A text that takes fewer tokens than it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    /// What to send.
    pub text: String,
    /// What was done, in this order; [`restore`] undoes it, apart from samples.
    pub stages: Vec<Stage>,
    /// What was taken away before that, for good.
    pub normalised: Vec<Normalisation>,
    /// What was left out before all of that; its line stands above the text.
    pub omission: Option<Omission>,
    /// Tokens of the text as it came.
    pub tokens_before: usize,
    /// Tokens of the text as it is sent; fewer.
    pub tokens_after: usize,
}

/// Something that is done to a text, without loss unless it is a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// White space between the parts of a JSON text is left out.
    Minify,
    /// Lists of JSON objects with the same keys are tables.
    Tables,
    /// So are lists of objects some of which lack keys, or whose values are objects with the same keys.
    UnionTables,
    /// A text is folded.
    Fold(StageName),
    /// Parts of a text are left out.
    Sample(SampleName),
}

/// A text that is not in the form that its first line announces.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// A table is broken.
    #[error(transparent)]
    Table(#[from] JtonError),
    /// A fold is broken.
    #[error(transparent)]
    Fold(#[from] FormError),
}

/// Longer JSON texts are made into tables by bytes, since their tokens would have to be counted a dozen times; what is
/// saved hardly differs.
const COUNTED_BYTES: usize = 16 << 10;

/// Another notation for the same content, where it takes fewer tokens, as `count` counts them; `None` where none does,
/// or where the bytes matter.
///
/// JSON is minified, and its lists of objects become tables (JTON 1.0, or its union of keys) behind a line that says how
/// they are read; where `explained` says that an earlier block has that line, a shorter one does. Numbers and strings stay
/// as they are spelled. Other texts are folded by [`lossless::rewrite`]. Pure: the same text gives the same result everywhere. What it has made it leaves alone.
pub fn compress_safely(
    text: &str,
    origin: Origin,
    explained: Notation,
    count: &dyn Fn(&str) -> usize,
) -> Option<Compressed> {
    if origin == Origin::Verbatim || Notation::split(text).is_some() {
        return None;
    }
    if kind::detect(text) != Kind::Json {
        let rewrite = lossless::rewrite(text, count)?;
        return Some(Compressed {
            tokens_before: count(text),
            tokens_after: count(&rewrite.text),
            stages: rewrite.stages.into_iter().map(Stage::Fold).collect(),
            normalised: rewrite.normalised,
            omission: None,
            text: rewrite.text,
        });
    }
    let minified = scan::scan(text).ok()?;
    let cost = (minified.text.len() <= COUNTED_BYTES).then_some(count);
    let table = |profile, stage| {
        let table = jton::tables(&minified, profile, cost)?;
        let hint = Notation::of(&table).hint(explained);
        Some((format!("{hint}\n{table}"), vec![Stage::Minify, stage]))
    };
    let candidates = [
        table(Profile::Standard, Stage::Tables),
        table(Profile::Union, Stage::UnionTables),
        (minified.text != text).then(|| (minified.text.clone(), vec![Stage::Minify])),
    ];
    let best = candidates
        .into_iter()
        .flatten()
        .map(|(text, stages)| (count(&text), text, stages))
        .min_by_key(|(tokens, ..)| *tokens)?;
    let tokens_before = count(text);
    let (tokens_after, text, stages) = best;
    (tokens_after < tokens_before).then_some(Compressed {
        text,
        stages,
        normalised: Vec::new(),
        omission: None,
        tokens_before,
        tokens_after,
    })
}

/// What the text was before [`compress_safely`]: JSON minified, other texts as they were after their normalisations. A
/// text that was not compressed comes back as it is. What was left out does not come back: the line that says so stays,
/// and so do the marks of gaps.
pub fn restore(text: &str) -> Result<String, RestoreError> {
    if let Some((line, rest)) = Omission::split(text) {
        return Ok(format!("{line}\n{}", restore_kept(rest)?));
    }
    restore_kept(text)
}

fn restore_kept(text: &str) -> Result<String, RestoreError> {
    match Notation::split(text) {
        None => Ok(lossless::restore(text)?),
        Some((notation, table)) => match jton::decode(table) {
            Ok(json) => Ok(json),
            // A tool may begin a list of tables with that word.
            Err(_) if notation == Notation::default() => Ok(text.to_owned()),
            Err(error) => Err(error.into()),
        },
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minify => "minify",
            Self::Tables => "jton",
            Self::UnionTables => "jton_union",
            Self::Fold(stage) => stage.as_str(),
            Self::Sample(sample) => sample.as_str(),
        })
    }
}

#[cfg(test)]
mod tests;
