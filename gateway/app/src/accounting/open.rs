//! A call that has not been settled, and how it comes to be.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use skinflint_budget::{Limit, ReservationId};
use skinflint_ledger::{Money, Reservation, Settlement, Source};
use skinflint_money::{Charge, MoneyOverflow, NanoUsd, Price, ServiceTier, Tariff};
use skinflint_protocol::{Endpoint, LimitSpelling, Outcome, RequestView, StreamTap, Usage};
use skinflint_tokens::{Certainty, Encoding};
use tokio::time::Instant;

use super::{
    Accounting,
    learned::Kind,
    meter::{self, AHEAD, Meter},
    quote::Quote,
    rate::Taken,
    savings::Savings,
};
use crate::{clock, receipt::Receipt};

/// A call that has not been settled.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) accounting: Accounting,
    pub(super) receipt: Receipt,
    pub(super) prompt: Prompt,
    /// How the one that answers is paid.
    pub(super) tariff: Tariff,
    /// What it may cost.
    pub(super) quote: Quote,
    /// The price of the model that was asked for, to tell what was saved.
    pub(super) asked: Option<Arc<Price>>,
    pub(super) kind: Kind,
    /// The row of the current attempt.
    pub(super) row: Reservation,
    /// Whether that row is durable: before it is, nothing is sent.
    pub(super) is_written: bool,
    /// What the budgets know of it.
    pub(super) budget: Budgeted,
    pub(super) amendments: Amendments,
    pub(super) meter: Option<Meter>,
    pub(super) rates: Vec<Taken>,
    pub(super) began: Instant,
}

/// How a call's cost comes into its budgets.
#[derive(Debug)]
pub(super) enum Budgeted {
    /// No budget counts it.
    No,
    /// By its reservation, which all attempts share.
    Reserved(ReservationId),
    /// When it is over.
    Charged(ReservationId, Arc<[Limit]>),
}

/// What was asked, kept so that it can be counted when the provider does not say what it used.
#[derive(Debug, Clone)]
pub(super) struct Prompt {
    pub(super) view: Arc<RequestView>,
    pub(super) body: Bytes,
    pub(super) encoding: Encoding,
}

impl Prompt {
    /// Whether a later call may name the answer as its input.
    fn is_referable(&self) -> bool {
        self.view.endpoint == Endpoint::Responses && self.view.store != Some(false)
    }
}

/// What is changed of a request on account of its cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amendments {
    /// The length of an answer is cut to so many tokens.
    pub(super) longest: Option<u64>,
    /// Usage is asked for on behalf of a client that did not.
    pub(super) ask_usage: bool,
    /// What the server calls the limit of an answer's length.
    pub(super) spelling: LimitSpelling,
}

/// What is known of a call's usage at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) usage: Usage,
    pub(super) source: Source,
    pub(super) tier: ServiceTier,
}

/// What an answer said of itself, as far as the ledger keeps it.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) status: Option<StatusCode>,
    pub(super) response: Option<String>,
    pub(super) answered_by: Option<String>,
}

// === impl Open ===

impl Open {
    /// What the provider says it used, if it does.
    pub(super) fn reported(&self, outcome: &Outcome) -> Option<Known> {
        Some(Known {
            usage: outcome.usage()?,
            source: Source::Provider,
            tier: self.tier(outcome),
        })
    }

    /// The tier that was billed: what the answer names, else what was asked for.
    pub(super) fn tier(&self, outcome: &Outcome) -> ServiceTier {
        outcome
            .speed
            .as_deref()
            .filter(|speed| *speed != "standard")
            .or(outcome.service_tier.as_deref())
            .and_then(ServiceTier::parse)
            .unwrap_or(self.quote.extent.tier)
    }

