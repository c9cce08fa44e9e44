//! Old results of tools in a long conversation, as lines that say what stood there: [`plan`] says which, and whether
//! now is the time.
//!
//! ```text
//! [skinflint: read of src/main.rs omitted, it was edited later; read it again if needed]
//! ```
//!
//! A change in the middle of a conversation makes the provider write anew all that stands behind it, so it is done
//! seldom and for many results at once: when the prompt cache has gone cold anyway, when the context is about to
//! overflow, or when the requests still to come pay for it.
//!
//! Everything is decided by what the caller says. What has been elided is never looked at again: the caller keeps its
//! [`Elision::stub`] and sends the same bytes in every later request.

mod access;
mod price;
mod receipt;
mod shell;
mod stale;
mod stub;

use access::Access;
pub use price::CacheRates;
pub use receipt::{Plan, Reason};
pub use stub::stub;

use crate::jton::Notation;
use crate::marker::PREFIX;
use crate::omission::{Handle, Omission};

/// A result of a tool in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldResult<'t> {
    /// As it is sent now.
    pub text: &'t str,
    /// Tokens of the text.
    pub tokens: u64,
    /// Tokens of everything in the request behind the text, as it is sent now. Exact for [`Occasion::Warm`] is what of
    /// it the provider's cache has; with what is new besides, a plan only looks dearer than it is.
    pub behind: u64,
    /// The turn of the assistant that called the tool, counted from 0.
    pub turn: usize,
    /// The tool and its arguments, a JSON object as text.
    pub call: Option<(&'t str, &'t str)>,
    /// Whether the request says that the call failed: such an edit has changed nothing.
    pub failed: bool,
    /// Whether the text is a stub of ours already.
    pub elided: bool,
    /// The whole text as the tool gave it, if it is kept and the model has the tool that fetches it.
    pub handle: Option<Handle>,
}

/// Why a conversation may be changed in the middle now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The request does not fit, whatever it costs.
    Overflow {
        /// Tokens that it needs: the prompt and what is set aside for the answer.
        tokens: u64,
        /// Tokens that the model takes.
        window: u64,
    },
    /// The provider's cache no longer has the conversation: all is written anew in any case.
    ColdCache,
    /// The client has compacted its context, so that hardly anything of the cache is of use.
    Compacted,
    /// The cache has the conversation.
    Warm {
        /// What its reads and writes cost.
        rates: CacheRates,
        /// Requests that will send this conversation, the one at hand included.
        turns_left: u64,
    },
}

/// Which results a plan may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Results of so many of the last turns stay, whatever happens.
    pub keep_turns: usize,
    /// Results of more turns ago are old: they may go though nothing has come in their place. In
    /// [`Occasion::Overflow`] all may that need not stay.
    pub old_turns: usize,
    /// Results with fewer tokens stay.
    pub min_tokens: u64,
    /// Hundredths of the window that are to be free after [`Occasion::Overflow`], so that the next turns fit as well.
    pub headroom_percent: u8,
}

/// Why a result is of little use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// It shows a file that was changed later.
    Edited,
    /// It shows what a later read of the same file shows too.
    ReadAgain,
    /// It is old.
    Old,
}

/// A result that is not to be sent any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elision {
    /// Its index among the results.
    pub index: usize,
    /// Why it is this one.
    pub why: Why,
    /// What is sent in its place, from now on.
    pub stub: String,
    /// Tokens of the result, less those of the stub; at least 1.
    pub saved_tokens: u64,
}

