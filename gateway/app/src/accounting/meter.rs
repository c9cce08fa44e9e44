//! Counting a stream's tokens as it passes, so that it ends before it has spent more than it was granted.

use skinflint_money::NanoUsd;
use skinflint_protocol::{StreamTap, TakenText};
use skinflint_tokens::{Counter, Encoding};

use super::quote::Quote;

/// The tokens of a running stream, from above.
///
/// Text is taken at one token a byte, which costs nothing to know and is never too little; only when that no longer fits is
/// the text since the last look counted for good.
#[derive(Debug)]
pub(crate) struct Meter {
    encoding: Encoding,
    /// Tokens of the text that was counted.
    counted: u64,
    /// Bytes of the text that was counted.
    counted_bytes: u64,
    /// The longest answer that the grant pays for, in tokens.
    affordable: u64,
    /// The longest answer that was asked for.
    longest: u64,
}

/// Tokens that a provider may have generated, and will bill, beyond what has arrived when it is told to stop.
pub(crate) const AHEAD: u64 = 64;
/// Tokens for which a stream asks at a time: a few seconds of text.
const STEP: u64 = 1_024;

// === impl Meter ===

impl Meter {
    /// A meter for a stream that may cost so much.
    pub(super) fn new(encoding: Encoding, quote: &Quote, exposed: NanoUsd) -> Self {
        Self {
            encoding,
            counted: 0,
            counted_bytes: 0,
            affordable: quote.affordable(exposed),
            longest: quote.longest,
        }
    }

    /// Whether what has passed, and what may be on its way, is paid for.
    pub(super) fn fits(&mut self, tap: &mut StreamTap, counter: &Counter) -> bool {
        if self.at_most(tap.outcome().visible_bytes) <= self.affordable {
            return true;
        }
        // A vocabulary that is still being loaded leaves the count at one token a byte.
        if self.encoding.is_ready() {
            self.tokens(tap, counter);
        }
        self.at_most(tap.outcome().visible_bytes) <= self.affordable
    }

    /// The stream may cost so much from here on.
    pub(super) fn granted(&mut self, quote: &Quote, exposed: NanoUsd) {
        self.affordable = quote.affordable(exposed);
    }

    /// The longest answer that is paid for, in tokens.
    pub(super) const fn affordable(&self) -> u64 {
        self.affordable
    }

    /// What the stream asks for next: a step, and the least that lets it go on.
    pub(super) fn wants(&self, quote: &Quote) -> Option<(NanoUsd, NanoUsd)> {
        let now = quote.at_most(self.affordable).ok()?;
        let more = |tokens: u64| {
            let then = quote.at_most(self.affordable.saturating_add(tokens)).ok()?;
            then.checked_sub(now)
        };
        Some((more(STEP)?, more(AHEAD)?))
    }

    /// The tokens of what has passed, counted anew where bytes stood for them.
    pub(super) fn tokens(&mut self, tap: &mut StreamTap, counter: &Counter) -> u64 {
        let more = count(&tap.take_text(), &self.encoding, counter);
        self.counted = self.counted.saturating_add(more);
        self.counted_bytes = tap.outcome().visible_bytes;
        self.counted
    }

    fn at_most(&self, visible_bytes: u64) -> u64 {
        self.counted
            .saturating_add(visible_bytes.saturating_sub(self.counted_bytes))
            .saturating_add(AHEAD)
            .min(self.longest)
    }
}

/// The tokens of text that was kept; text that was not counts a token a byte.
pub(super) fn count(taken: &TakenText, encoding: &Encoding, counter: &Counter) -> u64 {
    counter
        .text(encoding, &taken.text)
        .tokens
        .saturating_add(taken.omitted_bytes)
}