    /// Tokens of what has passed of a stream, and of what the provider may have generated beyond.
    ///
    /// Reasoning that does not show cannot be counted; where there may be some, such calls' usual length stands for it.
    pub(super) fn generated(&mut self, tap: &mut StreamTap) -> u64 {
        let counter = self.accounting.counter();
        let (seen, granted) = if let Some(meter) = &mut self.meter {
            (meter.tokens(tap, counter), meter.affordable())
        } else {
            let seen = meter::count(&tap.take_text(), &self.prompt.encoding, counter);
            (seen, u64::MAX)
        };
        // A stream that is ended at its budget had room for what is ahead before its last event came.
        let granted = granted.saturating_mul(self.quote.answers).max(seen);
        let made = seen.saturating_add(AHEAD).min(granted);
        self.at_most_asked(if self.quote.metered {
            made
        } else {
            made.max(self.quote.likely)
        })
    }

    /// So many tokens of output, or as many as were asked for.
    pub(super) fn at_most_asked(&self, output: u64) -> u64 {
        let asked = self.amendments.longest.unwrap_or(self.quote.longest);
        output.min(asked.saturating_mul(self.quote.answers))
    }

    /// Whether what has passed of a metered stream is paid for.
    pub(super) fn fits(&mut self, tap: &mut StreamTap) -> bool {
        let counter = self.accounting.counter();
        self.meter
            .as_mut()
            .is_none_or(|meter| meter.fits(tap, counter))
    }

    /// Usage by our own count, with what the provider has said about the prompt.
    pub(super) fn counted(&self, outcome: &Outcome, output: u64) -> Known {
        let reported = outcome.usage();
        let input = match reported.filter(|usage| usage.input() > 0) {
            Some(usage) => usage,
            None => Usage {
                fresh_input: self.prompt_tokens(),
                ..Usage::default()
            },
        };
        Known {
            usage: Usage {
                output: input.output.max(output),
                ..input
            },
            source: Source::Counted,
            tier: self.tier(outcome),
        }
    }

    /// The prompt, counted for good. Takes milliseconds where the vocabulary is loaded, else tenths of a second.
    fn prompt_tokens(&self) -> u64 {
        let Prompt {
            view,
            body,
            encoding,
        } = &self.prompt;
        let count = self.accounting.counter().count(encoding, view, body);
        if count.certainty == Certainty::Unknown {
            return self.quote.extent.input_tokens;
        }
        count.tokens.min(self.quote.extent.input_tokens)
    }

