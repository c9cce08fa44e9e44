//! Hand-made cases, what holds of any text, and prompts of the reference's own tests.

mod facts;
mod properties;
mod stages;
mod words;

use std::ops::Range;

use super::{Before, Context, Iterative, Kept, Lane, LinguaOptions, Step, TextToken};

/// A word is a token.
fn by_words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// A number that is small enough.
fn small(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// A surprisal that hangs on a token and the one before it.
fn mixed(read: &[u32], token: u32) -> f32 {
    let number = (token ^ read[read.len() - 1]).wrapping_mul(0x9e37_79b9);
    -f32::from(u16::try_from(number >> 16).unwrap())
}

/// Cuts at white space; each token has the white space before it.
fn tokens(text: &str) -> Vec<TextToken> {
    let mut tokens: Vec<TextToken> = Vec::new();
    let mut end = 0;
    for word in text.split_whitespace() {
        let at = end + text[end..].find(word).unwrap();
        let id = word.bytes().fold(7_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u32::from(byte))
        });
        tokens.push(TextToken {
            id: id % 1000,
            range: end..at + word.len(),
        });
        end = at + word.len();
    }
    tokens
}

fn context(text: &str, rate: f64) -> Context {
    Context {
        text: text.to_owned(),
        tokens: tokens(text),
        protected: Vec::new(),
        rate,
    }
}

/// Where a part of a text is.
fn span(text: &str, part: &str) -> Range<usize> {
    let start = text.find(part).unwrap();
    start..start + part.len()
}

/// Runs the machine with a made-up scorer, which is told what the lane holds before a token and the token, and checks
/// that what it is asked goes together.
fn run(
    contexts: Vec<Context>,
    before: Before,
    limit: usize,
    options: &LinguaOptions,
    score: &dyn Fn(Lane, &[u32], u32) -> f32,
) -> (Vec<Kept>, usize) {
    let mut machine = Iterative::new(contexts, before, limit, options);
    let mut read: [Vec<u32>; 2] = Default::default();
    let mut steps = 0;
    loop {
        match machine.step() {
            Step::Done(kept) => return (kept, steps),
            Step::Score { lane, keep, tokens } => {
                steps += 1;
                let read = &mut read[usize::from(lane == Lane::Plain)];
                assert!(keep <= read.len() && !tokens.is_empty());
                read.truncate(keep);
                let mut logprobs = Vec::new();
                for token in tokens {
                    if !read.is_empty() {
                        logprobs.push(score(lane, read, token));
                    }
                    read.push(token);
                }
                assert!(read.len() <= limit);
                machine.feed(&logprobs).unwrap();
            }
        }
    }
}
