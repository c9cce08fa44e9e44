//! Telling the operator that money goes faster than it should.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::json;
use skinflint_budget::{Crossing, Watch};
use skinflint_ledger::Ledger;
use skinflint_policies::{Budget, Share, TenantId};
use skinflint_upstream::Webhook;

use super::spend_rate::{Anomaly, Stream};
use crate::{
    clock,
    drain::Drain,
    metrics::{AlertLabels, Metrics},
    policy::LivePolicies,
};

/// Where alerts go: the log, the metrics and a webhook; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Alerts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ledger: Option<Ledger>,
    webhook: Option<Webhook>,
    metrics: Metrics,
    tasks: Drain,
}

/// One thing to tell.
#[derive(Debug)]
struct Alert {
    /// What makes it the same alert, however often and by however many gateways it is raised.
    key: String,
    kind: &'static str,
    tenant: TenantId,
    text: String,
}

/// A webhook that is down must not keep the gateway from stopping.
const STOP_WITHIN: Duration = Duration::from_secs(1);

// === impl Alerts ===

impl Alerts {
    /// Raises alerts there; those that were raised before, by any gateway of the ledger, are not raised again.
    pub(crate) fn new(
        ledger: Option<Ledger>,
        webhook: Option<Webhook>,
        metrics: Metrics,
        tasks: Drain,
    ) -> Self {
        Self(Arc::new(Inner {
            ledger,
            webhook,
            metrics,
            tasks,
        }))
    }

    /// Hears of every settlement of the budgets of these policies.
    pub(crate) fn watch(self, policies: LivePolicies) -> Watch {
        Arc::new(move |tenant, settled| {
            let policies = policies.current();
            let tenant = TenantId::parse(tenant).and_then(|id| policies.tenants.get(&id).cloned());
            let Some(tenant) = tenant else { return };
            for crossing in &settled.crossings {
                let mut budgets = tenant.budgets.iter();
                if let Some(budget) = budgets.find(|budget| budget.name == crossing.limit) {
                    self.crossed(&tenant.id, budget, crossing);
                }
            }
        })
    }

    /// Tells of each threshold that a call's cost has carried a budget over.
    fn crossed(&self, tenant: &TenantId, budget: &Budget, crossing: &Crossing) {
        for share in &budget.alert_at {
            let bar = share.of(crossing.cap);
            if crossing.spent_before < bar && bar <= crossing.spent_after {
                self.raise(Alert::budget(tenant, budget, crossing, *share));
            }
        }
    }

    /// Tells of spending that is out of the ordinary.
    pub(crate) fn unusual(&self, stream: &Stream, anomaly: Anomaly) {
        self.raise(Alert::spend_rate(stream, anomaly));
    }

    fn raise(&self, alert: Alert) {
        let inner = self.0.clone();
        self.0.tasks.spawn(async move { inner.tell(alert).await });
    }
}

// === impl Inner ===

impl Inner {
    async fn tell(&self, alert: Alert) {
        if let Some(ledger) = &self.ledger {
            match ledger.first_alert(&alert.key, clock::unix_millis()).await {
                Ok(true) => {}
                Ok(false) => return,
                // Rather twice than never.
                Err(error) => {
                    tracing::warn!(%error, "it is not known whether an alert was raised before");
                }
            }
        }
        tracing::warn!(kind = alert.kind, tenant = %alert.tenant, "{}", alert.text);
        let labels = AlertLabels {
            kind: alert.kind,
            tenant: alert.tenant.to_string(),
        };
        self.metrics.alerts.get_or_create(&labels).inc();
        let Some(webhook) = &self.webhook else { return };
        // `text` is what Slack, Mattermost and their like show; the rest is for programs.
        let body = json!({
            "text": alert.text,
            "kind": alert.kind,
            "tenant": alert.tenant.as_str(),
            "key": alert.key,
        });
        tokio::select! {
            sent = webhook.post(Bytes::from(body.to_string())) => if let Err(error) = sent {
                tracing::error!(%error, key = alert.key, "an alert did not reach the webhook");
            },
            () = self.stopping() => {
                tracing::error!(key = alert.key, "stopped before an alert had reached the webhook");
            }
        }
    }

    /// Waits until the gateway stops, and a moment longer.
    async fn stopping(&self) {
        self.tasks.draining().await;
        tokio::time::sleep(STOP_WITHIN).await;
    }
}

// === impl Alert ===

impl Alert {
    fn budget(tenant: &TenantId, budget: &Budget, crossing: &Crossing, share: Share) -> Self {
        let Crossing {
            scope,
            window,
            period,
            spent_after,
            cap,
            ..
        } = crossing;
        Self {
            key: format!(
                "budget/{tenant}/{}/{scope}/{period}/{cap}/{share}",
                budget.name
            ),
            kind: "budget",
            tenant: tenant.clone(),
            text: format!(
                "Tenant {tenant}: budget `{}` ({scope} per {window}) has reached {} of its limit: {spent_after} of {cap} USD spent",
                budget.name,
                percent(share)
            ),
        }
    }

    fn spend_rate(stream: &Stream, anomaly: Anomaly) -> Self {
        let Stream { tenant, class } = stream;
        let of = class
            .as_ref()
            .map_or_else(String::new, |class| format!(", class {class}"));
        Self {
            key: format!(
                "spend-rate/{tenant}/{}/{}",
                class.as_ref().map_or("", |class| class.as_str()),
                anomaly.slot
            ),
            kind: "spend_rate",
            tenant: tenant.clone(),
            text: format!(
                "Tenant {tenant}{of}: {} USD spent within five minutes, where {} USD is usual",
                anomaly.spent, anomaly.usual
            ),
        }
    }
}

/// A share as people say it.
fn percent(share: Share) -> String {
    const HUNDREDTH: u32 = 10_000;
    let (whole, rest) = (share.get() / HUNDREDTH, share.get() % HUNDREDTH);
    let exact = format!("{whole}.{rest:04}");
    let short = exact.trim_end_matches('0').trim_end_matches('.');
    format!("{short}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_in_percent() {
        let told = [500_000, 1_000_000, 10_000_000, 955_000, 1]
            .map(|millionths| percent(Share::millionths(millionths)));
        assert_eq!(told, ["50%", "100%", "1000%", "95.5%", "0.0001%"]);
    }
}
