//! Admission: from a call to what is reserved for it.

use std::sync::Arc;

use skinflint_budget::{Ask, Grant, Refusal, ReservationId};
use skinflint_money::Price;
use skinflint_policies::OnExceed;
use skinflint_protocol::Endpoint;
use skinflint_tokens::Certainty;

use super::{
    Accounting, Spending,
    candidate::{Answerer, Candidate, Granted},
};
use crate::{call::ModelCall, error::MoneyError};

/// Why nothing was reserved.
#[derive(Debug)]
pub(crate) enum Denied {
    /// A budget has no room; what then is for its policy to say.
    Full(Box<Refusal>, OnExceed),
    /// The call cannot be accounted for.
    Fault(MoneyError),
}

// === impl Accounting ===

impl Accounting {
    /// Reserves what a call may cost, durably, before anything is sent. `instead_of` is the price of the model that was
    /// asked for, where the local one answers in its place.
    pub(crate) async fn admit(
        &self,
        call: &ModelCall,
        answerer: Answerer<'_>,
        instead_of: Option<Arc<Price>>,
    ) -> Result<Spending, Denied> {
        if call.endpoint == Endpoint::CountTokens || self.books().is_none() {
            return Ok(Spending::nothing());
        }
        let mut candidate = Candidate::of(self, call, answerer, instead_of)?;
        // A local answer counts in its budgets, and is never held back by them: it is where calls go that find no room.
        let needs_room = !candidate.limits.is_empty() && !answerer.is_local();
        let granted = if needs_room {
            Some(self.grant(&mut candidate).await?)
        } else {
            None
        };
        let mut spending = Spending::of(candidate.opened(self, granted.as_ref()));
        spending.write_down().await?;
        Ok(spending)
    }

    /// Finds room in all budgets of a call: first by the bound that costs nothing to know, then by counting the prompt,
    /// and only then by cutting the answer's length to what is left.
    async fn grant(&self, candidate: &mut Candidate<'_>) -> Result<Granted, Denied> {
        // One for all attempts; the ledger finds it again by the row.
        let id = ReservationId(candidate.call.reservation.as_u128());
        if candidate.names_input {
            let own = candidate.quote.extent.input_tokens;
            candidate.quote.extent.input_tokens = self.referred(candidate, own).await;
        }
        let ask = candidate.ask(false)?;
        match self.reserve(candidate, id, ask).await {
            Ok(grant) => return Ok(candidate.granted(id, grant)),
            Err(Denied::Full(..)) => {}
            Err(fault) => return Err(fault),
        }
        candidate.quote.extent.input_tokens = self.count_prompt(candidate).await;
        let ask = candidate.ask(true)?;
        let grant = self.reserve(candidate, id, ask).await?;
        Ok(candidate.granted(id, grant))
    }

    async fn reserve(
        &self,
        candidate: &Candidate<'_>,
        id: ReservationId,
        ask: Ask,
    ) -> Result<Grant, Denied> {
        let tenant = &candidate.call.call.caller.tenant;
        let reserved = self.reserve_seeded(tenant, id, &candidate.limits, ask);
        match reserved.await {
            Ok(grant) => Ok(grant),
            Err(MoneyError::Full(refusal)) => {
                let budget = tenant.budgets.iter().find(|b| b.name == refusal.limit);
                let on_exceed = budget.map_or(OnExceed::Reject, |budget| budget.on_exceed);
                Err(Denied::Full(refusal, on_exceed))
            }
            Err(error) => Err(Denied::Fault(error)),
        }
    }

    /// The prompt counted for good, on a thread that may block.
    async fn count_prompt(&self, candidate: &Candidate<'_>) -> u64 {
        let bound = candidate.quote.extent.input_tokens;
        let view = candidate.call.view.clone();
        let body = candidate.call.call.body.clone();
        let (encoding, counter) = (candidate.encoding.clone(), self.counter().clone());
        let count = tokio::task::spawn_blocking(move || counter.count(&encoding, &view, &body));
        match count.await {
            Ok(count) if count.certainty == Certainty::Unknown => {
                self.referred(candidate, count.tokens).await
            }
            Ok(count) => count.tokens.min(bound),
            // Given up only when the runtime is.
            Err(_) => bound,
        }
    }
}

impl From<MoneyError> for Denied {
    fn from(error: MoneyError) -> Self {
        Self::Fault(error)
    }
}
