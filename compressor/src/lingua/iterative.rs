//! `LLMLingua` and `LongLLMLingua` word by word: [`Iterative`].

use std::ops::Range;

use thiserror::Error;

use super::atoms::{Atom, Rules, atoms, join};
use super::choose::{choose, real};
use super::{Kept, LinguaOptions};
use crate::marker::contains_marker;

/// Tokens at the start that stay where the middle must go, as attention rests on them.
const KEPT_START: usize = 10;

/// A token of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextToken {
    /// In the vocabulary of the model that scores.
    pub id: u32,
    /// In bytes of the text.
    pub range: Range<usize>,
}

/// A text that is to be compressed.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// The text.
    pub text: String,
    /// All its tokens, in order.
    pub tokens: Vec<TextToken>,
    /// Spans that are kept or left out whole, in bytes of the text.
    pub protected: Vec<Range<usize>>,
    /// The share of its tokens that is kept, 0 to 1.
    pub rate: f64,
}

/// What stands before the contexts, by the model's tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Before {
    /// With the instruction and, where the method wants it, the question.
    pub conditioned: Vec<u32>,
    /// Without the question: what [`LinguaOptions::condition_compare`] compares with.
    pub plain: Vec<u32>,
    /// Stands between two contexts.
    pub separator: Vec<u32>,
}

/// One of two texts that the scorer reads side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// [`Before::conditioned`] and what follows.
    Conditioned,
    /// [`Before::plain`] and what follows.
    Plain,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// How likely is each of `tokens` behind the first `keep` tokens of what the lane has read? To be answered with
    /// [`Iterative::feed`]. From then on the lane has read `keep` tokens and these.
    Score {
        /// Where to read.
        lane: Lane,
        /// Tokens of the lane that stay; 0 for a new start.
        keep: usize,
        /// What is read, never empty.
        tokens: Vec<u32>,
    },
    /// What is kept of each context.
    Done(Vec<Kept>),
}

/// Scores that are not those that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FeedError {
    /// Nothing was asked.
    #[error("no scores were asked for")]
    NotAsked,
    /// Each token has one, but for the first that was ever read.
    #[error("{got} scores came for {expected} tokens")]
    Count {
        /// So many were asked for.
        expected: usize,
        /// So many came.
        got: usize,
    },
}

/// Compresses contexts window by window, each scored behind what has been kept before it (Jiang et al., EMNLP 2023,
/// section 3.2); with two lanes, by how much likelier the question makes each token (Jiang et al., ACL 2024,
/// section 4.2). Asks for scores and is fed with them; reads no model.
///
/// A word is worth as much as its most surprising token. Within each window the best are kept, as many as the context's
/// rate leaves; what one window has kept too much or too little, the next ones of the context make good.
#[derive(Debug, Clone)]
pub struct Iterative {
    options: LinguaOptions,
    contexts: Vec<Work>,
    separator: Vec<u32>,
    lanes: Vec<LaneState>,
    /// The context that is being compressed.
    context: usize,
    /// Its first atom that is not decided.
    atom: usize,
    /// Surprisals of the window's tokens, a list a lane.
    surprisals: Vec<Vec<f64>>,
    /// How many scores are waited for, and for what.
    asked: Option<(usize, Step)>,
    /// The most tokens that a lane holds.
    limit: usize,
}

/// A context, its atoms and what is decided of them.
#[derive(Debug, Clone)]
struct Work {
    context: Context,
    atoms: Vec<Atom>,
    kept: Vec<bool>,
    /// Tokens decided and tokens kept.
    seen: usize,
    spent: usize,
    is_whole: bool,
}

#[derive(Debug, Clone)]
struct LaneState {
    lane: Lane,
    /// What the scorer has read.
    read: Vec<u32>,
    /// What the next window is scored behind.
    kept: Vec<u32>,
}

