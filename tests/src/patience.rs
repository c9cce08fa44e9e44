//! Waiting on a state with a deadline.

use std::{future::Future, time::Duration};

use tokio::sync::watch;

/// How long a test waits for a state before it fails: far above what a busy machine needs, so that it never decides a race.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `ready` gives something, looking again at each change; `None` when nothing came in time.
pub(crate) async fn wait_on<T>(
    changes: &mut watch::Receiver<u64>,
    ready: impl Fn() -> Option<T>,
) -> Option<T> {
    within(async {
        loop {
            changes.borrow_and_update();
            if let Some(value) = ready() {
                return value;
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    })
    .await
}

/// The value of `future`, or `None` when it took longer than [`PATIENCE`].
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, future).await.ok()
}
