//! Windows of lines of earlier blocks, by hash.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::Earlier;
use super::reference::is_label;

/// The places that are kept of one window: bounds the time for each line.
const MAX_PLACES: usize = 4;

/// Lines that stand in an earlier block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passage<'e> {
    pub(super) label: &'e str,
    /// The first line in the block, counted from 0.
    pub(super) start: usize,
    /// How many lines.
    pub(super) length: usize,
}

struct Block<'e> {
    label: &'e str,
    lines: Vec<&'e str>,
}

/// The earlier blocks, to be searched.
pub(super) struct Index<'e> {
    blocks: Vec<Block<'e>>,
    /// By the hash of a window the places where it stands: block and line.
    places: HashMap<u64, Vec<(usize, usize)>>,
    window: usize,
}

impl<'e> Index<'e> {
    /// Indexes of blocks the windows of so many lines, at least one, that a text has as well.
    pub(super) fn new(earlier: &[Earlier<'e>], text: &[&str], window: usize) -> Self {
        let wanted: HashSet<u64> = hashes(text, window).collect();
        let mut blocks: Vec<Block<'e>> = Vec::new();
        let mut places: HashMap<u64, Vec<(usize, usize)>> = HashMap::new();
        let mut labels = HashSet::new();
        for block in earlier {
            if !labels.insert(block.label) || !is_label(block.label) {
                continue;
            }
            let lines: Vec<&str> = block.text.split('\n').collect();
            for (line, hash) in hashes(&lines, window).enumerate() {
                if !wanted.contains(&hash) {
                    continue;
                }
                let places = places.entry(hash).or_default();
                if places.len() < MAX_PLACES {
                    places.push((blocks.len(), line));
                }
            }
            blocks.push(Block {
                label: block.label,
                lines,
            });
        }
        Self {
            blocks,
            places,
            window,
        }
    }

    /// The passages of a text that have so many bytes, from its beginning, and the lines where they
    /// start. None overlap.
    pub(super) fn passages(&self, lines: &[&str], min_bytes: usize) -> Vec<(usize, Passage<'e>)> {
        let mut found = Vec::new();
        let mut next = 0;
        for (at, hash) in hashes(lines, self.window).enumerate() {
            if at < next {
                continue;
            }
            let Some(passage) = self.longest(&lines[at..], hash) else {
                continue;
            };
            let length = passage.length;
            let bytes: usize = lines[at..at + length]
                .iter()
                .map(|line| line.len() + 1)
                .sum();
            if bytes >= min_bytes {
                found.push((at, passage));
                next = at + length;
            }
        }
        found
    }

    /// The longest passage that begins where a window with this hash does; of several the first.
    fn longest(&self, lines: &[&str], hash: u64) -> Option<Passage<'e>> {
        let mut longest: Option<Passage<'e>> = None;
        for &(block, start) in self.places.get(&hash)? {
            let block = &self.blocks[block];
            let length = block.lines[start..]
                .iter()
                .zip(lines)
                .take_while(|(one, other)| one == other)
                .count();
            if length >= self.window && longest.is_none_or(|longest| length > longest.length) {
                longest = Some(Passage {
                    label: block.label,
                    start,
                    length,
                });
            }
        }
        longest
    }
}

/// The hashes of all windows of so many lines. They are the same in every process.
fn hashes(lines: &[&str], window: usize) -> impl Iterator<Item = u64> {
    let each: Vec<u64> = lines
        .iter()
        .map(|line| {
            let mut hasher = DefaultHasher::new();
            line.hash(&mut hasher);
            hasher.finish()
        })
        .collect();
    (0..(each.len() + 1).saturating_sub(window)).map(move |at| {
        let mut hasher = DefaultHasher::new();
        each[at..at + window].hash(&mut hasher);
        hasher.finish()
    })
}
