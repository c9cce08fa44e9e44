//! What a ledger does that gateways share: checked against a real server, by the tests of the workspace.
#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

use skinflint_ledger::{Ledger, LedgerError, OpenError, Reader, Store};
use skinflint_money::NanoUsd;

use super::checks::{NOW, config, reservation, settlement, spend, start_node};

pub(crate) async fn a_dead_gateway_is_settled_by_another(store: Store) {
    let dead = start_node(&store, "dead", NOW).await;
    let open = reservation("acme", "t");
    dead.ledger.reserve(open.clone()).await.unwrap();
    let alive = start_node(&store, "alive", NOW).await;
    assert_eq!(alive.recovered, []);
    let identities = [&dead, &alive].map(|node| node.ledger.reader().clone());
    let [of_one, of_other] = identities.each_ref().map(Reader::identity);
    assert_eq!(of_one.await.unwrap(), of_other.await.unwrap());
    assert_eq!(
        alive
            .ledger
            .recover_dead(NOW + 30_000, 60_000)
            .await
            .unwrap(),
        []
    );
    let recovered = alive
        .ledger
        .recover_dead(NOW + 61_000, 60_000)
        .await
        .unwrap();
    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0].node, "dead");
    // It was not dead after all, and settles late: that changes nothing.
    dead.ledger.settle(settlement(open.attempt, 1));
    dead.ledger.flush().await.unwrap();
    assert_eq!(alive.spent("acme", "tenant").await, 1_000);
    assert_eq!(
        alive
            .ledger
            .reader()
            .open_reservations("acme")
            .await
            .unwrap(),
        []
    );
    dead.stop().await;
    alive.stop().await;
}

pub(crate) async fn a_name_belongs_to_one_gateway(store: Store) {
    let running = start_node(&store, "one", NOW).await;
    let refused = Ledger::open(config(&store, "one"), NOW).await.unwrap_err();
    assert!(matches!(refused, OpenError::NodeTaken { .. }));
    start_node(&store, "two", NOW).await.stop().await;
    running.stop().await;
}

/// The server goes away between two calls and comes back; `stop` and `begin` do that.
pub(crate) async fn an_outage_stops_spending_and_loses_nothing(
    store: Store,
    stop: impl AsyncFnOnce(),
    begin: impl AsyncFnOnce(),
) {
    let running = start_node(&store, "one", NOW).await;
    let ledger = &running.ledger;
    let under_way = reservation("acme", "t");
    ledger.reserve(under_way.clone()).await.unwrap();
    stop().await;
    let refused = ledger.reserve(reservation("acme", "t")).await;
    assert!(matches!(refused, Err(LedgerError::Write(_))));
    ledger.settle(settlement(under_way.attempt, 30));
    assert!(ledger.flush().await.is_err());
    let raised = ledger.extend(under_way.attempt, NanoUsd::new(5_000)).await;
    assert!(matches!(raised, Err(LedgerError::NotOpen(_))));
    assert!(ledger.is_failing() && ledger.backlog() >= 1);
    begin().await;
    while ledger.flush().await.is_err() {}
    assert_eq!(running.spent("acme", "tenant").await, 30);
    let open = ledger.reader().open_reservations("acme").await.unwrap();
    assert_eq!(open, [], "what was refused is not reserved");
    spend(ledger, reservation("acme", "t"), 5).await;
    ledger.flush().await.unwrap();
    assert_eq!(running.spent("acme", "tenant").await, 35);
    running.stop().await;
}
