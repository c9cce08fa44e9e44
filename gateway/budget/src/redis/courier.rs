//! Brings the connection back and tells the store what it must hear.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    RedisBooks, State,
    answer::Answer,
    base,
    link::{NoAnswer, Session},
    outbox::{Errand, Task},
    question::Question,
};

/// Between two attempts to reach a server that is down.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// The store takes a process for dead after a minute without.
const BEAT_EVERY: Duration = Duration::from_secs(10);
/// Errands sent without waiting for each other's answers.
const BATCH: usize = 64;
/// Batches of old errands before calls are let through again, at the most: new ones may come as fast as they go.
const BATCHES_BEFORE_OPEN: usize = 1000;

impl RedisBooks {
    /// The background work, which never ends: brings the connection back, and tells the store what it must hear.
    pub async fn run(&self) {
        tokio::join!(self.deliver(), self.live());
    }

    /// Says again and again that this process lives, so that nobody takes its open calls for strays.
    async fn live(&self) {
        let mut beats = interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            if let Some(session) = self.link.session()
                && let Err(error) = self.beat(&session).await
            {
                self.link.give_up(&session, &error);
            }
        }
    }

    pub(super) async fn beat(&self, session: &Session) -> Result<(), NoAnswer> {
        for tenant in self.tenants_with_calls() {
            let now_ms = self.latest_ms.load(Ordering::Relaxed);
            self.tell(session, &tenant, now_ms, Question::beat())
                .await?;
        }
        Ok(())
    }

    fn tenants_with_calls(&self) -> Vec<Arc<str>> {
        let state = self.state.lock();
        let tenants = state.tenants.iter();
        let busy = tenants.filter(|(_, tenant)| tenant.open_calls().next().is_some());
        busy.map(|(name, _)| Arc::clone(name)).collect()
    }

    async fn deliver(&self) {
        loop {
            let Some(session) = self.link.session() else {
                self.reconnect().await;
                continue;
            };
            if self.flush(&session, usize::MAX).await.is_ok() {
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = self.link.changes_to(false) => {}
                }
            }
        }
    }

    /// Tries once to have the server back, and lets calls through when it has heard what it missed.
    async fn reconnect(&self) {
        let session = match self.link.connect(self.number()).await {
            Ok(session) => session,
            Err(error) => {
                tracing::debug!(%error, "the budget store is still down");
                tokio::time::sleep(RETRY_EVERY).await;
                return;
            }
        };
        self.adopt_all();
        if self.flush(&session, BATCHES_BEFORE_OPEN).await.is_err() {
            tokio::time::sleep(RETRY_EVERY).await;
            return;
        }
        self.link.open(session);
        tracing::info!("the budget store is back");
    }

    /// The store may have forgotten any open call.
    pub(super) fn adopt_all(&self) {
        let mut state = self.state.lock();
        let State { tenants, outbox } = &mut *state;
        for (name, tenant) in tenants.iter() {
            for id in tenant.open_calls() {
                outbox.push(Errand {
                    tenant: Arc::clone(name),
                    now_ms: self.latest_ms.load(Ordering::Relaxed),
                    task: Task::Adopt(id),
                });
            }
        }
    }

    /// Runs errands until there are none.
    async fn flush(&self, session: &Session, batches: usize) -> Result<(), NoAnswer> {
        for _ in 0..batches {
            let errands = self.state.lock().outbox.first(BATCH);
            if errands.is_empty() {
                self.emptied.notify_waiters();
                return Ok(());
            }
            let asked = errands
                .iter()
                .map(|errand| self.run_errand(session, errand));
            for (errand, told) in errands.iter().zip(join_all(asked).await) {
                match told {
                    Ok(()) => self.state.lock().outbox.done(),
                    Err(error) => {
                        self.link.give_up(session, &error);
                        if error.is_refusal() && self.state.lock().outbox.refused().is_some() {
                            tracing::error!(?errand, %error, "the budget store cannot be told");
                        }
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    async fn run_errand(&self, session: &Session, errand: &Errand) -> Result<(), NoAnswer> {
        let question = {
            let state = self.state.lock();
            errand.task.question(state.tenants.get(&errand.tenant))
        };
        let Some((question, exposed)) = question else {
            return Ok(());
        };
        let told = self.tell(session, &errand.tenant, errand.now_ms, question);
        let answer = told.await?;
        if let Task::Adopt(id) = errand.task {
            self.with(&errand.tenant, |tenant| tenant.adopted(id, exposed));
        }
        let settled = answer.settled();
        if !settled.crossings.is_empty() {
            (self.watch)(&errand.tenant, &settled);
        }
        Ok(())
    }

    /// Asks on a connection that calls may not use yet, by a moment of the caller's that may be long past.
    async fn tell(
        &self,
        session: &Session,
        tenant: &str,
        now_ms: i64,
        question: Question,
    ) -> Result<Answer, NoAnswer> {
        let base = base(tenant);
        let asked = self.addressed(now_ms, question.clone());
        let mut answer = self.link.ask_on(session, &base, &asked).await?;
        if answer.clock {
            let again = question.addressed(answer.now.0, &self.node);
            answer = self.link.ask_on(session, &base, &again).await?;
        }
        self.hear(tenant, now_ms, &answer);
        Ok(answer)
    }

    pub(super) fn send(&self, tenant: &str, now_ms: i64, task: Task) {
        let mut state = self.state.lock();
        state.outbox.push(Errand {
            tenant: Arc::from(tenant),
            now_ms,
            task,
        });
        drop(state);
        self.wake.notify_one();
    }
}
