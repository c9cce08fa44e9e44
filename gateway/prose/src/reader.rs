//! What a model says, asked by [`Iterative`]: [`Reader`].

use std::collections::HashMap;

use skinflint_compressor::lingua::{Iterative, Kept, Lane, Step};
use skinflint_local_model::{Engine, Prefix, ScoreRequest, Scores};

use crate::ProseError;

/// Scores of whole texts that were read before, for measurements that ask for the same ones at each rate.
pub(crate) type Memo = HashMap<Vec<u32>, Vec<f32>>;

/// Reads two texts side by side.
pub(crate) struct Reader<'e> {
    engine: &'e Engine,
    lanes: [LaneRead; 2],
    memo: Option<&'e mut Memo>,
}

#[derive(Default)]
struct LaneRead {
    prefix: Option<Prefix>,
    /// What was read, where scores are remembered.
    tokens: Vec<u32>,
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
                    let logprobs = self.score(lane, keep, tokens).await?;
                    machine.feed(&logprobs)?;
                }
            }
        }
    }

    async fn score(
        &mut self,
        lane: Lane,
        keep: usize,
        tokens: Vec<u32>,
    ) -> Result<Vec<f32>, ProseError> {
        let lane = &mut self.lanes[usize::from(lane == Lane::Plain)];
        if let Some(memo) = &mut self.memo {
            lane.tokens.truncate(keep);
            let from = lane.tokens.len();
            lane.tokens.extend_from_slice(&tokens);
            let scores = remembered(self.engine, memo, &lane.tokens).await?;
            return Ok(scores[from.saturating_sub(1)..].to_vec());
        }
        let mut after = lane.prefix.take().filter(|_| keep > 0);
        if let Some(prefix) = &mut after {
            // Forgotten only where `keep` is beyond what was read, which the machine does not ask for.
            if prefix.cut(keep).is_err() {
                after = None;
            }
        }
        let request = ScoreRequest {
            tokens,
            after,
            keep: true,
            ..ScoreRequest::default()
        };
        let Scores { logprobs, prefix } = self.engine.score(request).await?;
        lane.prefix = prefix;
        Ok(logprobs)
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
