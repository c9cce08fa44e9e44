//! Stopping without cutting anybody off.
//!
//! A signal to stop makes the gateway unready and closes its listeners; running calls go on until a deadline, at which
//! streams end with an error event of their protocol. A second signal moves the deadline to now.

use std::{io, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How far the gateway is in stopping; every part that must react holds a clone.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    draining: CancellationToken,
    expired: CancellationToken,
    tasks: TaskTracker,
}

// === impl Drain ===

impl Drain {
    /// Whether a signal to stop has come.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits for the signal to stop.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// A token that is cancelled at the deadline, for what must end by then.
    pub fn deadline(&self) -> CancellationToken {
        self.expired.clone()
    }

    /// Starts a task that stopping waits for.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Begins to stop.
    pub fn start(&self) {
        self.draining.cancel();
        self.tasks.close();
    }

    /// Stops waiting for running calls.
    pub fn expire(&self) {
        self.expired.cancel();
    }

    /// Waits until every task has ended, or until `grace` has passed since the deadline; whether all have ended.
    pub async fn finished(&self, deadline: Duration, grace: Duration) -> bool {
        tokio::select! {
            () = self.tasks.wait() => return true,
            () = self.expired.cancelled() => {}
            () = tokio::time::sleep(deadline) => self.expire(),
        }
        tokio::time::timeout(grace, self.tasks.wait()).await.is_ok()
    }

    /// Begins to stop at SIGTERM or SIGINT, and stops waiting at the second one.
    pub fn stop_on_signals(self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // Not one of the tasks that stopping waits for: it waits for signals that may never come.
        TaskTracker::new().spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            next().await;
            tracing::info!("stopping: running calls may finish");
            self.start();
            next().await;
            tracing::info!("second signal: ending running calls now");
            self.expire();
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn running_tasks_are_waited_for_until_the_deadline() {
        let drain = Drain::default();
        let deadline = drain.deadline();
        drain.spawn(async move { deadline.cancelled().await });
        drain.start();
        assert!(drain.is_draining());
        let started = tokio::time::Instant::now();
        let grace = Duration::from_secs(1);
        assert!(drain.finished(Duration::from_mins(2), grace).await);
        assert_eq!(started.elapsed().as_secs(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_never_ends_is_left_after_the_grace() {
        let drain = Drain::default();
        drain.spawn(std::future::pending());
        drain.start();
        let (deadline, grace) = (Duration::from_secs(3), Duration::from_secs(1));
        assert!(!drain.finished(deadline, grace).await);
    }
}