    /// What usage costs where the call went.
    pub(super) fn cost(&self, known: &Known) -> Result<(NanoUsd, String), MoneyOverflow> {
        match &self.tariff {
            Tariff::Tokens(price) => {
                let charge = price.charge(&known.usage, known.tier)?;
                Ok((charge.total(), lines(&charge)))
            }
            Tariff::Machine(price) => {
                let cost = price.charge(self.began.elapsed())?;
                Ok((cost, format!(r#"{{"machine":"{cost}"}}"#)))
            }
        }
    }

    /// Settles at the cost of some usage.
    pub(super) fn settle(&mut self, known: &Known, said: Said) {
        let priced = self.cost(known).and_then(|(cost, lines)| {
            let savings = match &self.asked {
                Some(asked) => {
                    Savings::of(cost, asked, &known.usage, &self.row.spared, known.tier)?
                }
                None => Savings::none(cost),
            };
            Ok((cost, lines, savings))
        });
        let Ok((cost, lines, savings)) = priced else {
            tracing::error!(request_id = %self.receipt.id(), usage = ?known.usage, "usage is too large to be true");
            return self.settle_upper_bound(said);
        };
        let answers = self.quote.answers;
        self.accounting
            .learned()
            .learn(&self.kind, known.usage.output.div_ceil(answers));
        let tokens = known.usage.input().saturating_add(known.usage.output);
        for taken in &self.rates {
            self.accounting.rates().correct(taken, tokens);
        }
        self.write(known, cost, lines, savings, said);
        self.release(cost);
    }

    /// Settles at the most that the call can have cost: nobody knows better.
    ///
    /// The time of our own machine is known whatever became of the answer.
    pub(super) fn settle_upper_bound(&mut self, said: Said) {
        if let Tariff::Machine(_) = self.tariff {
            let known = Known {
                usage: Usage::default(),
                source: Source::Counted,
                tier: ServiceTier::Standard,
            };
            if let Ok((cost, lines)) = self.cost(&known) {
                self.write(&known, cost, lines, Savings::none(cost), said);
                return self.release(cost);
            }
        }
        let cost = self.row.upper;
        let known = Known {
            usage: Usage::default(),
            source: Source::UpperBound,
            tier: self.quote.extent.tier,
        };
        self.write(&known, cost, "{}".to_owned(), Savings::none(cost), said);
        self.release(cost);
    }

    /// Settles an attempt at nothing; the reservation stays.
    pub(super) fn decline(&self, status: Option<StatusCode>) {
        let known = Known {
            usage: Usage::default(),
            source: Source::Declined,
            tier: self.quote.extent.tier,
        };
        let said = Said {
            status,
            ..Said::default()
        };
        let nothing = NanoUsd::ZERO;
        self.write(
            &known,
            nothing,
            "{}".to_owned(),
            Savings::none(nothing),
            said,
        );
    }

    fn write(&self, known: &Known, cost: NanoUsd, lines: String, savings: Savings, said: Said) {
        self.receipt.enter(|entries| {
            entries.cost = Some(entries.cost.unwrap_or_default().saturating_add(cost));
            let saved = entries.saved.unwrap_or_default();
            entries.saved = Some(saved.saturating_add(savings.ours));
        });
        let ttft = self.receipt.read(|entries| entries.first_token);
        self.accounting.settle(Settlement {
            attempt: self.row.attempt,
            at_ms: clock::unix_millis(),
            source: known.source,
            usage: known.usage,
            money: Money {
                cost,
                counterfactual: savings.counterfactual,
                saved_provider_cache: savings.provider_cache,
                saved_ours: savings.ours,
                harm: savings.harm,
            },
            lines,
            tier: known.tier.to_string(),
            referable: said.response.is_some() && self.prompt.is_referable(),
            response: said.response,
            answered_by: said.answered_by,
            status: said.status.map_or(0, |status| status.as_u16()),
            latency_ms: millis(self.began.elapsed()),
            ttft_ms: ttft.map(millis),
        });
    }

    /// Gives back to the budgets what was not spent.
    pub(super) fn release(&mut self, cost: NanoUsd) {
        let tenant = &self.kind.tenant;
        match std::mem::replace(&mut self.budget, Budgeted::No) {
            Budgeted::No => {}
            Budgeted::Reserved(id) => self.accounting.release(tenant, id, cost),
            Budgeted::Charged(id, limits) => self.accounting.charge(tenant, id, &limits, cost),
        }
        self.accounting.watch_spending(&self.kind, cost);
    }

    /// Asks the budgets for the next step of a stream, and writes down what it may cost now; whether it may go on.
    pub(super) async fn extend(&mut self) -> bool {
        let (Budgeted::Reserved(id), Some(meter)) = (&self.budget, &mut self.meter) else {
            return true;
        };
        let Some((by, at_least)) = meter.wants(&self.quote) else {
            return false;
        };
        let tenant = &self.kind.tenant;
        let Some(exposed) = self.accounting.extend(tenant, *id, by, at_least).await else {
            return false;
        };
        meter.granted(&self.quote, exposed);
        self.row.upper = self.row.upper.max(exposed);
        let row = &self.row;
        let written = self
            .accounting
            .write_extension(row.attempt, row.upper)
            .await;
        written.is_ok()
    }
}

impl Said {
    /// What an answer said of itself.
    pub(super) fn of(outcome: &Outcome, status: Option<StatusCode>) -> Self {
        Self {
            status,
            response: outcome.id.clone(),
            answered_by: outcome.model.clone(),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.accounting.metrics().reservations_open.dec();
    }
}

fn lines(charge: &Charge) -> String {
    serde_json::to_string(charge).unwrap_or_else(|_| "{}".to_owned())
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
