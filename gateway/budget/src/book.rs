//! The rules of reservations: one tenant's accounts and open calls, as a pure state that is told the time.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use skinflint_money::NanoUsd;

use crate::{
    AccountStatus, Ask, BudgetError, Crossing, Grant, Limit, Missing, OpenCall, Refusal,
    ReservationId, Seeding, Settled,
    account::{Account, AccountKey},
    limit::{self, Amounts},
};

/// One tenant's accounts and open reservations.
///
/// Every hard limit keeps `spent + exposed <= cap`, as long as no call costs more than it is exposed to and the cap
/// is not lowered. Open calls belong to whichever period is current: their exposure moves into a new one, and what
/// they cost is booked where it is settled. So a stream over a window's end is held against the new window.
///
/// An account never goes back to an earlier period. When the clock steps back, the later period stays in force; when
/// it steps forward, the new one opens, and coming back reopens nothing.
#[derive(Debug, Default)]
pub struct Book {
    accounts: HashMap<AccountKey, Account>,
    open: HashMap<ReservationId, Reservation>,
    charged: Charged,
}

#[derive(Debug)]
struct Reservation {
    limits: Arc<[Limit]>,
    held: NanoUsd,
    exposed: NanoUsd,
}

/// The ids charged last, so that none counts twice.
#[derive(Debug, Default)]
struct Charged {
    known: HashSet<ReservationId>,
    order: VecDeque<ReservationId>,
}

/// Charges without a reservation are rare (a call found open after a restart), so that these go back for long.
const CHARGES_REMEMBERED: usize = 16_384;

// === impl Book ===

impl Book {
    /// A book without accounts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets room aside under all limits, or under none. Asked again with an id that is open, it says what that has.
    pub fn reserve(
        &mut self,
        now_ms: i64,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        ask: Ask,
    ) -> Result<Grant, BudgetError> {
        let missing = self.missing(now_ms, limits);
        if !missing.is_empty() {
            return Err(BudgetError::Unseeded(missing));
        }
        if let Some(open) = self.open.get(&id) {
            return Ok(self.grant(open));
        }
        let (held, exposed) = self.fit(limits, ask.amounts())?;
        let reservation = Reservation {
            limits: Arc::clone(limits),
            held,
            exposed,
        };
        for limit in limit::accounts(limits) {
            if let Some(account) = self.accounts.get_mut(&AccountKey::of(limit)) {
                account.open(held, exposed);
            }
        }
        let grant = self.grant(&reservation);
        self.open.insert(id, reservation);
        Ok(grant)
    }

    /// More room for an open call: all of `by`, or what is left if that is at least `at_least`. Returns what the call
    /// is exposed to then. The caps are those under which the call was admitted.
    pub fn extend(
        &mut self,
        now_ms: i64,
        id: ReservationId,
        by: NanoUsd,
        at_least: NanoUsd,
    ) -> Result<NanoUsd, BudgetError> {
        let open = self.open.get(&id).ok_or(BudgetError::NotOpen(id))?;
        let limits = Arc::clone(&open.limits);
        self.roll(now_ms, &limits);
        let step = Ask::Leased {
            first: by,
            floor: at_least,
        };
        let (_, more) = self.fit(&limits, step.amounts())?;
        Ok(self.resize(id, |held, exposed| {
            (held.saturating_add(more), exposed.saturating_add(more))
        }))
    }

    /// Gives back what the caller will not use: it cannot cost more than `exposed`.
    pub fn shrink(&mut self, id: ReservationId, exposed: NanoUsd) {
        self.resize(id, |held, before| (held.min(exposed), before.min(exposed)));
    }

    /// Ends a call: what it held goes, what it cost is spent. The second time it changes nothing.
    pub fn settle(&mut self, now_ms: i64, id: ReservationId, actual: NanoUsd) -> Settled {
        let Some(reservation) = self.open.remove(&id) else {
            return Settled::default();
        };
        for limit in limit::accounts(&reservation.limits) {
            if let Some(account) = self.accounts.get_mut(&AccountKey::of(limit)) {
                account.close(reservation.held, reservation.exposed);
            }
        }
        self.spend(now_ms, &reservation.limits, actual)
    }

    /// Books what a call cost that has no reservation here, once by its id; settles it, if it has one.
    pub fn charge(
        &mut self,
        now_ms: i64,
        id: ReservationId,
        limits: &[Limit],
        actual: NanoUsd,
    ) -> Settled {
        if !self.charged.remember(id) {
            return Settled::default();
        }
        if self.open.contains_key(&id) {
            return self.settle(now_ms, id, actual);
        }
        self.spend(now_ms, limits, actual)
    }

    /// Takes what the ledger knows. It sets, and never adds: an account that has begun to count is left alone.
    pub fn seed(&mut self, now_ms: i64, seeding: &Seeding) {
        for seed in &seeding.accounts {
            let key = AccountKey {
                scope: Arc::clone(&seed.scope),
                window: seed.window,
            };
            let fresh = || Account::new(seed.window, now_ms);
            let account = self.accounts.entry(key).or_insert_with(fresh);
            account.roll(now_ms);
            account.seed(seed);
        }
    }

    /// Takes up an open call whether or not there is room: it is under way. A known one is left alone.
    pub fn adopt(&mut self, now_ms: i64, call: &OpenCall) {
        if self.open.contains_key(&call.id) || self.charged.known.contains(&call.id) {
            return;
        }
        for limit in limit::accounts(&call.limits) {
            let fresh = || Account::new(limit.window, now_ms);
            let account = self.accounts.entry(AccountKey::of(limit));
            account.or_insert_with(fresh).open(call.held, call.exposed);
        }
        let reservation = Reservation {
            limits: Arc::clone(&call.limits),
            held: call.held,
            exposed: call.exposed,
        };
        self.open.insert(call.id, reservation);
    }

