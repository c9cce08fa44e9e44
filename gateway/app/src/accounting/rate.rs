//! Rates of calls and of tokens, held by the generic cell rate algorithm (ITU-T I.371, ATM Forum TM 4.0 §4.4.3): one
//! number an account, the time at which it will be empty again if nothing more comes.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::RateLimited;

/// How much may come in a minute, and how much of that at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Units in a minute: calls, or tokens.
    pub per_minute: u64,
    /// The time whose allowance may come all at once.
    pub burst: Duration,
}

/// A guess that was taken from an account, to be put right.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// From where.
    pub account: Arc<str>,
    /// At which rate.
    pub rate: Rate,
    /// How much.
    pub units: u64,
}

/// All accounts; cheap to clone.
///
/// By the monotonic clock: steps of the time of day neither refill an account nor empty it.
#[derive(Debug, Clone)]
pub(crate) struct RateAccounts {
    origin: Instant,
    accounts: Cache<Arc<str>, Arc<Mutex<Duration>>>,
}

/// Not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooFast {
    /// When the same would be let through.
    pub retry_after: Duration,
}

/// An account that is idle for so long is full again, whatever its rate.
const FORGET_AFTER: Duration = Duration::from_mins(10);
/// Accounts that are kept; the ones not used for longest go first.
const MAX_ACCOUNTS: u64 = 100_000;
const MINUTE_NANOS: u128 = 60_000_000_000;

// === impl RateAccounts ===

impl RateAccounts {
    /// No account has been used yet.
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            accounts: Cache::builder()
                .max_capacity(MAX_ACCOUNTS)
                .time_to_idle(FORGET_AFTER)
                .build(),
        }
    }

    /// Takes so many units from an account, if its rate allows it. More at once than the rate ever allows is let through
    /// when the account is full, and paid off afterwards.
    pub(crate) fn take(&self, account: &Arc<str>, rate: Rate, units: u64) -> Result<(), TooFast> {
        let now = self.origin.elapsed();
        let account = self.account(account);
        let mut empty_at = account.lock();
        let start = (*empty_at).max(now);
        let after = start.saturating_add(rate.cost(units));
        let horizon = now.saturating_add(rate.burst);
        if after > horizon && start > now {
            return Err(TooFast {
                retry_after: after.saturating_sub(horizon).min(start.saturating_sub(now)),
            });
        }
        *empty_at = after;
        Ok(())
    }

    /// Corrects a guess, once it is known how much it really was.
    pub(crate) fn correct(&self, taken: &Taken, real: u64) {
        let Taken {
            account,
            rate,
            units,
        } = taken;
        let account = self.account(account);
        let mut empty_at = account.lock();
        *empty_at = empty_at
            .saturating_add(rate.cost(real.saturating_sub(*units)))
            .saturating_sub(rate.cost(units.saturating_sub(real)));
    }

    fn account(&self, account: &Arc<str>) -> Arc<Mutex<Duration>> {
        self.accounts
            .get_with_by_ref(account, || Arc::new(Mutex::new(Duration::ZERO)))
    }
}

// === impl TooFast ===

impl TooFast {
    /// The refusal as an error of a call.
    pub(crate) fn of(self, whose: &'static str, unit: &'static str, rate: Rate) -> RateLimited {
        RateLimited {
            whose,
            limit: rate.per_minute,
            unit,
            retry_after: self.retry_after,
        }
    }
}

// === impl Rate ===

impl Rate {
    /// The time in which so many units are allowed.
    fn cost(self, units: u64) -> Duration {
        let nanos = u128::from(units) * MINUTE_NANOS / u128::from(self.per_minute.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_minute: 60,
        burst: Duration::from_secs(10),
    };

    fn fixture() -> (RateAccounts, Arc<str>) {
        (RateAccounts::new(), Arc::from("acme"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_the_rate() {
        let (accounts, acme) = fixture();
        let taken = (0..100)
            .take_while(|_| accounts.take(&acme, RATE, 1).is_ok())
            .count();
        assert_eq!(taken, 10);
        let refused = accounts.take(&acme, RATE, 1).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        tokio::time::advance(refused.retry_after).await;
        assert_eq!(accounts.take(&acme, RATE, 1), Ok(()));
        assert!(accounts.take(&acme, RATE, 1).is_err());
        assert_eq!(accounts.take(&Arc::from("other"), RATE, 1), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_lets_through_no_more_than_its_rate_and_a_burst() {
        let (accounts, acme) = fixture();
        let mut taken = 0;
        for _ in 0..600 {
            taken += u64::from(accounts.take(&acme, RATE, 1).is_ok());
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!((60..=70).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_larger_than_a_burst_waits_for_a_full_account_and_is_paid_off() {
        let (accounts, acme) = fixture();
        assert_eq!(accounts.take(&acme, RATE, 30), Ok(()));
        let refused = accounts.take(&acme, RATE, 30).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(30));
        tokio::time::advance(refused.retry_after).await;
        assert_eq!(accounts.take(&acme, RATE, 30), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_guess_is_put_right() {
        let (accounts, acme) = fixture();
        accounts.take(&acme, RATE, 10).unwrap();
        let taken = |units| Taken {
            account: acme.clone(),
            rate: RATE,
            units,
        };
        accounts.correct(&taken(10), 4);
        let more = (0..100)
            .take_while(|_| accounts.take(&acme, RATE, 1).is_ok())
            .count();
        assert_eq!(more, 6);
        accounts.correct(&taken(1), 31);
        assert_eq!(
            accounts.take(&acme, RATE, 1).unwrap_err().retry_after,
            Duration::from_secs(31)
        );
    }
}
