//! Prose made shorter by leaving words out, as the `LLMLingua` family does: the algorithms, without a model.
//!
//! | method | paper | here |
//! |---|---|---|
//! | `LLMLingua` | Jiang et al., EMNLP 2023, sections 3.1 and 3.2 | [`budget`], [`Iterative`] |
//! | `LongLLMLingua` | Jiang et al., ACL 2024, section 4 | [`rank`], [`budget`], [`Iterative`] with two lanes |
//! | `LLMLingua-2` | Pan et al., Findings of ACL 2024, section 4 | [`classified`] |
//!
//! All work on places in the source: what comes out is a list of byte ranges that are kept ([`Kept`]), in their order,
//! and never a text that a tokenizer has put together. The smallest thing that is left out is a word ([`atoms`]), where
//! the reference implementation leaves out tokens and parts of words. A protected span is one thing, and kept
//! unless [`LinguaOptions::keep_protected`] says otherwise.
//!
//! Nothing here asks a model. [`Iterative`] says what it wants scored and is fed with the answer; the others are given
//! what a model says of each token. So everything is deterministic and can be tested with made-up scores.

pub mod atoms;
pub mod baselines;
pub mod budget;
mod choose;
pub mod classified;
mod iterative;
mod kept;
mod options;
pub mod rank;
pub mod sentences;
pub mod tags;

pub use atoms::{Atom, Rules};
pub use iterative::{Before, Context, FeedError, Iterative, Lane, Step, TextToken};
pub use kept::Kept;
pub use options::{
    ConditionInQuestion, ContextBudget, LinguaOptions, OptionError, RankMethod, Reorder,
};

#[cfg(test)]
mod tests;
