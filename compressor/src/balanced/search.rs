//! Results of a search with the first ones of each file.

use std::collections::HashMap;

use super::gaps::{self, Fate};
use super::terms::Terms;
use super::{Cut, SampleName};
use crate::omission::Unit;
use crate::search;

/// Matches that stay of a file.
const FIRST: usize = 5;

/// What is left of a text; `None` if all of it. All paths stay, and lines that are no results.
pub(super) fn sample(text: &str, terms: &Terms) -> Option<Cut> {
    let lines: Vec<&str> = text.split('\n').collect();
    let hits = search::hits(&lines);
    let is_match = |line: usize| hits[line].is_some_and(|hit| hit.is_match());
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut chosen = vec![false; lines.len()];
    let mut of = 0;
    for (line, hit) in hits.iter().enumerate() {
        if let Some(hit) = hit.filter(|_| is_match(line)) {
            of += 1;
            let count = counts.entry(hit.path).or_default();
            chosen[line] = *count < FIRST;
            *count += 1;
        }
    }
    let texts = hits.iter().map(|hit| hit.map_or("", |hit| hit.rest));
    for line in terms.matches(texts, (of / 10).max(20)) {
        chosen[line] |= is_match(line);
    }
    let near = with_context(&hits, &chosen);
    let fates: Vec<Fate> = (0..lines.len())
        .map(|line| match hits[line] {
            Some(_) if near[line] => Fate::Kept,
            Some(_) if is_match(line) => Fate::Omitted,
            Some(_) => Fate::Uncounted,
            // A separator goes with the results on its two sides.
            None if lines[line] == "--" && line > 0 && !near[line - 1] => Fate::Uncounted,
            None => Fate::Kept,
        })
        .collect();
    gaps::write(&lines, &fates, of, (Unit::Hits, SampleName::Hits))
}

/// The chosen results and the lines of context that follow or precede them without a match between.
fn with_context(hits: &[Option<search::Hit<'_>>], chosen: &[bool]) -> Vec<bool> {
    let mut near = chosen.to_vec();
    let is_context = |line: usize| hits[line].is_some_and(|hit| !hit.is_match());
    let same =
        |one: usize, other: usize| hits[one].map(|hit| hit.path) == hits[other].map(|hit| hit.path);
    for line in 1..hits.len() {
        near[line] |= is_context(line) && near[line - 1] && same(line, line - 1);
    }
    let mut before = chosen.to_vec();
    for line in (0..hits.len().saturating_sub(1)).rev() {
        before[line] |= is_context(line) && before[line + 1] && same(line, line + 1);
    }
    for (near, before) in near.iter_mut().zip(before) {
        *near |= before;
    }
    near
}