impl Iterative {
    /// For contexts that follow `before`, by a model that reads at most `limit` tokens at a time.
    pub fn new(
        contexts: Vec<Context>,
        before: Before,
        limit: usize,
        options: &LinguaOptions,
    ) -> Self {
        let lane = |lane, kept| LaneState {
            lane,
            read: Vec::new(),
            kept,
        };
        let mut lanes = vec![lane(Lane::Conditioned, before.conditioned)];
        if options.condition_compare {
            lanes.push(lane(Lane::Plain, before.plain));
        }
        let work = |context: Context| {
            let ranges: Vec<_> = context
                .tokens
                .iter()
                .map(|token| token.range.clone())
                .collect();
            let rules = Rules {
                protected: &context.protected,
                options,
            };
            let is_whole = context.rate >= 1.0 || contains_marker(&context.text);
            let mut atoms = atoms(&context.text, &ranges, rules);
            if atoms.iter().all(|atom| atom.tokens.is_empty()) {
                // Without tokens nothing can be told of it.
                atoms.clear();
            }
            Work {
                is_whole: is_whole || atoms.is_empty(),
                kept: vec![false; atoms.len()],
                atoms,
                context,
                seen: 0,
                spent: 0,
            }
        };
        Self {
            options: options.clone(),
            contexts: contexts.into_iter().map(work).collect(),
            separator: before.separator,
            lanes,
            context: 0,
            atom: 0,
            surprisals: Vec::new(),
            asked: None,
            limit: limit.max(2),
        }
    }

    /// What to do next. Asked twice before it is fed, it says the same.
    pub fn step(&mut self) -> Step {
        if let Some((_, step)) = &self.asked {
            return step.clone();
        }
        while let Some(work) = self.contexts.get(self.context) {
            if work.is_whole {
                self.pass_whole();
                continue;
            }
            if self.atom >= work.atoms.len() {
                self.next_context();
                continue;
            }
            let window = self.window();
            let ids = self.ids(window.clone());
            let is_forced = work.atoms[window.clone()]
                .iter()
                .all(|atom| atom.force.is_some());
            if ids.is_empty() || is_forced {
                self.decide(window, &[]);
                continue;
            }
            return self.ask(&ids);
        }
        Step::Done(self.contexts.iter().map(Work::result).collect())
    }

    /// Takes the natural log-probabilities of the tokens asked for, in their order; where [`Step::Score`] had nothing
    /// before them, the first has none and is left out.
    pub fn feed(&mut self, logprobs: &[f32]) -> Result<(), FeedError> {
        let expected = self.asked.as_ref().ok_or(FeedError::NotAsked)?.0;
        if logprobs.len() != expected {
            return Err(FeedError::Count {
                expected,
                got: logprobs.len(),
            });
        }
        self.asked = None;
        let window = self.window();
        let length = self.ids(window.clone()).len();
        let mut surprisals: Vec<f64> = logprobs[logprobs.len().saturating_sub(length)..]
            .iter()
            .map(|&logprob| -f64::from(logprob))
            .collect();
        // The very first token cannot be told by others: it is kept.
        if surprisals.len() < length {
            surprisals.insert(0, f64::INFINITY);
        }
        self.surprisals.push(surprisals);
        if self.surprisals.len() == self.lanes.len() {
            let surprisals = std::mem::take(&mut self.surprisals);
            self.decide(window, &surprisals);
        }
        Ok(())
    }

    /// The atoms that are decided next: as many as have no more tokens than are scored at once, at least one.
    fn window(&self) -> Range<usize> {
        let Some(work) = self.contexts.get(self.context) else {
            return 0..0;
        };
        let mut tokens = 0;
        let fitting = work.atoms[self.atom..]
            .iter()
            .take_while(|atom| {
                tokens += atom.tokens.len();
                tokens <= self.window_tokens()
            })
            .count();
        self.atom..(self.atom + fitting.max(1)).min(work.atoms.len())
    }

    fn window_tokens(&self) -> usize {
        self.options.iterative_size.min(self.limit / 2).max(1)
    }

    /// The window's tokens, as many as are scored at once.
    fn ids(&self, window: Range<usize>) -> Vec<u32> {
        let Some(work) = self.contexts.get(self.context) else {
            return Vec::new();
        };
        let mut ids = work.ids(window);
        ids.truncate(self.window_tokens());
        ids
    }

