//! Counts calls that a provider may still be working on.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// How many calls are out, from sending the request to the end of its answer.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<AtomicUsize>);

/// One of them; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(InFlight);

// === impl InFlight ===

impl InFlight {
    /// The number at this moment.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn hold(&self) -> Held {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