    /// How every account stands, by scope and window.
    pub fn status(&mut self, now_ms: i64) -> Vec<AccountStatus> {
        let mut all: Vec<AccountStatus> = self
            .accounts
            .iter_mut()
            .filter_map(|(key, account)| {
                account.roll(now_ms);
                account.is_seeded().then(|| account.status(&key.scope))
            })
            .collect();
        all.sort_by(|a, b| (&a.scope, a.window).cmp(&(&b.scope, b.window)));
        all
    }

    /// Drops accounts without an open call that nothing touched since `before_ms`; the ledger seeds them again when
    /// they are needed. Leave it the time to commit what was settled last.
    pub fn forget_idle(&mut self, before_ms: i64) {
        self.accounts
            .retain(|_, account| !account.idle_since(before_ms));
    }

    /// Open calls.
    pub fn open_calls(&self) -> usize {
        self.open.len()
    }

    /// What an open call may cost; nothing once it has ended.
    pub fn exposed(&self, id: ReservationId) -> NanoUsd {
        self.open
            .get(&id)
            .map(|open| open.exposed)
            .unwrap_or_default()
    }

    /// Accounts kept.
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// What to read from the ledger before these limits can be asked.
    fn missing(&mut self, now_ms: i64, limits: &[Limit]) -> Vec<Missing> {
        limit::accounts(limits)
            .filter_map(|limit| {
                let fresh = || Account::new(limit.window, now_ms);
                let account = self.accounts.entry(AccountKey::of(limit));
                let account = account.or_insert_with(fresh);
                account.roll(now_ms);
                account.touch(now_ms);
                account.missing(&limit.scope)
            })
            .collect()
    }

    fn roll(&mut self, now_ms: i64, limits: &[Limit]) {
        for limit in limits {
            if let Some(account) = self.accounts.get_mut(&AccountKey::of(limit)) {
                account.roll(now_ms);
            }
        }
    }

    /// The hard limit with the least room, the first of several.
    fn tightest<'a>(&'a self, limits: &'a [Limit]) -> Option<(&'a Limit, &'a Account)> {
        limits
            .iter()
            .filter(|limit| limit.hard)
            .filter_map(|limit| Some((limit, self.accounts.get(&AccountKey::of(limit))?)))
            .min_by_key(|(limit, account)| account.room(limit.cap))
    }

    /// What can be held and exposed under all limits.
    fn fit(&self, limits: &[Limit], amounts: Amounts) -> Result<(NanoUsd, NanoUsd), BudgetError> {
        let Some((limit, account)) = self.tightest(limits) else {
            return Ok((amounts.held, amounts.wanted));
        };
        let fits = amounts.within(account.room(limit.cap));
        fits.ok_or_else(|| refusal(limit, account, amounts).into())
    }

    fn grant(&self, open: &Reservation) -> Grant {
        let tightest = self.tightest(&open.limits);
        let room = tightest.map(|(limit, account)| account.room(limit.cap).unwrap_or_default());
        Grant {
            held: open.held,
            exposed: open.exposed,
            room,
            store_down: false,
        }
    }

    /// Changes what an open call holds and is exposed to; returns the latter.
    fn resize(
        &mut self,
        id: ReservationId,
        change: impl FnOnce(NanoUsd, NanoUsd) -> (NanoUsd, NanoUsd),
    ) -> NanoUsd {
        let Some(open) = self.open.get_mut(&id) else {
            return NanoUsd::ZERO;
        };
        let before = (open.held, open.exposed);
        let after = change(before.0, before.1);
        (open.held, open.exposed) = after;
        for limit in limit::accounts(&open.limits) {
            if let Some(account) = self.accounts.get_mut(&AccountKey::of(limit)) {
                account.change(before, after);
            }
        }
        after.1
    }

    fn spend(&mut self, now_ms: i64, limits: &[Limit], actual: NanoUsd) -> Settled {
        self.roll(now_ms, limits);
        let mut booked: HashMap<AccountKey, (i64, NanoUsd, NanoUsd)> = HashMap::new();
        for limit in limit::accounts(limits) {
            let key = AccountKey::of(limit);
            if let Some(account) = self.accounts.get_mut(&key) {
                account.touch(now_ms);
                let (before, after) = account.spend(actual);
                booked.insert(key, (account.period(), before, after));
            }
        }
        let crossings = limits
            .iter()
            .filter_map(|limit| {
                let (period, spent_before, spent_after) = *booked.get(&AccountKey::of(limit))?;
                Some(Crossing {
                    limit: Arc::clone(&limit.name),
                    scope: Arc::clone(&limit.scope),
                    window: limit.window,
                    period,
                    spent_before,
                    spent_after,
                    cap: limit.cap,
                })
            })
            .collect();
        Settled { crossings }
    }
}

fn refusal(limit: &Limit, account: &Account, amounts: Amounts) -> Refusal {
    let status = account.status(&limit.scope);
    Refusal {
        limit: Arc::clone(&limit.name),
        scope: Arc::clone(&limit.scope),
        window: limit.window,
        cap: limit.cap,
        spent: status.spent,
        held: status.held,
        exposed: status.exposed,
        wanted: amounts.wanted,
        least: amounts.least,
        resets_at_ms: account.resets_at_ms(),
    }
}

// === impl Charged ===

impl Charged {
    /// Whether the id is a new one.
    fn remember(&mut self, id: ReservationId) -> bool {
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > CHARGES_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests;
