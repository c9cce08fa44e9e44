//! One pass through the weights, for all calls that run: what it reads, and what comes of it.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::{Result, Storage, Tensor};
use parking_lot::Mutex;
use skinflint_kernels::Lead;
use tracing::error;

use super::answer::Answer;
use super::clock::Clock;
use super::score::logprob;
use super::sequence::{Pending, Reader, Sequence};
use super::stats::{Counters, add};
use crate::error::{EngineFault, StructureFault};
use crate::model::Model;
use crate::tokenizer::{TokenId, Tokenizer};

/// Tokens of prompts that a step reads beside sequences that decode. At some 1,000 a second on two
/// cores they hold up the next token of these by an eighth of a second; fewer would not make full
/// use of a product that fetches each weight once for all of them.
const PROMPT_TOKENS_BESIDE_DECODING: usize = 128;

/// Tokens of prompts that a step reads when nobody waits for a next token: half a second, after
/// which new calls join and lost ones leave.
const PROMPT_TOKENS_ALONE: usize = 512;

/// Rows of logits that are there at a time: 64 MiB with a vocabulary of 262,144.
const LOGIT_ROWS: usize = 64;

/// How many tokens of each sequence the next step reads: the one of each that decodes, and as much
/// of the prompts as the step's length allows. Prompts get equal shares, so that a short one does
/// not wait for a long one to be read; what it leaves goes to the others.
pub(super) fn plan(pending: &[Pending]) -> Vec<usize> {
    let is_anyone_decoding = pending.iter().any(|sequence| sequence.is_decoding);
    let mut left = if is_anyone_decoding {
        PROMPT_TOKENS_BESIDE_DECODING
    } else {
        PROMPT_TOKENS_ALONE
    };
    let mut shares = vec![0; pending.len()];
    let mut prompts = Vec::with_capacity(pending.len());
    for (index, sequence) in pending.iter().enumerate() {
        if sequence.is_decoding {
            shares[index] = sequence.tokens;
        } else {
            prompts.push(index);
        }
    }
    // Stable: among equals, those that came first get what does not divide.
    prompts.sort_by_key(|&index| pending[index].tokens);
    let count = prompts.len();
    for (rank, index) in prompts.into_iter().enumerate() {
        let share = left.div_ceil(count - rank);
        shares[index] = pending[index].tokens.min(share);
        left -= shares[index];
    }
    shares
}

/// What is to be made of one row of logits.
enum Task<'a> {
    /// The next token of an answer.
    Choose(&'a mut Answer, &'a mut Vec<TokenId>),
    /// The log-probability of a token.
    Score(TokenId, &'a mut f32),
}

/// What a step works with.
pub(super) struct Step<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) counters: &'a Counters,
    pub(super) clock: &'a Clock,
}

impl Step<'_> {
    /// Reads `shares[i]` tokens of the i-th sequence, chooses next tokens and sends their text.
    pub(super) fn run(
        &self,
        lead: &Lead<'_>,
        sequences: &mut [Sequence],
        shares: &[usize],
    ) -> Result<()> {
        let began = self.clock.now();
        let taking_part = shares.iter().filter(|&&share| share > 0).count();
        let done = self.forward(lead, sequences, shares);
        let took = self.clock.now().saturating_duration_since(began);
        self.counters.step(taking_part, took);
        done
    }

    fn forward(&self, lead: &Lead<'_>, sequences: &mut [Sequence], shares: &[usize]) -> Result<()> {
        let mut chunks: Vec<_> = taking_part(sequences, shares)
            .map(|(sequence, share)| sequence.chunk(share))
            .collect();
        let hidden = self.model.hidden(lead, &mut chunks)?;
        drop(chunks);
        let mut tasks = Vec::new();
        for (sequence, share) in taking_part(sequences, shares) {
            if !sequence.pending().is_decoding {
                add(&self.counters.prompt_tokens, share as u64);
            }
            match sequence.after_chunk(share) {
                Reader::Nobody => {}
                Reader::Next(answer, tokens) => {
                    tasks.push(Mutex::new(Task::Choose(answer, tokens)));
                }
                Reader::Scores(targets, slots) => {
                    let scores = targets.iter().zip(slots);
                    tasks.extend(scores.map(|(&token, slot)| Mutex::new(Task::Score(token, slot))));
                }
            }
        }
        if hidden.dim(0)? != tasks.len() {
            candle_core::bail!(
                "{} hidden states for {} tokens",
                hidden.dim(0)?,
                tasks.len()
            );
        }
        for (index, tasks) in tasks.chunks(LOGIT_ROWS).enumerate() {
            let rows = hidden.narrow(0, index * LOGIT_ROWS, tasks.len())?;
            let logits = self.model.logits(lead, &rows)?;
            with_rows(&logits, |values, vocabulary| {
                lead.run(tasks.len(), |row| {
                    let values = &values[row * vocabulary..(row + 1) * vocabulary];
                    match &mut *tasks[row].lock() {
                        Task::Score(token, slot) => **slot = logprob(values, *token),
                        Task::Choose(answer, tokens) => tokens.extend(self.choose(answer, values)),
                    }
                });
            })?;
        }
        Ok(())
    }

    /// The next token of an answer.
    fn choose(&self, answer: &mut Answer, logits: &[f32]) -> Option<TokenId> {
        let token = guarded(answer, |answer| {
            answer.choose(self.tokenizer, &mut logits.to_vec())
        })?;
        add(&self.counters.generated_tokens, 1);
        if answer.generated() == 1 {
            let waited = self.clock.now().saturating_duration_since(answer.placed);
            self.counters.first_token(waited);
        }
        Some(token)
    }
}

