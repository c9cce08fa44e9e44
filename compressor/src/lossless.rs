//! A text of a tool's result, without loss of anything that is said in it.

use crate::form::{self, Form, FormError, StageName};
use crate::jton::Notation;
use crate::kind::{self, Kind};
use crate::log::normalise::{self, Normalisation};
use crate::log::{dates, runs, templates};
use crate::marker::PREFIX;
use crate::{marker, search};

use memchr::memmem;

/// A text that was made smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// What to send: the hints of the stages, the last stage's first, then the body.
    pub text: String,
    /// The stages in the order in which they were applied; [`restore`] undoes them.
    pub stages: Vec<StageName>,
    /// What was taken away before them, for good.
    pub normalised: Vec<Normalisation>,
}

/// Shorter texts are not worth a hint, in bytes.
const MIN_LENGTH: usize = 64;

/// Makes a text smaller by the stages that fit its kind, each kept only if `count`, which gives the
/// tokens of a text, gets smaller by it. `None` if none is kept.
///
/// Search results are told by their paths; logs and terminal output are normalised, then folded. JSON
/// and whatever an agent may edit by its bytes (reads of files, diffs, source code, prose) are left
/// alone, and so is a text with a marker in it: a rewritten text is not rewritten again.
///
/// The same text and the same counter give the same result in any process. Time is linear in the
/// length, apart from `count`, which is called at most six times.
pub fn rewrite(text: &str, count: &dyn Fn(&str) -> usize) -> Option<Rewrite> {
    (!marker::contains_marker(text))
        .then(|| rewrite_cut(text, count))
        .flatten()
}

/// [`rewrite`] of a text whose marks are all ours, where lines were left out. The first line is none.
pub(crate) fn rewrite_cut(text: &str, count: &dyn Fn(&str) -> usize) -> Option<Rewrite> {
    if text.len() < MIN_LENGTH {
        return None;
    }
    let marks = |text: &str| memmem::find_iter(text.as_bytes(), PREFIX.as_bytes()).count();
    let plan = plan(text)?;
    let mut tokens = count(text);
    let mut normalised = Vec::new();
    let mut body = text.to_owned();
    if let Some((changed, names)) = plan.normal {
        let fewer = count(&changed);
        if fewer < tokens && marks(&changed) == marks(text) {
            tokens = fewer;
            body = changed;
            normalised = names;
        }
    }
    let start = body.clone();
    let mut stages = Vec::new();
    let mut hints = String::new();
    for &(name, fold) in plan.stages {
        let Some(form) = fold(&body) else { continue };
        let candidate = format!("{}\n{hints}{}", form.hint, form.body);
        let fewer = count(&candidate);
        if fewer < tokens {
            tokens = fewer;
            hints = format!("{}\n{hints}", form.hint);
            body = form.body;
            stages.push(name);
        }
    }
    if stages.is_empty() && normalised.is_empty() {
        return None;
    }
    let text = hints + &body;
    // Several forms in one another could still be read otherwise, where a body begins like a hint.
    if !stages.is_empty() && restore(&text).as_deref() != Ok(start.as_str()) {
        return None;
    }
    // Without its codes a text may look like a table of ours.
    if Notation::split(&text).is_some() {
        return None;
    }
    Some(Rewrite {
        text,
        stages,
        normalised,
    })
}

/// Undoes the stages of a [`Rewrite`] by its hints. What it was before its normalisations is gone. A text
/// without hints comes back as it is.
pub fn restore(text: &str) -> Result<String, FormError> {
    let mut hints = Vec::new();
    let mut body = text;
    while let Some((hint, rest)) = form::split_hint(body) {
        hints.push(hint);
        body = rest;
    }
    let mut body = body.to_owned();
    for hint in hints {
        body = unfold(hint, &body)?;
    }
    Ok(body)
}

/// Undoes the stage whose hint it is.
fn unfold(hint: &str, body: &str) -> Result<String, FormError> {
    [
        search::unfold,
        runs::unfold,
        dates::unfold,
        templates::unfold,
    ]
    .into_iter()
    .map(|unfold| unfold(hint, body))
    .find(|result| !matches!(result, Err(FormError::Hint)))
    .unwrap_or(Err(FormError::Hint))
}

type Stage = (StageName, fn(&str) -> Option<Form>);

const SEARCH: &[Stage] = &[(StageName::Search, search::fold)];
const LOG: &[Stage] = &[
    (StageName::Runs, runs::fold),
    (StageName::Dates, dates::fold),
    (StageName::Templates, templates::fold),
];

/// What is to be tried on a text.
struct Plan {
    /// The text without what a terminal would not show.
    normal: Option<(String, Vec<Normalisation>)>,
    stages: &'static [Stage],
}

/// What fits a text, going by what a terminal would show of it.
fn plan(text: &str) -> Option<Plan> {
    let plain = normalise::without_ansi_codes(text);
    let shown = plain.as_deref().unwrap_or(text);
    let kind = kind::detect(shown);
    let terminal = plain.is_some() || normalise::without_progress_states(shown).is_some();
    match kind {
        Kind::SearchResults => Some(Plan {
            normal: plain.map(|plain| (plain, vec![Normalisation::AnsiCodes])),
            stages: SEARCH,
        }),
        Kind::Log => planned(text, LOG),
        Kind::Other | Kind::Prose
            if terminal && !kind::is_code(shown) && !kind::is_table(shown) =>
        {
            planned(text, LOG)
        }
        _ => None,
    }
}

/// Normalisation and stages, unless the text turns out to be something else once it is normalised.
fn planned(text: &str, stages: &'static [Stage]) -> Option<Plan> {
    let normal = normalise::normalise(text);
    let stages = match normal.as_ref().map(|(text, _)| kind::detect(text)) {
        None | Some(Kind::Log | Kind::Other | Kind::Prose) => stages,
        Some(Kind::SearchResults) => SEARCH,
        Some(_) => return None,
    };
    Some(Plan { normal, stages })
}
