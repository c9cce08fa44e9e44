//! Several gateways write to one ledger.

use skinflint_ledger::Source;

use super::{
    place::{NOW, Place},
    story::{self, UPPER},
};

/// Calls of each gateway.
const CALLS: u64 = 200;

#[tokio::test]
async fn two_gateways_add_up_in_one_ledger() {
    let place = Place::server().await;
    let (one, other) = (place.open("one", NOW).await, place.open("other", NOW).await);
    // The same task and the same hour: both write to the same sums.
    let spend = async |cost: u64, ledger: &skinflint_ledger::Ledger| {
        for _ in 0..CALLS {
            let call = story::call("task", "main", &[]);
            ledger.reserve(call.clone()).await.unwrap();
            ledger.settle(story::settlement(&call, cost));
        }
        ledger.flush().await.unwrap();
    };
    tokio::join!(spend(3, &one.ledger), spend(5, &other.ledger));
    assert_eq!([one.spent().await, other.spent().await], [CALLS * 8; 2]);
    let trees = one.ledger.reader().task(None, "task").await.unwrap();
    let sums: Vec<_> = trees
        .iter()
        .map(|tree| (tree.task.sums.calls, tree.task.sums.cost.get()))
        .collect();
    assert_eq!(sums, [(2 * CALLS, 8 * CALLS)]);
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn an_alert_is_sent_by_one_of_two_gateways() {
    let place = Place::server().await;
    let (one, other) = (place.open("one", NOW).await, place.open("other", NOW).await);
    for number in 0..20 {
        let key = format!("acme/month/{number}");
        let (first, second) = tokio::join!(
            one.ledger.first_alert(&key, NOW),
            other.ledger.first_alert(&key, NOW)
        );
        assert!(
            first.unwrap() ^ second.unwrap(),
            "{key}: sent by both or by none"
        );
        assert!(!one.ledger.first_alert(&key, NOW + 1).await.unwrap());
    }
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_dead_gateways_calls_are_settled_by_itself_or_by_another_and_by_nobody_while_it_lives() {
    let place = Place::server().await;
    let (one, other) = (place.open("one", NOW).await, place.open("other", NOW).await);
    let calls = [
        story::call("task", "main", &[]),
        story::call("task", "main", &[]),
    ];
    one.ledger.reserve(calls[0].clone()).await.unwrap();
    other.ledger.reserve(calls[1].clone()).await.unwrap();
    // Both are alive.
    one.ledger.heartbeat(NOW + 10_000).await.unwrap();
    let dead = other
        .ledger
        .recover_dead(NOW + 20_000, 15_000)
        .await
        .unwrap();
    assert!(dead.is_empty(), "{dead:?}");
    one.die().await;
    // Another one starts, and leaves alone what may be alive.
    let third = place.open("third", NOW + 20_000).await;
    assert!(third.recovered.is_empty(), "{:?}", third.recovered);
    let dead = third
        .ledger
        .recover_dead(NOW + 30_000, 15_000)
        .await
        .unwrap();
    let dead: Vec<_> = dead
        .iter()
        .map(|dead| (dead.node.as_str(), dead.reservation.attempt))
        .collect();
    assert_eq!(dead, [("one", calls[0].attempt)]);
    // The dead one comes back to find that done; and the other dies and finds its own.
    let one = place.open("one", NOW + 40_000).await;
    assert!(one.recovered.is_empty(), "{:?}", one.recovered);
    other.die().await;
    let other = place.open("other", NOW + 40_000).await;
    let own: Vec<_> = other
        .recovered
        .iter()
        .map(|own| own.reservation.attempt)
        .collect();
    assert_eq!(own, [calls[1].attempt]);
    for call in &calls {
        let told = one.explain(call.request).await;
        let rows: Vec<_> = told
            .attempts
            .iter()
            .map(|row| (row.source, row.money.cost.get()))
            .collect();
        assert_eq!(rows, [(Source::Crash, UPPER)]);
    }
    assert_eq!(one.spent().await, 2 * UPPER);
    for running in [one, other, third] {
        running.close().await;
    }
}