/// The results to elide now; `None` if there are none, or if it does not pay.
///
/// `results` are in the order of the request, `turns` is the number of turns of the assistant so far, and `count`
/// counts tokens as the caller has counted those of the results.
///
/// - [`Occasion::Overflow`] takes what is out of date, then the oldest results, until the request fits with some
///   headroom. It takes all it may where that is not enough; [`Reason::Overflow`] says so. Nothing if it fits.
/// - [`Occasion::ColdCache`] and [`Occasion::Compacted`] take what is out of date and what is old: it costs nothing.
/// - [`Occasion::Warm`] takes the same from that place on where it saves the most, by the rule of [`CacheRates`].
///
/// A read is out of date if its file was changed later, or if a later read shows the same. Where that is in doubt, it
/// is not. A read that is not out of date and has no handle goes by [`Occasion::Overflow`] alone: clients answer a
/// second read of an unchanged file with a pointer to the first. The text that explains how tables are read stays as
/// long as later ones rely on it.
pub fn plan(
    results: &[OldResult<'_>],
    turns: usize,
    occasion: Occasion,
    options: &Options,
    count: &dyn Fn(&str) -> usize,
) -> Option<Plan> {
    let candidates = candidates(results, turns, occasion, options, count);
    let elided = match occasion {
        Occasion::Overflow { tokens, window } => {
            let excess = tokens.checked_sub(window).filter(|excess| *excess > 0)?;
            let headroom = u128::from(window) * u128::from(options.headroom_percent.min(100)) / 100;
            let headroom = u64::try_from(headroom).unwrap_or(u64::MAX);
            until(candidates, excess.saturating_add(headroom))
        }
        Occasion::ColdCache | Occasion::Compacted => candidates,
        Occasion::Warm { rates, turns_left } => best(candidates, results, rates, turns_left),
    };
    let first = results.get(elided.first()?.index)?;
    let saved_tokens = total(&elided);
    let rewritten_tokens = rewritten(first, saved_tokens);
    let reason = match occasion {
        Occasion::Overflow { tokens, window } => Reason::Overflow {
            tokens,
            window,
            missing: tokens.saturating_sub(saved_tokens).saturating_sub(window),
        },
        Occasion::ColdCache => Reason::ColdCache,
        Occasion::Compacted => Reason::Compacted,
        Occasion::Warm { rates, turns_left } => Reason::Warm {
            rates,
            turns_left,
            net_thousandths: rates.net_thousandths(rewritten_tokens, saved_tokens, turns_left)?,
        },
    };
    Some(Plan {
        elided,
        saved_tokens,
        rewritten_tokens,
        reason,
    })
}

/// What may be elided on this occasion, in order.
fn candidates(
    results: &[OldResult<'_>],
    turns: usize,
    occasion: Occasion,
    options: &Options,
    count: &dyn Fn(&str) -> usize,
) -> Vec<Elision> {
    let accesses: Vec<Option<Access>> = results
        .iter()
        .map(|result| Access::of_call(result.call?.0, result.call?.1))
        .collect();
    let outdated = stale::outdated(results, &accesses);
    let overflows = matches!(occasion, Occasion::Overflow { .. });
    let last_reliant = results.iter().rposition(|result| {
        !result.elided && hint_of(result.text).is_some_and(|hint| hint == Notation::default())
    });
    let candidate = |(index, result): (usize, &OldResult<'_>)| {
        let age = turns.saturating_sub(result.turn);
        let explains = hint_of(result.text).is_some_and(|hint| hint.tables);
        let stays = result.elided
            || age <= options.keep_turns
            || result.tokens < options.min_tokens
            || is_stub(result.text)
            || (explains && last_reliant > Some(index));
        if stays {
            return None;
        }
        let is_read = matches!(accesses[index], Some(Access::Read(_)));
        let is_old =
            overflows || (age > options.old_turns && (!is_read || result.handle.is_some()));
        let why = outdated[index].or(is_old.then_some(Why::Old))?;
        let stub = stub(result, why);
        let saved_tokens = result.tokens.checked_sub(count(&stub) as u64)?;
        (saved_tokens > 0 && stub.len() < result.text.len()).then_some(Elision {
            index,
            why,
            stub,
            saved_tokens,
        })
    };
    results.iter().enumerate().filter_map(candidate).collect()
}

/// What is out of date, and the oldest others until so many tokens are saved.
fn until(candidates: Vec<Elision>, needed: u64) -> Vec<Elision> {
    let (mut elided, old): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|elision| elision.why != Why::Old);
    let mut saved = total(&elided);
    for elision in old {
        if saved >= needed {
            break;
        }
        saved = saved.saturating_add(elision.saved_tokens);
        elided.push(elision);
    }
    elided.sort_by_key(|elision| elision.index);
    elided
}

/// The candidates from that one on which saves the most; none if it costs more than it saves.
///
/// With the first edit fixed, every further candidate behind it saves tokens and makes less to be written, so only the
/// place of the first is to be chosen. Of equal ones the last is: it forgets the least.
fn best(
    mut candidates: Vec<Elision>,
    results: &[OldResult<'_>],
    rates: CacheRates,
    turns_left: u64,
) -> Vec<Elision> {
    let mut saved: u64 = 0;
    let mut best = (0, candidates.len());
    for (place, elision) in candidates.iter().enumerate().rev() {
        saved = saved.saturating_add(elision.saved_tokens);
        let written = rewritten(&results[elision.index], saved);
        let net = rates.net_thousandths(written, saved, turns_left);
        if let Some(net) = net.filter(|net| *net > best.0) {
            best = (net, place);
        }
    }
    candidates.split_off(best.1)
}

/// Tokens from the beginning of the first elided result to the end, after the edit.
fn rewritten(first: &OldResult<'_>, saved: u64) -> u64 {
    first
        .behind
        .saturating_add(first.tokens)
        .saturating_sub(saved)
}

fn total(elided: &[Elision]) -> u64 {
    elided.iter().fold(0, |sum: u64, elision| {
        sum.saturating_add(elision.saved_tokens)
    })
}

/// What a text of ours says of how its tables are read, behind the line that says what is left out of it.
fn hint_of(text: &str) -> Option<Notation> {
    let text = Omission::split(text).map_or(text, |(_, rest)| rest);
    Notation::split(text).map(|(hint, _)| hint)
}

/// Whether a text is nothing but a line of ours.
fn is_stub(text: &str) -> bool {
    text.starts_with(PREFIX) && !text.contains('\n')
}

impl Default for Options {
    /// Four turns are what an agent is at work on; agents that were shown the results of the last ten alone solved as
    /// much as others (arXiv 2508.21433), and twenty leave room for slower work.
    fn default() -> Self {
        Self {
            keep_turns: 4,
            old_turns: 20,
            min_tokens: 200,
            headroom_percent: 10,
        }
    }
}

#[cfg(test)]
mod tests;
