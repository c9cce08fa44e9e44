//! Lines grouped by template, in one pass: Drain, with the shape of a line (the classes of its pieces)
//! in place of the tree that leads to the candidates.

use std::collections::HashMap;

use super::pieces::{Class, Piece, pieces};
use super::template::Template;

/// The candidates that a line is compared with at most: bounds the time for each line.
const MAX_CANDIDATES: usize = 12;

/// The share of constant words that have to agree, in percent.
const SIMILAR: usize = 60;

/// Lines of one shape and similar words.
#[derive(Debug)]
struct Cluster<'t> {
    /// Of each piece the text, if all lines have the same.
    constant: Vec<Option<&'t str>>,
    lines: Vec<usize>,
}

/// The clusters of a text.
#[derive(Debug)]
pub(super) struct Clusters<'t> {
    clusters: Vec<Cluster<'t>>,
}

impl<'t> Clusters<'t> {
    /// Groups lines.
    pub(super) fn of(lines: &[&'t str]) -> Self {
        let mut clusters: Vec<Cluster<'t>> = Vec::new();
        let mut by_shape: HashMap<Vec<Class>, Vec<usize>> = HashMap::new();
        let mut parts = Vec::new();
        let mut shape = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            pieces(line, &mut parts);
            if parts.is_empty() {
                continue;
            }
            shape.clear();
            shape.extend(parts.iter().map(|piece| piece.class));
            if !by_shape.contains_key(&shape) {
                by_shape.insert(shape.clone(), Vec::new());
            }
            let Some(candidates) = by_shape.get_mut(&shape) else {
                continue;
            };
            let best = candidates
                .iter()
                .filter_map(|&at| Some((similarity(&clusters[at], &parts)?, at)))
                .max_by_key(|&(similarity, at)| (similarity, std::cmp::Reverse(at)));
            if let Some((_, at)) = best {
                clusters[at].add(index, &parts);
            } else if candidates.len() < MAX_CANDIDATES {
                candidates.push(clusters.len());
                clusters.push(Cluster::new(index, &parts));
            }
        }
        Self { clusters }
    }

    /// The templates of clusters with more than one line, in the order of their first lines.
    pub(super) fn templates(&self, lines: &[&'t str]) -> Vec<Template<'t>> {
        self.clusters
            .iter()
            .filter(|cluster| cluster.lines.len() > 1)
            .map(|cluster| Template::new(&cluster.constant, cluster.lines.clone(), lines))
            .collect()
    }
}

impl<'t> Cluster<'t> {
    fn new(line: usize, parts: &[Piece<'t>]) -> Self {
        Self {
            constant: parts
                .iter()
                .map(|piece| (!piece.is_number()).then_some(piece.text))
                .collect(),
            lines: vec![line],
        }
    }

    fn add(&mut self, line: usize, parts: &[Piece<'t>]) {
        for (constant, piece) in self.constant.iter_mut().zip(parts) {
            if *constant != Some(piece.text) {
                *constant = None;
            }
        }
        self.lines.push(line);
    }
}

/// The percentage of constant words that a line shares with a cluster, if that is enough.
fn similarity(cluster: &Cluster<'_>, parts: &[Piece<'_>]) -> Option<usize> {
    let mut same = 0;
    let mut words = 0;
    for (constant, piece) in cluster.constant.iter().zip(parts) {
        if piece.class == Class::Word && !(constant.is_none() && piece.is_number()) {
            words += 1;
            same += usize::from(*constant == Some(piece.text));
        }
    }
    let percent = (same * 100).checked_div(words).unwrap_or(100);
    (percent >= SIMILAR).then_some(percent)
}
