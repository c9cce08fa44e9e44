//! Calls that have a model, or wait for it.

use std::{ops::Deref, sync::Arc};

use tokio::time::Instant;

use super::Pool;

/// A model in use: it is not unloaded before this is dropped.
pub(crate) struct Lease<M> {
    model: M,
    place: usize,
    pool: Arc<Pool<M>>,
}

/// A call that wants a model: it is not unloaded between being loaded and being handed out.
pub(super) struct Wanting<'a, M> {
    pool: &'a Pool<M>,
    place: usize,
}

// === impl Wanting ===

impl<'a, M> Wanting<'a, M> {
    pub(super) fn new(pool: &'a Pool<M>, place: usize) -> Self {
        pool.slots.lock()[place].uses += 1;
        Self { pool, place }
    }
}

impl<M> Drop for Wanting<'_, M> {
    fn drop(&mut self) {
        self.pool.slots.lock()[self.place].uses -= 1;
    }
}

// === impl Lease ===

impl<M> Lease<M> {
    /// A model whose use has been counted.
    pub(super) fn new(model: M, place: usize, pool: &Arc<Pool<M>>) -> Self {
        let pool = pool.clone();
        Self { model, place, pool }
    }
}

impl<M> Deref for Lease<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.model
    }
}

impl<M> Drop for Lease<M> {
    fn drop(&mut self) {
        let mut slots = self.pool.slots.lock();
        let slot = &mut slots[self.place];
        slot.uses -= 1;
        slot.used = Instant::now();
    }
}

impl<M> std::fmt::Debug for Lease<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
