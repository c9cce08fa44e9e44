//! What becomes of a provider's answer whose client has left.

use std::sync::Arc;

use http_body_util::BodyExt;
use skinflint_policies::{DrainCaps, OnDisconnect};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

use super::stream::Live;
use crate::drain::Drain;

/// What becomes of one provider's answers whose clients have left; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct LeftBehind {
    policy: OnDisconnect,
    places: Arc<Semaphore>,
    tasks: Drain,
}

// === impl LeftBehind ===

impl LeftBehind {
    /// By this policy; what is read to its end is waited for when the gateway stops.
    pub(crate) fn new(policy: OnDisconnect, tasks: Drain) -> Self {
        let places = match policy {
            OnDisconnect::Cancel => 0,
            OnDisconnect::Drain(caps) => caps.at_once.get(),
        };
        Self {
            policy,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            tasks,
        }
    }

    /// Closes the provider's connection and settles what was counted, or reads on for the provider's own count.
    pub(super) fn take(&self, live: Live, deadline: &CancellationToken) {
        let place = self.places.clone().try_acquire_owned();
        let (OnDisconnect::Drain(caps), Ok(place)) = (self.policy, place) else {
            drop(live.body);
            live.spending.settle_stream(live.tap);
            return;
        };
        let deadline = deadline.clone();
        self.tasks.spawn(async move {
            let live = tokio::select! {
                live = read_on(live, caps) => live,
                // The call is dropped, and settled at the most that it can have cost.
                () = deadline.cancelled() => return,
            };
            drop(live.body);
            live.spending.settle_stream(live.tap);
            drop(place);
        });
    }

    /// Runs what sends a call and waits for its answer so that it outlives its client, where the policy says so.
    pub(crate) async fn outlive<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let OnDisconnect::Drain(caps) = self.policy else {
            return Some(work.await);
        };
        let (mut done, client) = tokio::sync::oneshot::channel();
        let places = self.places.clone();
        self.tasks.spawn(async move {
            let left = async {
                done.closed().await;
                if let Ok(_place) = places.try_acquire() {
                    tokio::time::sleep(caps.time).await;
                }
            };
            tokio::select! {
                answer = work => {
                    // If nobody waits for it, dropping it settles it.
                    let _answer = done.send(answer);
                }
                () = left => {}
            }
        });
        client.await.ok()
    }
}

/// Reads to the end, or to the end of the time or of the money.
async fn read_on(mut live: Live, caps: DrainCaps) -> Live {
    let spent = live.spending.worth(&live.tap);
    let reading = async {
        while !live.tells_all() && live.spending.worth(&live.tap) <= spent.saturating_add(caps.cost)
        {
            while let Some(frame) = live.decoder.next_frame() {
                if let Some(event) = &frame.event
                    && live.tap.observe(event).is_err()
                {
                    return;
                }
            }
            match live.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        live.decoder.push(data);
                    }
                }
                Some(Err(_)) | None => return,
            }
        }
    };
    // Either way what was read is settled.
    let _in_time = timeout(caps.time, reading).await;
    live
}
