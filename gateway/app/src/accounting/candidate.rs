//! What is known of a call before anything is reserved for it.

use std::{sync::Arc, time::Duration};

use skinflint_budget::{Ask, Grant, Limit, ReservationId};
use skinflint_ledger::Reservation;
use skinflint_money::{NanoUsd, Price, Tariff};
use skinflint_policies::{Policies, Upstream, UpstreamProtocol};
use skinflint_protocol::{Endpoint, LimitSpelling};
use skinflint_tokens::{Certainty, Encoding};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Accounting,
    learned::Kind,
    meter::{AHEAD, Meter},
    open::{Amendments, Budgeted, Open, Prompt},
    quote::Quote,
    scopes::Scopes,
};
use crate::{
    call::{Caller, ModelCall},
    clock,
    error::MoneyError,
    receipt::{Decision, Receipt},
};

/// Who is to answer a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answerer<'a> {
    /// The model in this process, under its name.
    Local(&'a str),
    /// A provider, and the name by which it knows the model.
    Upstream(&'a Upstream, &'a str),
}

/// A call on its way through admission.
pub(super) struct Candidate<'a> {
    pub(super) call: &'a ModelCall,
    pub(super) answerer: Answerer<'a>,
    pub(super) policies: &'a Policies,
    pub(super) scopes: Scopes,
    pub(super) limits: Arc<[Limit]>,
    pub(super) encoding: Encoding,
    /// How the one that answers is paid.
    pub(super) tariff: Tariff,
    /// The price of the model that was asked for.
    pub(super) asked: Option<Arc<Price>>,
    pub(super) quote: Quote,
    /// Whether some of its prompt is kept by the provider, and only named.
    pub(super) names_input: bool,
    /// What it is like, to learn from how it ends.
    kind: Kind,
}

/// What the budgets said.
pub(super) struct Granted {
    pub(super) id: ReservationId,
    pub(super) grant: Grant,
    pub(super) metered: bool,
}

/// What the ledger calls the model in this process.
const LOCAL: &str = "local";
/// What a crash in the middle of a local answer is taken to have cost, in machine time.
const LONGEST_LOCAL_ANSWER: Duration = Duration::from_mins(10);

// === impl Answerer ===

impl Answerer<'_> {
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    fn name(&self) -> &str {
        match self {
            Self::Local(_) => LOCAL,
            Self::Upstream(upstream, _) => &upstream.name,
        }
    }

    fn model(&self) -> &str {
        match self {
            Self::Local(model) | Self::Upstream(_, model) => model,
        }
    }

    fn provider(&self) -> Option<&str> {
        match self {
            Self::Local(_) => None,
            Self::Upstream(upstream, _) => Some(&upstream.provider),
        }
    }

    /// The price of the model at its provider.
    pub(crate) fn price(&self, policies: &Policies) -> Result<Arc<Price>, MoneyError> {
        let found = policies.prices.find(self.provider(), self.model());
        let (price, _) = found.ok_or_else(|| MoneyError::UnknownPrice {
            model: self.model().to_owned(),
            upstream: self.name().to_owned(),
        })?;
        Ok(price)
    }

    fn encoding(&self, accounting: &Accounting) -> Encoding {
        match self {
            Self::Local(name) => accounting.local_encoding(name),
            Self::Upstream(..) => Encoding::of(self.provider(), self.model()),
        }
    }
}

// === impl Candidate ===

impl<'a> Candidate<'a> {
    /// Reads from a call what decides about its cost.
    pub(super) fn of(
        accounting: &Accounting,
        call: &'a ModelCall,
        answerer: Answerer<'a>,
        instead_of: Option<Arc<Price>>,
    ) -> Result<Self, MoneyError> {
        let Caller {
            tenant,
            policies,
            key,
            has_subscription,
            ..
        } = &call.call.caller;
        let view = &call.view;
        let attribution = &call.attribution;
        let model = &view.model.value;
        let scopes = Scopes::of(
            &tenant.id,
            key.clone(),
            attribution,
            model,
            accounting.agents(),
        );
        // What a subscription pays for is not money.
        let limits = if *has_subscription {
            Arc::from([])
        } else {
            scopes.limits(tenant)
        };
        if limits.iter().any(|limit| limit.hard) && view.background == Some(true) {
            return Err(MoneyError::Unmetered {
                what: "a background response",
            });
        }
        let (tariff, price, asked) = match answerer {
            Answerer::Local(_) => {
                let tariff = policies.prices.local.clone();
                let price = match &tariff {
                    Tariff::Tokens(price) => price.clone(),
                    Tariff::Machine(_) => Arc::new(Price::free("local")),
                };
                (tariff, price, instead_of)
            }
            Answerer::Upstream(..) => {
                let price = answerer.price(policies)?;
                (Tariff::Tokens(price.clone()), price.clone(), Some(price))
            }
        };
        let kind = Kind {
            tenant: tenant.id.clone(),
            model: answerer.model().into(),
            class: attribution.class.clone(),
        };
        let likely = accounting.learned().likely_output(&kind);
        let encoding = answerer.encoding(accounting);
        let input = accounting.counter().bound(&encoding, view, &call.call.body);
        let quote = Quote::of(price, view, input.tokens, likely)?;
        Ok(Self {
            call,
            answerer,
            policies,
            scopes,
            limits,
            encoding,
            tariff,
            asked,
            quote,
            names_input: input.certainty == Certainty::Unknown,
            kind,
        })
    }

