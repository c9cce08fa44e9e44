//! Prompts that say which parts may be compressed: `<llmlingua, rate=0.4, compress=False>…</llmlingua>`.

use std::ops::Range;

use thiserror::Error;

use crate::place::Place;

const OPEN: &str = "<llmlingua";
const CLOSE: &str = "</llmlingua>";

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its content, without tags, in bytes of the prompt.
    pub content: Range<usize>,
    /// The share of tokens to keep, 0 to 1; none where nothing is said.
    pub rate: Option<f64>,
    /// Whether it may be compressed.
    pub compress: bool,
}

/// A tag that is not right, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{fault} at {place}")]
pub struct TagError {
    /// What is wrong.
    pub fault: TagFault,
    /// Where the tag begins.
    pub place: Place,
}

/// What can be wrong with a tag.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TagFault {
    /// The opening tag has no `>`.
    #[error("the tag <llmlingua has no end")]
    Open,
    /// Nothing closes it.
    #[error("nothing closes the tag <llmlingua>")]
    NotClosed,
    /// It closes nothing.
    #[error("</llmlingua> closes nothing")]
    NotOpened,
    /// A tag stands in another.
    #[error("a tag <llmlingua> stands within another")]
    Nested,
    /// An attribute that is neither `rate` nor `compress`.
    #[error("the tag <llmlingua> has no attribute {0:?}; it has rate and compress")]
    Attribute(String),
    /// An attribute that is there twice.
    #[error("the tag <llmlingua> has {0} twice")]
    Twice(&'static str),
    /// A rate that is none.
    #[error("rate={0} is not a number from 0 to 1")]
    Rate(String),
    /// A value that is none of the two.
    #[error("compress={0} is neither True nor False")]
    Compress(String),
}

/// The sections of a prompt, in order, empty ones left out. What stands outside of tags is a section that may be
/// compressed. Attributes stand in any order. Content may have any `<` but these tags, which are not nested.
pub fn parse(prompt: &str) -> Result<Vec<Section>, TagError> {
    let mut sections = Vec::new();
    let mut at = 0;
    let outside = |content| Section {
        content,
        rate: None,
        compress: true,
    };
    while let Some((open, tag)) = find(prompt, at) {
        let fail = |fault, offset| TagError {
            fault,
            place: Place::of(prompt, offset),
        };
        sections.push(outside(at..open));
        if tag == Tag::Close {
            return Err(fail(TagFault::NotOpened, open));
        }
        let attributes = open + OPEN.len();
        let length = prompt[attributes..]
            .find(['>', '<'])
            .filter(|end| prompt[attributes + end..].starts_with('>'))
            .ok_or_else(|| fail(TagFault::Open, open))?;
        let start = attributes + length + 1;
        let mut section =
            attributes_of(&prompt[attributes..start - 1]).map_err(|fault| fail(fault, open))?;
        match find(prompt, start) {
            None => return Err(fail(TagFault::NotClosed, open)),
            Some((inner, Tag::Open)) => return Err(fail(TagFault::Nested, inner)),
            Some((close, Tag::Close)) => {
                section.content = start..close;
                at = close + CLOSE.len();
                sections.push(section);
            }
        }
    }
    sections.push(outside(at..prompt.len()));
    sections.retain(|section| !section.content.is_empty());
    Ok(sections)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Open,
    Close,
}

/// The next tag at or behind a byte.
fn find(prompt: &str, from: usize) -> Option<(usize, Tag)> {
    let close = prompt[from..].find(CLOSE).map(|at| (from + at, Tag::Close));
    // `<llmlinguaX>` is something else.
    let open = prompt[from..].match_indices(OPEN).find(|(at, _)| {
        let after = prompt[from + at + OPEN.len()..].chars().next();
        after.is_none_or(|symbol| symbol == '>' || symbol == ',' || symbol.is_whitespace())
    });
    let open = open.map(|(at, _)| (from + at, Tag::Open));
    match (open, close) {
        (Some(open), Some(close)) => Some(if open.0 < close.0 { open } else { close }),
        (open, close) => open.or(close),
    }
}

/// What an opening tag says.
fn attributes_of(text: &str) -> Result<Section, TagFault> {
    let mut rate = None;
    let mut compress = None;
    for attribute in text.split(',').map(str::trim) {
        if attribute.is_empty() {
            continue;
        }
        let unknown = || TagFault::Attribute(attribute.to_owned());
        let (name, value) = attribute.split_once('=').ok_or_else(unknown)?;
        let (name, value) = (name.trim(), value.trim());
        match name {
            "rate" if rate.is_some() => return Err(TagFault::Twice("rate")),
            "compress" if compress.is_some() => return Err(TagFault::Twice("compress")),
            "rate" => {
                let number: Option<f64> = value.parse().ok();
                let number = number.filter(|rate| (0.0..=1.0).contains(rate));
                rate = Some(number.ok_or_else(|| TagFault::Rate(value.to_owned()))?);
            }
            "compress" => {
                compress = Some(match value {
                    "True" | "true" => true,
                    "False" | "false" => false,
                    _ => return Err(TagFault::Compress(value.to_owned())),
                });
            }
            _ => return Err(unknown()),
        }
    }
    Ok(Section {
        content: 0..0,
        rate,
        compress: compress.unwrap_or(true),
    })
}
