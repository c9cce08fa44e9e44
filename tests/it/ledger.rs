//! The ledger in a file and in a real Postgres: the same story makes the same books, and a server that goes away loses nothing.

mod outage;
mod place;
mod shared;
mod story;

use self::{
    place::{NOW, Place},
    story::{PRICED, Told},
};

#[tokio::test]
async fn the_same_story_makes_the_same_books_in_both_stores() {
    let [file, server] = Place::both().await;
    let (file, server) = (Told::to(&file).await, Told::to(&server).await);
    assert_eq!(file, server);
    let cost: u64 = PRICED.iter().map(|(_, cost)| cost).sum();
    assert_eq!(file.cost, cost);
    // By the hour, by the task and by the attempt.
    assert_eq!(file.sums, [cost; 6]);
}

#[tokio::test]
async fn an_attempt_is_settled_once_whoever_says_so_how_often() {
    for place in Place::both().await {
        let running = place.open("one", NOW).await;
        let call = story::call("task", "main", &[]);
        running.ledger.reserve(call.clone()).await.unwrap();
        for cost in [70, 80] {
            running.ledger.settle(story::settlement(&call, cost));
        }
        running.ledger.flush().await.unwrap();
        // Another process, to which the first settlement is history.
        running.close().await;
        let running = place.open("one", NOW + 1).await;
        assert!(running.recovered.is_empty(), "{:?}", running.recovered);
        running.ledger.settle(story::settlement(&call, 90));
        running.ledger.flush().await.unwrap();
        let told = running.explain(call.request).await;
        let costs: Vec<u64> = told
            .attempts
            .iter()
            .map(|row| row.money.cost.get())
            .collect();
        assert_eq!(costs, [70], "{place:?}");
        assert_eq!(running.spent().await, 70);
        running.close().await;
    }
}

#[tokio::test]
async fn other_prices_change_history_alike_in_both_stores() {
    for place in Place::both().await {
        let running = place.open("one", NOW).await;
        story::tell(&running.ledger).await;
        let tenants = running
            .ledger
            .reprice(0, |row| Some(story::doubled(row)))
            .await
            .unwrap();
        let [told] = &tenants[..] else {
            panic!("{place:?}: {tenants:?}");
        };
        let cost: u64 = PRICED.iter().map(|(_, cost)| cost).sum();
        assert_eq!((told.before.get(), told.after.get()), (cost, 2 * cost));
        assert_eq!(
            Told::of(&running.ledger).await.sums,
            [2 * cost; 6],
            "{place:?}"
        );
        running.close().await;
    }
}
