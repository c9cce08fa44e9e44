//! One scope's money in one window: spent, held, exposed.

use std::{collections::VecDeque, sync::Arc};

use skinflint_money::NanoUsd;

use crate::{AccountStatus, Limit, Missing, Period, Seed, Window};

/// Which account: whose money, and when it counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AccountKey {
    pub(crate) scope: Arc<str>,
    pub(crate) window: Window,
}

/// What a book knows of an account.
#[derive(Debug)]
pub(crate) struct Account {
    window: Window,
    /// Only ever a later one, however the clock steps.
    period: Period,
    /// Spent in the period; of a rolling window the sum of its buckets.
    spent: NanoUsd,
    /// What a rolling window forgets bucket by bucket, oldest first: (number, amount).
    buckets: VecDeque<(i64, NanoUsd)>,
    /// Sums of open calls; wide, so that what is added can always be taken away again.
    held: u128,
    exposed: u128,
    open: u64,
    standing: Standing,
    touched_ms: i64,
}

/// Whether what was spent before is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nobody asked yet: what is settled now will be in the ledger when somebody does.
    Unknown,
    /// Somebody is reading the ledger: what is settled now may come too late for that, so it counts.
    Awaited,
    /// Known.
    Seeded,
}

// === impl AccountKey ===

impl AccountKey {
    pub(crate) fn of(limit: &Limit) -> Self {
        Self {
            scope: Arc::clone(&limit.scope),
            window: limit.window,
        }
    }
}

// === impl Account ===

impl Account {
    pub(crate) fn new(window: Window, now_ms: i64) -> Self {
        Self {
            window,
            period: window.period(now_ms),
            spent: NanoUsd::ZERO,
            buckets: VecDeque::new(),
            held: 0,
            exposed: 0,
            open: 0,
            standing: Standing::Unknown,
            touched_ms: now_ms,
        }
    }

    /// Opens the period of `now_ms`, if that is a later one. Open calls come along.
    pub(crate) fn roll(&mut self, now_ms: i64) {
        let period = self.window.period(now_ms);
        if period.id <= self.period.id {
            return;
        }
        self.period = period;
        if !matches!(self.window, Window::Rolling(_)) {
            self.spent = NanoUsd::ZERO;
            return;
        }
        let oldest = period.id.saturating_sub(Window::BUCKETS);
        self.buckets.retain(|(bucket, _)| *bucket >= oldest);
        self.spent = total(self.buckets.iter().map(|(_, amount)| *amount));
    }

    /// What still fits under a cap; `None` where even nothing does.
    pub(crate) fn room(&self, cap: NanoUsd) -> Option<NanoUsd> {
        let taken = u128::from(self.spent.get()).saturating_add(self.exposed);
        let room = u128::from(cap.get()).checked_sub(taken)?;
        u64::try_from(room).ok().map(NanoUsd::new)
    }

    pub(crate) fn open(&mut self, held: NanoUsd, exposed: NanoUsd) {
        self.open = self.open.saturating_add(1);
        self.change((NanoUsd::ZERO, NanoUsd::ZERO), (held, exposed));
    }

    /// Replaces what one open call holds and is exposed to.
    pub(crate) fn change(&mut self, from: (NanoUsd, NanoUsd), to: (NanoUsd, NanoUsd)) {
        let replace = |sum: u128, from: NanoUsd, to: NanoUsd| {
            sum.saturating_sub(u128::from(from.get()))
                .saturating_add(u128::from(to.get()))
        };
        self.held = replace(self.held, from.0, to.0);
        self.exposed = replace(self.exposed, from.1, to.1);
    }

    pub(crate) fn close(&mut self, held: NanoUsd, exposed: NanoUsd) {
        self.open = self.open.saturating_sub(1);
        self.change((held, exposed), (NanoUsd::ZERO, NanoUsd::ZERO));
    }

    /// Books spending into the period; before and after. Nothing where the ledger will be read later anyway.
    pub(crate) fn spend(&mut self, amount: NanoUsd) -> (NanoUsd, NanoUsd) {
        let before = self.spent;
        if self.standing != Standing::Unknown {
            self.book(self.period.id, amount);
        }
        (before, self.spent)
    }

    fn book(&mut self, bucket: i64, amount: NanoUsd) {
        self.spent = self.spent.saturating_add(amount);
        if !matches!(self.window, Window::Rolling(_)) || amount == NanoUsd::ZERO {
            return;
        }
        let place = self.buckets.partition_point(|(other, _)| *other < bucket);
        match self.buckets.get_mut(place) {
            Some((other, sum)) if *other == bucket => *sum = sum.saturating_add(amount),
            _ => self.buckets.insert(place, (bucket, amount)),
        }
    }

    /// Takes what the ledger knows, the first time.
    pub(crate) fn seed(&mut self, seed: &Seed) {
        if self.standing == Standing::Seeded {
            return;
        }
        self.standing = Standing::Seeded;
        let rolling = matches!(self.window, Window::Rolling(_));
        let oldest = self.period.id.saturating_sub(Window::BUCKETS);
        for (at_ms, amount) in &seed.spent {
            let period = self.window.period(*at_ms).id;
            // Later ones count too: the clock that stamped them may be ahead of ours.
            if rolling && period >= oldest {
                self.book(period.min(self.period.id), *amount);
            } else if !rolling && period >= self.period.id {
                self.book(self.period.id, *amount);
            }
        }
    }

    /// Keeps the account from being forgotten for a while.
    pub(crate) fn touch(&mut self, now_ms: i64) {
        self.touched_ms = self.touched_ms.max(now_ms);
    }

    /// Says what to read, unless the account is seeded.
    pub(crate) fn missing(&mut self, scope: &Arc<str>) -> Option<Missing> {
        if self.standing == Standing::Seeded {
            return None;
        }
        self.standing = Standing::Awaited;
        Some(Missing {
            scope: Arc::clone(scope),
            window: self.window,
            since_ms: self.period.start_ms,
        })
    }

    /// When there is more room without any call ending.
    pub(crate) fn resets_at_ms(&self) -> Option<i64> {
        match self.window {
            Window::Rolling(_) => {
                let (oldest, _) = self.buckets.front()?;
                Some(self.window.forgets_ms(*oldest))
            }
            _ => self.period.ends_ms,
        }
    }

    pub(crate) fn period(&self) -> i64 {
        self.period.id
    }

    pub(crate) fn is_seeded(&self) -> bool {
        self.standing == Standing::Seeded
    }

    pub(crate) fn idle_since(&self, before_ms: i64) -> bool {
        self.open == 0 && self.touched_ms < before_ms
    }

    pub(crate) fn status(&self, scope: &Arc<str>) -> AccountStatus {
        AccountStatus {
            scope: Arc::clone(scope),
            window: self.window,
            period: self.period.id,
            spent: self.spent,
            held: narrow(self.held),
            exposed: narrow(self.exposed),
            open: self.open,
        }
    }
}

fn narrow(sum: u128) -> NanoUsd {
    u64::try_from(sum).map_or(NanoUsd::MAX, NanoUsd::new)
}

fn total(amounts: impl Iterator<Item = NanoUsd>) -> NanoUsd {
    amounts.fold(NanoUsd::ZERO, NanoUsd::saturating_add)
}
