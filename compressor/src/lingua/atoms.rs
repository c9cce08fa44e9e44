//! The smallest things that are kept or left out: [`Atom`].

use std::cmp::Reverse;
use std::ops::Range;

use memchr::memmem;

use super::{Kept, LinguaOptions};

mod words;

use words::{is_word, words};

/// A word with the white space before it, a sign, or a protected span: it is kept whole or left out whole. The atoms of
/// a text have all of it, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atom {
    /// In bytes of the text, on character boundaries.
    pub range: Range<usize>,
    /// Which of the tokens it has, by their index.
    pub tokens: Vec<usize>,
    /// Why it is kept whatever its score.
    pub force: Option<Force>,
}

/// Why an atom must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It has something of a protected span.
    Protected,
    /// It has something of this string of [`LinguaOptions::force_tokens`].
    String(usize),
    /// It has a digit.
    Digit,
    /// It is an empty line.
    Split,
}

/// What is kept whatever its score, and what is not cut.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'r> {
    /// Spans of the text, in bytes, each of which is kept or left out whole.
    pub protected: &'r [Range<usize>],
    /// Which things are forced.
    pub options: &'r LinguaOptions,
}

/// A stretch that is not cut.
struct Body {
    range: Range<usize>,
    force: Option<Force>,
}

/// The atoms of a text whose tokens are in these ranges, in bytes. Tokens that share a character, or that lie in one
/// word, are in one atom. Ranges that are not in the text, or end within a character, count for nothing.
pub fn atoms(text: &str, tokens: &[Range<usize>], rules: Rules<'_>) -> Vec<Atom> {
    let mut atoms = Vec::new();
    let mut end = 0;
    for body in bodies(text, tokens, rules) {
        let gap = end..body.range.start;
        let force = split_force(&text[gap.clone()], rules.options);
        let start = if force.is_some() {
            atoms.push(Atom::new(gap, force));
            body.range.start
        } else {
            gap.start
        };
        end = body.range.end;
        let force = body.force.or_else(|| digit(&text[body.range], rules));
        atoms.push(Atom::new(start..end, force));
    }
    // White space at the end belongs to what is before it.
    match atoms.last_mut() {
        Some(last) => last.range.end = text.len(),
        None if !text.is_empty() => atoms.push(Atom::new(0..text.len(), None)),
        None => {}
    }
    assign(text, tokens, &mut atoms);
    atoms
}

impl Atom {
    fn new(range: Range<usize>, force: Option<Force>) -> Self {
        Self {
            range,
            tokens: Vec::new(),
            force,
        }
    }
}

/// Everything that is not white space between atoms, in order and without overlap.
fn bodies(text: &str, tokens: &[Range<usize>], rules: Rules<'_>) -> Vec<Body> {
    let body = |range, force| Body { range, force };
    let mut bodies: Vec<Body> = words(text)
        .into_iter()
        .map(|range| body(range, None))
        .collect();
    bodies.extend(tokens.iter().filter_map(|token| {
        let range = trimmed(text, token)?;
        Some(body(range, None))
    }));
    let force = rules.options.keep_protected.then_some(Force::Protected);
    // Not trimmed: white space at its ends is part of what must stay.
    bodies.extend(rules.protected.iter().filter_map(|span| {
        text.get(span.clone()).filter(|part| !part.is_empty())?;
        Some(body(span.clone(), force))
    }));
    for (index, string) in rules.options.force_tokens.iter().enumerate() {
        if !string.trim().is_empty() {
            let starts = memmem::find_iter(text.as_bytes(), string.as_bytes());
            let force = Some(Force::String(index));
            bodies.extend(starts.map(|start| body(start..start + string.len(), force)));
        }
    }
    bodies.sort_by_key(|body| (body.range.start, Reverse(body.range.end)));
    let mut merged: Vec<Body> = Vec::with_capacity(bodies.len());
    for body in bodies {
        match merged.last_mut() {
            Some(last) if body.range.start < last.range.end => {
                last.range.end = last.range.end.max(body.range.end);
                last.force = stronger(last.force, body.force);
            }
            _ => merged.push(body),
        }
    }
    merged
}

/// Of a protected span and a forced string, the former, which is not left out where it is said twice.
fn stronger(one: Option<Force>, other: Option<Force>) -> Option<Force> {
    match (one, other) {
        (Some(Force::Protected), _) | (_, Some(Force::Protected)) => Some(Force::Protected),
        _ => one.or(other),
    }
}

/// A token's range without white space; none where nothing is left.
fn trimmed(text: &str, token: &Range<usize>) -> Option<Range<usize>> {
    let part = text.get(token.clone())?;
    let start = token.start + (part.len() - part.trim_start().len());
    let range = start..start + part.trim().len();
    (!range.is_empty()).then_some(range)
}

/// Whether white space must stay, and why.
fn split_force(gap: &str, options: &LinguaOptions) -> Option<Force> {
    if gap.is_empty() {
        return None;
    }
    let forced = options
        .force_tokens
        .iter()
        .position(|string| string.trim().is_empty() && gap.contains(string.as_str()));
    let is_split = options.keep_split && gap.contains("\n\n");
    forced
        .map(Force::String)
        .or_else(|| is_split.then_some(Force::Split))
}

fn digit(body: &str, rules: Rules<'_>) -> Option<Force> {
    let has_digit = rules.options.force_reserve_digit && body.chars().any(char::is_numeric);
    has_digit.then_some(Force::Digit)
}

/// Gives each token to the atom in which its text begins.
fn assign(text: &str, tokens: &[Range<usize>], atoms: &mut [Atom]) {
    for (index, token) in tokens.iter().enumerate() {
        if text.get(token.clone()).is_none() {
            continue;
        }
        let start = trimmed(text, token).map_or(token.start, |range| range.start);
        let after = atoms.partition_point(|atom| atom.range.start <= start);
        if let Some(atom) = after.checked_sub(1).and_then(|at| atoms.get_mut(at)) {
            atom.tokens.push(index);
        }
    }
}

/// What is kept of a text, where these of its atoms are. Where two words would run together that did not, a character
/// of white space between them is kept, or, where there is none, the sign before the second.
pub fn join(text: &str, atoms: &[Atom], kept: &[bool]) -> Kept {
    let mut result = Kept::default();
    let mut last: Option<usize> = None;
    for (index, atom) in atoms.iter().enumerate() {
        if !kept.get(index).is_some_and(|kept| *kept) {
            continue;
        }
        if let Some(last) = last.filter(|last| last + 1 < index) {
            let left_out = atoms[last].range.end..atom.range.start;
            if let Some(seam) = seam(text, left_out, &atoms[index - 1].range, &atom.range) {
                result.push(seam);
            }
        }
        result.push(atom.range.clone());
        last = Some(index);
    }
    result
}

/// What must be kept of a stretch that is left out, so that the words around it stay two.
fn seam(
    text: &str,
    left_out: Range<usize>,
    sign: &Range<usize>,
    next: &Range<usize>,
) -> Option<Range<usize>> {
    let before = text[..left_out.start].chars().next_back()?;
    let after = text[next.clone()].chars().next()?;
    if before.is_whitespace() || after.is_whitespace() {
        return None;
    }
    let space = text[left_out.clone()]
        .char_indices()
        .rfind(|(_, symbol)| symbol.is_whitespace());
    if let Some((at, symbol)) = space {
        let start = left_out.start + at;
        return Some(start..start + symbol.len_utf8());
    }
    (is_word(before) && is_word(after)).then(|| sign.clone())
}
