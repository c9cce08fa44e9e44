//! What became of one request.

use serde::Serialize;
use skinflint_money::NanoUsd;
use uuid::Uuid;

use super::Reader;
use super::attempt::{AttemptRow, attempt_columns};
use crate::entry::RequestRow;
use crate::error::LedgerError;
use crate::store::Cells;

/// A request, its attempts and what they cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The receipt; none if the gateway ended before it was written.
    pub request: Option<RequestRow>,
    /// What the attempts cost.
    pub cost: NanoUsd,
    /// What they would have cost if no subscription had paid.
    pub notional: NanoUsd,
    /// The attempts, in order.
    pub attempts: Vec<AttemptRow>,
}

const REQUEST: &str = "SELECT r.id, r.at_ms, r.tenant, r.key_id, t.task, r.session, r.agent, r.parent, r.class, r.tags, \
     r.endpoint, r.model, r.route, r.status, r.outcome, r.error, r.tokens_before, r.tokens_after, r.holdout, \
     r.decisions, r.price_version, r.generation \
     FROM requests AS r LEFT JOIN tasks AS t ON t.id = r.task WHERE r.id = $1";
const ATTEMPTS: &str = concat!(
    "SELECT ",
    attempt_columns!(),
    " WHERE a.request = $1 ORDER BY a.number, a.id"
);

/// The id of a request as it is shown (`req_` and 32 digits), or as a plain UUID.
pub fn request_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text.strip_prefix("req_").unwrap_or(text)).ok()
}

impl Reader {
    /// What became of a request; none if the ledger does not know of it.
    pub async fn explain(&self, request: Uuid) -> Result<Option<Explanation>, LedgerError> {
        let row = self.fetch(REQUEST, vec![request.into()]).await?.pop();
        let request_row = row.map(read_request).transpose()?;
        let rows = self.fetch(ATTEMPTS, vec![request.into()]).await?;
        let attempts = rows
            .into_iter()
            .map(|mut row| AttemptRow::read(&mut row))
            .collect::<Result<Vec<_>, _>>()?;
        if request_row.is_none() && attempts.is_empty() {
            return Ok(None);
        }
        let sum = |notional: bool| {
            attempts
                .iter()
                .filter(|attempt| attempt.notional == notional)
                .fold(NanoUsd::ZERO, |sum, attempt| {
                    sum.saturating_add(attempt.money.cost)
                })
        };
        Ok(Some(Explanation {
            request: request_row,
            cost: sum(false),
            notional: sum(true),
            attempts,
        }))
    }
}

fn read_request(mut row: Cells) -> Result<RequestRow, LedgerError> {
    Ok(RequestRow {
        request: row.id()?,
        at_ms: row.int()?,
        tenant: row.text()?,
        key: row.text_if()?,
        task: row.text_if()?,
        session: row.text_if()?,
        agent: row.text_if()?,
        parent: row.text_if()?,
        class: row.text_if()?,
        tags: row.list()?,
        endpoint: row.text()?,
        model: row.text_if()?,
        route: row.text_if()?,
        status: row.small()?,
        outcome: row.text()?,
        error: row.text_if()?,
        tokens_before: row.count_if()?,
        tokens_after: row.count_if()?,
        holdout: row.flag()?,
        decisions: row.text()?,
        price_version: row.text_if()?,
        generation: row.count()?,
    })
}