    fn ask(&mut self, ids: &[u32]) -> Step {
        let room = self.limit - ids.len().min(self.limit - 1);
        let lane = &mut self.lanes[self.surprisals.len()];
        lane.slide(room);
        let same = lane.read.iter().zip(&lane.kept);
        let keep = same.take_while(|(read, kept)| read == kept).count();
        let mut tokens = lane.kept[keep..].to_vec();
        tokens.extend_from_slice(ids);
        lane.read.truncate(keep);
        lane.read.extend_from_slice(&tokens);
        let scores = tokens.len() - usize::from(keep == 0);
        let lane = lane.lane;
        let step = Step::Score { lane, keep, tokens };
        self.asked = Some((scores, step.clone()));
        step
    }

    /// Chooses among a window's atoms.
    fn decide(&mut self, window: Range<usize>, surprisals: &[Vec<f64>]) {
        let Some(work) = self.contexts.get_mut(self.context) else {
            return;
        };
        let atoms = &work.atoms[window.clone()];
        let weights: Vec<usize> = atoms.iter().map(|atom| atom.tokens.len()).collect();
        let scores = scores(work, window.clone(), surprisals);
        work.seen += weights.iter().sum::<usize>();
        let budget = work.context.rate * real(work.seen) - real(work.spent);
        let drops = self.options.drop_consecutive;
        let kept = choose(atoms, &scores, &weights, budget, drops);
        for ((index, kept), weight) in window.clone().zip(kept).zip(weights) {
            work.kept[index] = kept;
            if kept {
                work.spent += weight;
                let ids = work.ids(index..index + 1);
                for lane in &mut self.lanes {
                    lane.kept.extend_from_slice(&ids);
                }
            }
        }
        self.atom = window.end;
    }

    /// Goes past a context of which all is kept.
    fn pass_whole(&mut self) {
        if let Some(work) = self.contexts.get(self.context) {
            let ids = work.context.tokens.iter().map(|token| token.id);
            for lane in &mut self.lanes {
                lane.kept.extend(ids.clone());
            }
        }
        self.next_context();
    }

    fn next_context(&mut self) {
        self.context += 1;
        self.atom = 0;
        for lane in &mut self.lanes {
            lane.kept.extend_from_slice(&self.separator);
        }
    }
}

impl Work {
    fn ids(&self, atoms: Range<usize>) -> Vec<u32> {
        let tokens = self.atoms[atoms].iter().flat_map(|atom| &atom.tokens);
        tokens.map(|&token| self.context.tokens[token].id).collect()
    }

    fn result(&self) -> Kept {
        if self.is_whole {
            return Kept::all(&self.context.text);
        }
        join(&self.context.text, &self.atoms, &self.kept)
    }
}

impl LaneState {
    /// Makes room by forgetting the middle, half of the room at once, so that it is not done for each window.
    fn slide(&mut self, room: usize) {
        if self.kept.len() <= room {
            return;
        }
        let stay = (room / 2).max(1);
        let head = KEPT_START.min(stay / 2).max(1);
        let tail = self.kept.len() - (stay - head.min(stay));
        let recent = self.kept.split_off(tail);
        self.kept.truncate(head);
        self.kept.extend(recent);
    }
}

/// What each atom of a window is worth: the most that one of its tokens is, white space aside.
fn scores(work: &Work, window: Range<usize>, surprisals: &[Vec<f64>]) -> Vec<f64> {
    let worth = |at: usize| {
        let own = surprisals.first()?.get(at)?;
        match surprisals.get(1) {
            None => Some(*own),
            Some(plain) => Some(plain.get(at)? - own),
        }
    };
    let mut at = 0;
    let scored = work.atoms[window].iter().map(|atom| {
        let mut most = f64::NEG_INFINITY;
        for &token in &atom.tokens {
            let range = work.context.tokens[token].range.clone();
            let text = work.context.text.get(range).unwrap_or_default();
            if !text.trim().is_empty() {
                most = worth(at).map_or(most, |worth| most.max(worth));
            }
            at += 1;
        }
        most
    });
    scored.collect()
}
