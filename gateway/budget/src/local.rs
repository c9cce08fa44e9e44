//! Books in this process: one short lock for each tenant.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::{Mutex, RwLock};
use skinflint_money::NanoUsd;

use crate::{
    AccountStatus, Ask, Book, BudgetError, Grant, Limit, OpenCall, ReservationId, Seeding, Settled,
};

/// Exclusive access to a value, given for as long as a closure runs: so no lock outlives an `await`.
pub trait Lock<T> {
    /// Wraps the value.
    fn new(value: T) -> Self;

    /// Runs `work` while nobody else sees the value.
    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R;
}

/// The books of all tenants of this process.
///
/// Every operation takes the tenant's lock once, so that a call is checked against all of its limits and counted
/// under all of them in one step. The lock is a type, for the model checker's sake.
pub struct LocalBooks<L = Mutex<Book>> {
    tenants: RwLock<HashMap<Arc<str>, Arc<L>>>,
}

impl<T> Lock<T> for Mutex<T> {
    fn new(value: T) -> Self {
        Self::new(value)
    }

    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.lock())
    }
}

// === impl LocalBooks ===

impl<L: Lock<Book>> LocalBooks<L> {
    /// Books without accounts; each account asks to be seeded first.
    pub fn new() -> Self {
        Self {
            tenants: RwLock::new(HashMap::new()),
        }
    }

    /// See [`Book::reserve`].
    pub fn reserve(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        ask: Ask,
    ) -> Result<Grant, BudgetError> {
        let book = self.book(tenant);
        book.with(|book| book.reserve(now_ms, id, limits, ask))
    }

    /// See [`Book::extend`].
    pub fn extend(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        by: NanoUsd,
        at_least: NanoUsd,
    ) -> Result<NanoUsd, BudgetError> {
        let book = self.book(tenant);
        book.with(|book| book.extend(now_ms, id, by, at_least))
    }

    /// See [`Book::shrink`].
    pub fn shrink(&self, tenant: &str, id: ReservationId, exposed: NanoUsd) {
        self.book(tenant).with(|book| book.shrink(id, exposed));
    }

    /// See [`Book::settle`].
    pub fn settle(&self, tenant: &str, now_ms: i64, id: ReservationId, actual: NanoUsd) -> Settled {
        let book = self.book(tenant);
        book.with(|book| book.settle(now_ms, id, actual))
    }

    /// See [`Book::charge`].
    pub fn charge(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        limits: &[Limit],
        actual: NanoUsd,
    ) -> Settled {
        let book = self.book(tenant);
        book.with(|book| book.charge(now_ms, id, limits, actual))
    }

    /// See [`Book::adopt`].
    pub fn adopt(&self, tenant: &str, now_ms: i64, call: &OpenCall) {
        self.book(tenant).with(|book| book.adopt(now_ms, call));
    }

    /// See [`Book::seed`].
    pub fn seed(&self, tenant: &str, now_ms: i64, seeding: &Seeding) {
        self.book(tenant).with(|book| book.seed(now_ms, seeding));
    }

    /// See [`Book::status`].
    pub fn status(&self, tenant: &str, now_ms: i64) -> Vec<AccountStatus> {
        self.book(tenant).with(|book| book.status(now_ms))
    }

    /// See [`Book::forget_idle`]; for all tenants.
    pub fn forget_idle(&self, before_ms: i64) {
        let books: Vec<Arc<L>> = self.tenants.read().values().map(Arc::clone).collect();
        for book in books {
            book.with(|book| book.forget_idle(before_ms));
        }
    }

    /// Open calls of all tenants; 0 once everything is settled.
    pub fn open_calls(&self) -> usize {
        let books: Vec<Arc<L>> = self.tenants.read().values().map(Arc::clone).collect();
        books
            .iter()
            .map(|book| book.with(|book| book.open_calls()))
            .sum()
    }

    fn book(&self, tenant: &str) -> Arc<L> {
        if let Some(book) = self.tenants.read().get(tenant) {
            return Arc::clone(book);
        }
        let mut tenants = self.tenants.write();
        let fresh = || Arc::new(L::new(Book::new()));
        Arc::clone(tenants.entry(Arc::from(tenant)).or_insert_with(fresh))
    }
}

impl<L: Lock<Book>> Default for LocalBooks<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L> fmt::Debug for LocalBooks<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalBooks").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
