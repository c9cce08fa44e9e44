use skinflint_policies::{Config, Environment};

use super::*;
use crate::sample::Sample;

/// No secrets.
struct Nothing;

impl Environment for Nothing {
    fn secret(&self, _name: &str) -> Option<secrecy::SecretString> {
        None
    }
}

async fn changes(sample: &Sample, dry_run: bool) -> Changes {
    let prices = Config::defaults(&Nothing).unwrap().prices;
    let providers = [("openai".to_owned(), "openai".to_owned())];
    let mut repricer = Repricer::new(prices, providers.into_iter().collect());
    let price = |attempt: &_| repricer.price(attempt).filter(|_| !dry_run);
    sample.ledger.reprice(0, price).await.unwrap();
    Changes {
        price_version: "2026-11".to_owned(),
        dry_run,
        tenants: repricer.into_changes(),
    }
}

#[tokio::test]
async fn history_is_priced_once_and_then_stays() {
    let sample = Sample::new().await;
    let foreseen = changes(&sample, true).await;
    insta::assert_snapshot!(text(&foreseen), @r"
    TENANT  CALLS  CHANGED  KEPT       BEFORE     AFTER          +/-
    acme        2        2     1  0.001750001  0.002825  0.001074999

    prices 2026-11; nothing is written: this is what would change
    ");
    let written = changes(&sample, false).await;
    assert_eq!(written.tenants, foreseen.tenants);
    let again = changes(&sample, false).await;
    let acme = &again.tenants["acme"];
    assert_eq!(
        (acme.changed, acme.before_usd),
        (0, foreseen.tenants["acme"].after_usd)
    );
    let reader = sample.ledger.reader();
    let task = crate::inquiry::task(reader, None, crate::sample::TASK)
        .await
        .unwrap();
    let anthropic = 40_000_000;
    assert_eq!(task.task.sums.cost.get(), acme.after_usd.get() + anthropic);
}
