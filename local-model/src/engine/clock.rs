//! Where the engine's time comes from, so that tests can move it.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

/// Tells the time. The scheduler's thread belongs to no runtime and would not see a paused one's.
#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl Clock {
    /// The machine's own.
    pub(super) fn system() -> Self {
        Self::new(Instant::now)
    }

    /// What `now` says.
    pub(super) fn new(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(super) fn now(&self) -> Instant {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