/// What `choose` gives. A fault or a panic ends the answer that it belongs to, and no other.
fn guarded(
    answer: &mut Answer,
    choose: impl FnOnce(&mut Answer) -> std::result::Result<TokenId, StructureFault>,
) -> Option<TokenId> {
    let fault = match catch_unwind(AssertUnwindSafe(|| choose(answer))) {
        Ok(Ok(token)) => return Some(token),
        Ok(Err(fault)) => EngineFault::Structure(fault),
        Err(_) => {
            error!("choosing a token panicked; the other calls go on");
            EngineFault::Panicked
        }
    };
    answer.outcome = Some(Err(fault));
    None
}

fn taking_part<'a>(
    sequences: &'a mut [Sequence],
    shares: &'a [usize],
) -> impl Iterator<Item = (&'a mut Sequence, usize)> {
    sequences
        .iter_mut()
        .zip(shares.iter().copied())
        .filter(|&(_, share)| share > 0)
}

/// Calls `work` with the values of a matrix, row after row, and its width.
fn with_rows(matrix: &Tensor, work: impl FnOnce(&[f32], usize)) -> Result<()> {
    let matrix = matrix.contiguous()?;
    let (rows, width) = matrix.dims2()?;
    let (storage, layout) = matrix.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        candle_core::bail!("logits that are not in main memory");
    };
    let range: Range<usize> = layout.start_offset()..layout.start_offset() + rows * width;
    match storage.as_slice::<f32>()?.get(range) {
        Some(values) => work(values, width),
        None => candle_core::bail!("logits with rows missing"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::super::answer::Making;
    use super::super::generation::Event;
    use super::*;
    use crate::reply::Reply;
    use crate::request::Sampling;
    use crate::sampler::Sampler;
    use crate::stop::StopFilter;
    use crate::tool_syntax::ToolSyntax;

    fn prompt(tokens: usize) -> Pending {
        Pending {
            tokens,
            is_decoding: false,
        }
    }

    const DECODING: Pending = Pending {
        tokens: 1,
        is_decoding: true,
    };

    #[test]
    fn whoever_decodes_gets_a_token_and_prompts_the_rest() {
        assert_eq!(plan(&[]), Vec::<usize>::new());
        assert_eq!(plan(&[DECODING, DECODING]), [1, 1]);
        assert_eq!(plan(&[prompt(2000)]), [PROMPT_TOKENS_ALONE]);
        assert_eq!(
            plan(&[DECODING, prompt(2000), DECODING]),
            [1, PROMPT_TOKENS_BESIDE_DECODING, 1]
        );
    }

    #[test]
    fn prompts_share_and_leave_what_they_do_not_need() {
        assert_eq!(plan(&[prompt(1000), prompt(1000)]), [256, 256]);
        assert_eq!(
            plan(&[prompt(1000), prompt(12), prompt(1000)]),
            [250, 12, 250]
        );
        assert_eq!(plan(&[prompt(5), prompt(12)]), [5, 12]);
        assert_eq!(
            plan(&[prompt(900), DECODING, prompt(90), prompt(20)]),
            [54, 1, 54, 20]
        );
        let shares = plan(&[prompt(9000); 7]);
        assert_eq!(shares.iter().sum::<usize>(), PROMPT_TOKENS_ALONE);
        assert!(shares.iter().all(|&share| (73..=74).contains(&share)));
    }

    #[test]
    fn more_prompts_than_tokens_take_turns_by_length() {
        let shares = plan(&[prompt(9000); 600]);
        assert_eq!(shares.iter().sum::<usize>(), PROMPT_TOKENS_ALONE);
        assert!(shares.iter().all(|&share| share <= 1));
    }

    #[test]
    fn a_panic_over_one_answer_is_that_answers_end() {
        let (events, mut receiver) = mpsc::unbounded_channel();
        let making = Making {
            sampler: Sampler::new(&Sampling::default(), None, None),
            filter: StopFilter::new([], false),
            reply: Reply::new(ToolSyntax::Hermes, false),
        };
        let mut answer = Answer::new(making, 1, 5, events, Instant::now());
        assert_eq!(guarded(&mut answer, |_| Ok(7)), Some(7));
        assert_eq!(answer.outcome, None);
        assert_eq!(guarded(&mut answer, |_| panic!("as the test asked")), None);
        answer.end(None);
        let last = receiver.try_recv().unwrap();
        assert_eq!(last, Event::Failed(EngineFault::Panicked));
    }
}
