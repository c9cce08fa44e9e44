//! Calls of processes that have ended, which others end for them.

use std::sync::Arc;

use skinflint_money::NanoUsd;

use super::{RedisBooks, WhenDown, outbox::Task, question::Question};
use crate::{BudgetError, Limit, ReservationId};

impl RedisBooks {
    /// Open calls of processes that share this one's ledger and have not been heard of for a minute; at most 1,000, of
    /// more some at random.
    pub async fn strays(
        &self,
        tenant: &str,
        now_ms: i64,
    ) -> Result<Vec<ReservationId>, BudgetError> {
        let answer = self.ask(tenant, now_ms, Question::strays()).await;
        let strays = answer.map(|answer| answer.strays());
        strays.map_err(|_| BudgetError::StoreDown)
    }

    /// See [`crate::Budgets::settle_stray`]. Never waits.
    pub fn settle_stray(&self, tenant: &str, now_ms: i64, id: ReservationId, actual: NanoUsd) {
        self.send(tenant, now_ms, Task::Bury { id, actual });
    }

    /// See [`crate::Budgets::take_over`]. Never waits.
    pub fn take_over(
        &self,
        tenant: &str,
        now_ms: i64,
        id: ReservationId,
        limits: &Arc<[Limit]>,
        actual: NanoUsd,
    ) {
        let is_known = self.when_down == WhenDown::Closed && limits.iter().any(|limit| limit.hard);
        if is_known {
            self.settle_stray(tenant, now_ms, id, actual);
        } else {
            self.charge(tenant, now_ms, id, limits, actual);
        }
    }
}
