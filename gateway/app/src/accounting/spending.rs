//! The money side of one call: reserved before it is sent, metered as it passes, settled once.

use http::StatusCode;
use skinflint_ledger::Source;
use skinflint_money::{NanoUsd, ServiceTier};
use skinflint_protocol::{
    EditError, EditList, Endpoint, Outcome, StreamTap, Usage, ask_for_usage, clamp_output,
};
use uuid::Uuid;

use super::{
    candidate::next_attempt,
    open::{Known, Open, Said},
};
use crate::{clock, error::MoneyError};

/// What one call has reserved; nothing for a call that costs nothing. Dropped unsettled, it is settled at the most that the
/// call can have cost: at nothing, as long as it could not be sent.
#[derive(Debug)]
pub(crate) struct Spending(Option<Box<Open>>);

/// Text of a stream that is kept to be counted, in bytes; what is longer is taken at a token a byte.
const KEPT_TEXT: usize = 1 << 20;

// === impl Spending ===

impl Spending {
    /// For what costs nothing, such as counting tokens.
    pub(crate) const fn nothing() -> Self {
        Self(None)
    }

    pub(super) fn of(open: Open) -> Self {
        Self(Some(Box::new(open)))
    }

    /// Enters into the edits what has to change on account of the cost.
    pub(crate) fn amend(&self, body: &[u8], edits: &mut EditList) -> Result<(), EditError> {
        let Some(open) = &self.0 else { return Ok(()) };
        let view = &open.prompt.view;
        if let Some(longest) = open.amendments.longest {
            clamp_output(view, body, longest, open.amendments.spelling, edits)?;
        }
        if open.amendments.ask_usage {
            ask_for_usage(view, body, edits)?;
        }
        Ok(())
    }

    /// A tap for the call's stream, which keeps what metering and counting need.
    pub(crate) fn tap(&self, endpoint: Endpoint) -> StreamTap {
        let Some(open) = &self.0 else {
            return StreamTap::new(endpoint);
        };
        let mut tap = match &open.meter {
            Some(_) => StreamTap::stoppable(endpoint),
            None => StreamTap::new(endpoint),
        };
        tap.keep_text(KEPT_TEXT);
        tap
    }