    /// What is asked of the budgets. Only at the second look may less be granted than the whole.
    pub(super) fn ask(&self, may_cut: bool) -> Result<Ask, MoneyError> {
        let quote = &self.quote;
        let at_most = |tokens: u64| quote.at_most(tokens.min(quote.longest));
        if quote.metered {
            let first = at_most(quote.likely.saturating_add(AHEAD))?;
            let floor = if may_cut {
                at_most(quote.least.saturating_add(AHEAD))?
            } else {
                first
            };
            return Ok(Ask::Leased { first, floor });
        }
        let worst = at_most(quote.longest)?;
        Ok(Ask::Whole {
            likely: at_most(quote.likely)?,
            worst,
            floor: if may_cut {
                at_most(quote.least)?
            } else {
                worst
            },
        })
    }

    pub(super) fn granted(&self, id: ReservationId, grant: Grant) -> Granted {
        Granted {
            id,
            grant,
            metered: self.quote.metered,
        }
    }

    /// The call as it goes on, with what it was granted.
    pub(super) fn opened(self, accounting: &Accounting, granted: Option<&Granted>) -> Open {
        let Self {
            call,
            answerer,
            policies,
            scopes,
            limits,
            encoding,
            tariff,
            asked,
            quote,
            names_input: _,
            kind,
        } = self;
        let worst = match &tariff {
            Tariff::Machine(price) => price.charge(LONGEST_LOCAL_ANSWER).unwrap_or_default(),
            Tariff::Tokens(_) => quote.at_most(quote.longest).unwrap_or(NanoUsd::MAX),
        };
        let (held, upper) = match granted {
            Some(granted) => (granted.grant.held, granted.grant.exposed),
            None => (
                quote.at_most(quote.likely).unwrap_or(worst).min(worst),
                worst,
            ),
        };
        let metered = granted.filter(|granted| granted.metered);
        let longest = granted
            .filter(|granted| !granted.metered && upper < worst)
            .map(|_| quote.affordable(upper));
        let receipt = &call.call.receipt;
        receipt.enter(|entries| entries.price_version = Some(policies.prices.version().into()));
        receipt.decide(Decision::Reserved {
            held_usd: held,
            exposed_usd: upper,
            input_tokens: quote.extent.input_tokens,
            metered: metered.is_some(),
        });
        if let Some(longest) = longest {
            receipt.decide(Decision::Clamped { tokens: longest });
        }
        let row = row(call, answerer, &scopes, (held, upper));
        accounting.metrics().reservations_open.inc();
        Open {
            accounting: accounting.clone(),
            receipt: call.call.receipt.clone(),
            meter: metered
                .map(|granted| Meter::new(encoding.clone(), &quote, granted.grant.exposed)),
            prompt: Prompt {
                view: call.view.clone(),
                body: call.call.body.clone(),
                encoding,
            },
            tariff,
            asked,
            kind,
            quote,
            row,
            is_written: false,
            budget: Budgeted::of(granted, limits, call),
            amendments: amendments(call, answerer, longest),
            rates: call
                .call
                .receipt
                .read(|entries| entries.rates_taken.clone()),
            began: Instant::now(),
        }
    }
}

// === impl Budgeted ===

impl Budgeted {
    fn of(granted: Option<&Granted>, limits: Arc<[Limit]>, call: &ModelCall) -> Self {
        match granted {
            Some(granted) => Self::Reserved(granted.id),
            None if limits.is_empty() => Self::No,
            None => Self::Charged(ReservationId(call.reservation.as_u128()), limits),
        }
    }
}

/// Whether a call went to the model in this process, whose budgets are only charged.
pub(super) fn is_local(row: &Reservation) -> bool {
    row.upstream == LOCAL
}

/// The ledger's row of a call's first attempt, with what is likely and the most that it can cost.
fn row(
    call: &ModelCall,
    answerer: Answerer<'_>,
    scopes: &Scopes,
    amounts: (NanoUsd, NanoUsd),
) -> Reservation {
    let attribution = &scopes.attribution;
    Reservation {
        attempt: Uuid::now_v7(),
        request: call.call.receipt.id().uuid(),
        reservation: Some(call.reservation),
        number: next_attempt(&call.call.receipt),
        tenant: scopes.tenant.to_string(),
        key: scopes.key.as_ref().map(ToString::to_string),
        task: attribution.task.to_string(),
        agent: attribution.agent.as_ref().map(ToString::to_string),
        ancestors: scopes
            .ancestors
            .iter()
            .rev()
            .map(ToString::to_string)
            .collect(),
        class: attribution.class.as_ref().map(ToString::to_string),
        tags: attribution.tags.iter().map(ToString::to_string).collect(),
        model: scopes.model.to_string(),
        upstream: answerer.name().to_owned(),
        upstream_model: answerer.model().to_owned(),
        held: amounts.0,
        upper: amounts.1,
        price_version: call.call.caller.policies.prices.version().to_owned(),
        at_ms: clock::unix_millis(),
        notional: call.call.caller.has_subscription,
        holdout: call.call.receipt.read(|entries| entries.holdout),
        spared: call.spared,
        scopes: scopes.accounts(),
    }
}

/// Which sending of the client's call comes next.
pub(super) fn next_attempt(receipt: &Receipt) -> u32 {
    receipt.enter(|entries| entries.attempts += 1);
    receipt.read(|entries| entries.attempts)
}

fn amendments(call: &ModelCall, answerer: Answerer<'_>, longest: Option<u64>) -> Amendments {
    let view = &call.view;
    let asks = match answerer {
        Answerer::Local(_) => false,
        Answerer::Upstream(upstream, _) => {
            upstream.ask_usage && upstream.protocol == UpstreamProtocol::OpenAi
        }
    };
    Amendments {
        longest,
        ask_usage: asks
            && view.endpoint == Endpoint::ChatCompletions
            && view.stream
            && !view.include_usage,
        spelling: match answerer.provider() {
            Some("openai") => LimitSpelling::MaxCompletionTokens,
            _ => LimitSpelling::MaxTokens,
        },
    }
}
