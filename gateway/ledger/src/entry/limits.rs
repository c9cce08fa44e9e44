//! What a row may hold, so that no client's text and no absurd amount keeps a batch from being written.

use skinflint_money::{NanoUsd, NanoUsdDelta};
use skinflint_protocol::Usage;
use uuid::Uuid;

use super::{Money, RequestRow, Reservation, Settlement};
use crate::error::LedgerError;

/// A name, such as a task's, is cut to so many bytes: an index of Postgres takes keys of 2.7 kB at most.
pub const NAME_BYTES: usize = 256;
/// A scope is cut to so many bytes: a kind and two names.
pub const SCOPE_BYTES: usize = 576;
/// A million dollars: far more than a call costs, and so little that no sum of calls overflows.
pub const MOST_FOR_ONE_CALL: NanoUsd = NanoUsd::new(1_000_000_000_000_000);
/// The same for tokens: a million million.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// The scope that every attempt has.
const TENANT: &str = "tenant";

impl Reservation {
    /// By what its room in budgets is set aside.
    pub fn reserved_as(&self) -> Uuid {
        self.reservation.unwrap_or(self.request)
    }

    /// Refuses absurd amounts, cuts absurd names, names each scope once.
    pub(crate) fn bounded(mut self) -> Result<Self, LedgerError> {
        for amount in [self.held, self.upper] {
            taken(amount)?;
        }
        for name in [
            &mut self.tenant,
            &mut self.task,
            &mut self.model,
            &mut self.upstream,
            &mut self.upstream_model,
            &mut self.price_version,
        ] {
            cut(name, NAME_BYTES);
        }
        for name in [&mut self.key, &mut self.agent, &mut self.class] {
            cut_if(name);
        }
        for name in self.ancestors.iter_mut().chain(&mut self.tags) {
            cut(name, NAME_BYTES);
        }
        self.scopes.push(TENANT.to_owned());
        for scope in &mut self.scopes {
            cut(scope, SCOPE_BYTES);
        }
        self.scopes.sort_unstable();
        self.scopes.dedup();
        Ok(self)
    }
}

impl Settlement {
    /// Brings absurd amounts and counts down to the largest that are taken: a settlement cannot be refused.
    pub(crate) fn bounded(mut self) -> Self {
        let given = (self.money, self.usage);
        self.money = clamped(self.money);
        for count in counts(&mut self.usage) {
            *count = (*count).min(MOST_TOKENS);
        }
        if given != (self.money, self.usage) {
            tracing::error!(attempt = %self.attempt, ?given, "a settlement is absurdly large and was cut");
        }
        cut(&mut self.tier, NAME_BYTES);
        cut(&mut self.lines, usize::MAX);
        cut_if(&mut self.response);
        cut_if(&mut self.answered_by);
        self
    }
}

impl RequestRow {
    /// Cuts absurd names.
    pub(crate) fn bounded(mut self) -> Self {
        for name in [&mut self.tenant, &mut self.endpoint, &mut self.outcome] {
            cut(name, NAME_BYTES);
        }
        for name in [
            &mut self.key,
            &mut self.task,
            &mut self.session,
            &mut self.agent,
            &mut self.parent,
            &mut self.class,
            &mut self.model,
            &mut self.route,
            &mut self.error,
            &mut self.price_version,
        ] {
            cut_if(name);
        }
        for tag in &mut self.tags {
            cut(tag, NAME_BYTES);
        }
        cut(&mut self.decisions, usize::MAX);
        for count in [&mut self.tokens_before, &mut self.tokens_after]
            .into_iter()
            .flatten()
        {
            *count = (*count).min(MOST_TOKENS);
        }
        self
    }
}

/// Refuses an amount that no call costs.
pub(crate) fn taken(amount: NanoUsd) -> Result<(), LedgerError> {
    if amount > MOST_FOR_ONE_CALL {
        return Err(LedgerError::TooLarge {
            amount,
            most: MOST_FOR_ONE_CALL,
        });
    }
    Ok(())
}

/// Brings absurd amounts down to the largest that are taken.
pub(crate) fn clamped(money: Money) -> Money {
    let most = i64::try_from(MOST_FOR_ONE_CALL.get()).unwrap_or(i64::MAX);
    let delta =
        |delta: NanoUsdDelta| NanoUsdDelta::new(delta.get().clamp(most.saturating_neg(), most));
    Money {
        cost: money.cost.min(MOST_FOR_ONE_CALL),
        counterfactual: money.counterfactual.min(MOST_FOR_ONE_CALL),
        saved_provider_cache: delta(money.saved_provider_cache),
        saved_ours: delta(money.saved_ours),
        harm: delta(money.harm),
    }
}

fn counts(usage: &mut Usage) -> [&mut u64; 9] {
    [
        &mut usage.fresh_input,
        &mut usage.cache_read,
        &mut usage.cache_write_5m,
        &mut usage.cache_write_1h,
        &mut usage.output,
        &mut usage.reasoning,
        &mut usage.audio_input,
        &mut usage.audio_output,
        &mut usage.server_tool_uses,
    ]
}

fn cut_if(text: &mut Option<String>) {
    if let Some(text) = text {
        cut(text, NAME_BYTES);
    }
}

/// Cuts a text at a character, and replaces the one character that Postgres does not take.
pub(crate) fn cut(text: &mut String, bytes: usize) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
    text.truncate(text.floor_char_boundary(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        let mut text = "é".repeat(200);
        cut(&mut text, 255);
        assert_eq!(text.len(), 254);
        let mut text = "a\0b".to_owned();
        cut(&mut text, 255);
        assert_eq!(text, "a\u{fffd}b");
    }

    #[test]
    fn absurd_amounts_are_refused_or_cut() {
        let absurd = NanoUsd::new(MOST_FOR_ONE_CALL.get() + 1);
        assert!(taken(MOST_FOR_ONE_CALL).is_ok());
        assert_eq!(
            taken(absurd).unwrap_err().to_string(),
            "an amount of 1000000.000000001 USD for one call is more than the 1000000.00 USD that the ledger takes"
        );
        let money = Money {
            cost: NanoUsd::MAX,
            harm: NanoUsdDelta::new(i64::MIN),
            ..Money::default()
        };
        assert_eq!(clamped(money).cost, MOST_FOR_ONE_CALL);
        assert_eq!(clamped(money).harm.get(), -1_000_000_000_000_000);
    }
}