    /// Whether usage was asked for that the client did not ask for.
    pub(crate) fn hides_usage(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|open| open.amendments.ask_usage)
    }

    /// Whether the stream may go on; asks for more before what was granted is spent.
    pub(crate) async fn afford(&mut self, tap: &mut StreamTap) -> bool {
        let Some(open) = &mut self.0 else { return true };
        while !open.fits(tap) {
            if !open.extend().await {
                return false;
            }
        }
        true
    }

    /// What has passed of a stream is worth, roughly.
    pub(crate) fn worth(&self, tap: &StreamTap) -> NanoUsd {
        const BYTES_PER_TOKEN: u64 = 4;
        let tokens = tap.outcome().visible_bytes / BYTES_PER_TOKEN;
        let open = self.0.as_ref();
        open.and_then(|open| open.quote.at_most(tokens).ok())
            .unwrap_or_default()
    }

    /// What an answer has cost by its own account, if it gives one.
    pub(crate) fn cost_of(&self, outcome: &Outcome) -> Option<NanoUsd> {
        let open = self.0.as_ref()?;
        let known = open.reported(outcome)?;
        open.cost(&known).ok().map(|(cost, _)| cost)
    }

    /// An attempt was declined: it cost nothing, and another may follow under the same reservation.
    pub(crate) fn declined(&mut self, status: Option<StatusCode>) {
        if let Some(open) = &mut self.0 {
            open.decline(status);
        }
    }

    /// Reserves the row of another attempt.
    pub(crate) async fn again(&mut self) -> Result<(), MoneyError> {
        if let Some(open) = &mut self.0 {
            open.is_written = false;
            open.row.attempt = Uuid::now_v7();
            open.row.number = next_attempt(&open.receipt);
            open.row.at_ms = clock::unix_millis();
        }
        self.write_down().await
    }

    /// Makes the row of the attempt durable; until it is, dropping this spends nothing.
    pub(super) async fn write_down(&mut self) -> Result<(), MoneyError> {
        if let Some(open) = &mut self.0 {
            open.accounting.write(&open.row).await?;
            open.is_written = true;
        }
        Ok(())
    }

    /// The provider declined for good, or could not be reached: nothing was spent.
    pub(crate) fn settle_declined(mut self, status: Option<StatusCode>) {
        if let Some(mut open) = self.0.take() {
            open.decline(status);
            open.release(NanoUsd::ZERO);
        }
    }

    /// The provider answered with an error. What it may have been billed for all the same is settled at the most that it can
    /// have cost: its own words are missing where somebody between gave up waiting for them.
    pub(crate) fn settle_refused(mut self, status: StatusCode) {
        let may_be_billed = matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT
        );
        if !may_be_billed {
            return self.settle_declined(Some(status));
        }
        if let Some(mut open) = self.0.take() {
            open.settle_upper_bound(Said {
                status: Some(status),
                ..Said::default()
            });
        }
    }

    /// An answer in one piece.
    pub(crate) fn settle_whole(mut self, outcome: &Outcome, status: StatusCode) {
        let Some(mut open) = self.0.take() else {
            return;
        };
        let said = Said::of(outcome, Some(status));
        if let Some(known) = open.reported(outcome) {
            open.settle(&known, said);
            return;
        }
        let outcome = outcome.clone();
        count_and_settle(open, move |open| {
            // Its text was not kept: a token a byte, and no more than was asked for.
            let output = open.at_most_asked(outcome.visible_bytes);
            (open.counted(&outcome, output), said)
        });
    }

    /// A stream that has ended, well or not.
    pub(crate) fn settle_stream(mut self, mut tap: StreamTap) {
        let Some(mut open) = self.0.take() else {
            return;
        };
        let said = Said::of(tap.outcome(), Some(StatusCode::OK));
        let reported = open.reported(tap.outcome());
        if let Some(known) = reported.filter(|_| tap.is_complete()) {
            open.settle(&known, said);
            return;
        }
        count_and_settle(open, move |open| {
            let output = open.generated(&mut tap);
            (open.counted(tap.outcome(), output), said)
        });
    }

    /// What a stream that is ended before its time has used, by our count.
    pub(crate) fn counted_usage(&mut self, tap: &mut StreamTap) -> Usage {
        match &mut self.0 {
            Some(open) => {
                let output = open.generated(tap);
                open.counted(tap.outcome(), output).usage
            }
            None => Usage::default(),
        }
    }

    /// A stream that was ended before its time, with what it has used.
    pub(crate) fn settle_cut(mut self, outcome: &Outcome, usage: Usage) {
        if let Some(mut open) = self.0.take() {
            let known = Known {
                usage,
                source: Source::Counted,
                tier: open.tier(outcome),
            };
            open.settle(&known, Said::of(outcome, Some(StatusCode::OK)));
        }
    }

    /// The answer of the model in this process.
    pub(crate) fn settle_local(mut self, usage: Usage) {
        if let Some(mut open) = self.0.take() {
            let known = Known {
                usage,
                source: Source::Counted,
                tier: ServiceTier::Standard,
            };
            let said = Said {
                status: Some(StatusCode::OK),
                ..Said::default()
            };
            open.settle(&known, said);
        }
    }
}

/// Counts on a thread that may block, and settles then; stopping waits for it.
fn count_and_settle(
    mut open: Box<Open>,
    count: impl FnOnce(&mut Open) -> (Known, Said) + Send + 'static,
) {
    let accounting = open.accounting.clone();
    let work = move || {
        let (known, said) = count(&mut open);
        open.settle(&known, said);
    };
    accounting.spawn_blocking(work);
}

impl Drop for Spending {
    fn drop(&mut self) {
        match self.0.take() {
            Some(mut open) if open.is_written => open.settle_upper_bound(Said::default()),
            // Nothing was sent.
            Some(mut open) => open.release(NanoUsd::ZERO),
            None => {}
        }
    }
}
