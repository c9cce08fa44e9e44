//! What is decided and why, with its numbers: [`Plan`].

use std::fmt;

use super::stub::grouped;
use super::{CacheRates, Elision};

/// Results to elide now; displayed as one line that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// At least one, in order.
    pub elided: Vec<Elision>,
    /// s: tokens that every request has less from now on.
    pub saved_tokens: u64,
    /// T: tokens from the first elided result to the end, after the edit.
    pub rewritten_tokens: u64,
    /// Why it may be done now.
    pub reason: Reason,
}

/// Why a plan may be carried out now, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The request does not fit otherwise.
    Overflow {
        /// Tokens that it needs without the plan.
        tokens: u64,
        /// Tokens that the model takes.
        window: u64,
        /// Tokens that are too many even with it; 0 if the request fits.
        missing: u64,
    },
    /// The cache has nothing that could be lost.
    ColdCache,
    /// The client has compacted its context.
    Compacted,
    /// The requests to come pay for it.
    Warm {
        /// What reads and writes of the cache cost.
        rates: CacheRates,
        /// N: requests to come, the one at hand included.
        turns_left: u64,
        /// What is saved in all, in thousandths of the price of an input token; at least 1.
        net_thousandths: u128,
    },
}

impl Plan {
    /// The indices of the elided results, in order.
    pub fn indices(&self) -> impl Iterator<Item = usize> {
        self.elided.iter().map(|elision| elision.index)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let results = self.elided.len();
        let plural = if results == 1 { "" } else { "s" };
        let (saved, rewritten) = (self.saved_tokens, self.rewritten_tokens);
        write!(
            f,
            "{results} result{plural} omitted, {} tokens saved per request: ",
            grouped(saved)
        )?;
        match self.reason {
            Reason::Overflow {
                tokens,
                window,
                missing,
            } => {
                let (tokens, window) = (grouped(tokens), grouped(window));
                write!(f, "{tokens} tokens do not fit into {window}")?;
                if missing > 0 {
                    write!(f, ", {} are too many even so", grouped(missing))?;
                }
                Ok(())
            }
            Reason::ColdCache => f.write_str("the prompt cache was cold"),
            Reason::Compacted => f.write_str("the client has compacted its context"),
            Reason::Warm {
                rates,
                turns_left,
                net_thousandths,
            } => {
                let net = u64::try_from(net_thousandths / 1000).unwrap_or(u64::MAX);
                write!(
                    f,
                    "{} tokens are written at {} instead of read at {}, which pays from request {} on; \
                     {} are expected and save the price of {} tokens",
                    grouped(rewritten),
                    Decimal(rates.write),
                    Decimal(rates.read),
                    grouped(rates.break_even(rewritten, saved).unwrap_or(u64::MAX)),
                    grouped(turns_left),
                    grouped(net),
                )
            }
        }
    }
}

/// Thousandths as a decimal fraction.
struct Decimal(u32);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}
