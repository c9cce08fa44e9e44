//! What a model says, asked by [`Iterative`]: [`Reader`].

use std::collections::HashMap;
use std::time::Duration;

use skinflint_compressor::lingua::{Iterative, Kept, Lane, Step};
use skinflint_local_model::{Engine, Prefix, ScoreRequest, Scores};
use tokio::time::timeout;

use crate::ProseError;

/// Scores of whole texts that were read before, for measurements that ask for the same ones at each rate.
pub(crate) type Memo = HashMap<Vec<u32>, Vec<f32>>;

/// How long a call that has something kept waits for its turn. What is kept takes room that others may be waiting for,
/// while it waits for them: after that it lets go and reads all again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads two texts side by side.
pub(crate) struct Reader<'e> {
    engine: &'e Engine,
    lanes: [LaneRead; 2],
    memo: Option<&'e mut Memo>,
}

#[derive(Default)]
struct LaneRead {
    /// What was read.
    tokens: Vec<u32>,
    /// The same with its keys and values, unless they were let go.
    prefix: Option<Prefix>,
}

impl<'e> Reader<'e> {
    pub(crate) fn new(engine: &'e Engine, memo: Option<&'e mut Memo>) -> Self {
        Self {
            engine,
            lanes: Default::default(),
            memo,
        }
    }

    /// Runs the machine to its end.
    pub(crate) async fn run(&mut self, mut machine: Iterative) -> Result<Vec<Kept>, ProseError> {
        loop {
            match machine.step() {
                Step::Done(kept) => return Ok(kept),
                Step::Score { lane, keep, tokens } => {
                    let lane = usize::from(lane == Lane::Plain);
                    let logprobs = self.score(lane, keep, tokens).await?;
                    machine.feed(&logprobs)?;
                }
            }
        }
    }

    async fn score(
        &mut self,
        lane: usize,
        keep: usize,
        tokens: Vec<u32>,
    ) -> Result<Vec<f32>, ProseError> {
        let read = &mut self.lanes[lane];
        read.tokens.truncate(keep);
        let from = read.tokens.len().saturating_sub(1);
        read.tokens.extend_from_slice(&tokens);
        if let Some(memo) = &mut self.memo {
            let scores = remembered(self.engine, memo, &read.tokens).await?;
            return Ok(scores[from..].to_vec());
        }
        let kept = read.prefix.take().filter(|_| keep > 0);
        // Fails only beyond what was read, which the machine does not ask for.
        let after = kept.and_then(|mut prefix| prefix.cut(keep).is_ok().then_some(prefix));
        let holds = after.is_some() || self.lanes.iter().any(|lane| lane.prefix.is_some());
        if holds {
            let first = self.read(lane, &tokens, after);
            if let Ok(scores) = timeout(PATIENCE, first).await {
                return Ok(self.keep(lane, scores?, tokens.len(), keep));
            }
            for lane in &mut self.lanes {
                lane.prefix = None;
            }
        }
        let scores = self.read(lane, &tokens, None).await?;
        Ok(self.keep(lane, scores, tokens.len(), keep))
    }

    /// Reads what is new, or all of the lane where nothing is kept of it.
    async fn read(
        &self,
        lane: usize,
        tokens: &[u32],
        after: Option<Prefix>,
    ) -> Result<Scores, ProseError> {
        let tokens = match after {
            Some(_) => tokens,
            None => &self.lanes[lane].tokens,
        };
        let request = ScoreRequest {
            tokens: tokens.to_vec(),
            after,
            keep: true,
            ..ScoreRequest::default()
        };
        Ok(self.engine.score(request).await?)
    }

    /// Keeps what was read, and gives the scores of the tokens that were asked for: the last ones.
    fn keep(&mut self, lane: usize, scores: Scores, asked: usize, keep: usize) -> Vec<f32> {
        self.lanes[lane].prefix = scores.prefix;
        // The first token of all has no score.
        let asked = asked - usize::from(keep == 0 && asked > 0);
        let from = scores.logprobs.len().saturating_sub(asked);
        scores.logprobs[from..].to_vec()
    }
}

/// The log-probabilities of all tokens but the first.
pub(crate) async fn remembered(
    engine: &Engine,
    memo: &mut Memo,
    tokens: &[u32],
) -> Result<Vec<f32>, ProseError> {
    if let Some(scores) = memo.get(tokens) {
        return Ok(scores.clone());
    }
    let scores = whole(engine, tokens.to_vec()).await?;
    memo.insert(tokens.to_vec(), scores.clone());
    Ok(scores)
}

/// The log-probabilities of all tokens but the first.
pub(crate) async fn whole(engine: &Engine, tokens: Vec<u32>) -> Result<Vec<f32>, ProseError> {
    let request = ScoreRequest {
        tokens,
        ..ScoreRequest::default()
    };
    Ok(engine.score(request).await?.logprobs)
}
