//! Budgets that several gateways share, in a Redis that may go away.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use skinflint_tests::{
    FakeProvider, Gate, Gateway, Load, PostgresServer, RedisServer, Reply, Script,
};
use tokio::time::Instant;

use crate::{
    api::Api,
    money::{self, CENT, Told, chat, monthly, total},
};

/// The client's own time with a call that finds Redis silent; the gateway gives up after 50 ms.
const QUICKLY: Duration = Duration::from_millis(500);
/// How long Redis may be taken to be away.
const PATIENCE: Duration = Duration::from_secs(30);

async fn provider() -> FakeProvider {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    provider
}

async fn sharing(provider: &FakeProvider, redis: &RedisServer, budgets: &str) -> Gateway {
    money::gateway(provider, budgets)
        .redis(&redis.url())
        .limit("in_flight", "20000")
        .start()
        .await
}

fn assert_store_down(told: &Told) {
    assert_eq!(told.status, 429, "{told:?}");
    assert_eq!(told.error(), "budget_store_unavailable", "{told:?}");
    assert_eq!(told.should_retry, "false", "{told:?}");
    let seconds: u64 = told.retry_after.parse().expect("whole seconds");
    assert!(seconds > 0, "{told:?}");
}

/// Calls until one is answered. An outage ends when the gateway has found out; and on a busy machine an answer of Redis may
/// well be too late by itself, and what it granted is then taken back.
async fn answered(gateway: &Gateway, tokens: u64) -> Told {
    let began = Instant::now();
    loop {
        let told = chat(gateway, tokens).await;
        if told.status == 200 {
            return told;
        }
        assert!(began.elapsed() < PATIENCE, "no room: {told:?}");
    }
}

/// Calls until one is refused with these words about the budget; none is answered.
async fn full(gateway: &Gateway, budget: &str) {
    let began = Instant::now();
    loop {
        let told = chat(gateway, 10).await;
        assert_eq!(told.status, 429, "{told:?}");
        if told.error() == "budget_exceeded" && told.budget() == budget {
            return told.assert_refused();
        }
        assert!(began.elapsed() < PATIENCE, "not {budget}: {told:?}");
    }
}

fn cent(_: usize) -> Request<Bytes> {
    let body = money::ask(Api::Chat, 10, false).to_string();
    Load::post(Api::Chat.path(), body)
}

fn with(replies: &[Reply], status: u16) -> impl Iterator<Item = &Reply> {
    replies.iter().filter(move |one| one.status == Some(status))
}

#[tokio::test]
async fn a_hundred_cents_fit_a_dollar_through_two_gateways() {
    const EACH: usize = 5_000;
    let provider = provider().await;
    let redis = RedisServer::start().await;
    let one = sharing(&provider, &redis, &monthly("1.00")).await;
    let other = sharing(&provider, &redis, &monthly("1.00")).await;
    let (load, other_load) = (one.load(), other.load());
    let (mut replies, more) =
        tokio::join!(load.run(EACH, EACH, cent), other_load.run(EACH, EACH, cent));
    replies.extend(more);
    let admitted = with(&replies, 200).count();
    assert!(
        admitted <= 100,
        "{admitted} calls of a cent fitted a dollar"
    );
    assert_eq!(with(&replies, 429).count(), 2 * EACH - admitted);
    // A machine too busy for Redis to answer in time refuses some that would have fitted.
    for _ in admitted..100 {
        answered(&one, 10).await;
    }
    full(&one, "tenant: 1.00 + 0.00 of 1.00").await;
    full(&other, "tenant: 1.00 + 0.00 of 1.00").await;
    assert_eq!(provider.exchanges().len(), 100);
    let spent = total(&money::settled(&one).await) + total(&money::settled(&other).await);
    assert_eq!(spent, 100 * CENT);
    one.finish().await;
    other.finish().await;
}

#[tokio::test]
async fn what_one_gateway_spends_the_other_has_not() {
    let provider = provider().await;
    let redis = RedisServer::start().await;
    let one = sharing(&provider, &redis, &monthly("0.03")).await;
    let other = sharing(&provider, &redis, &monthly("0.03")).await;
    for gateway in [&one, &other, &one] {
        answered(gateway, 10).await;
    }
    for gateway in [&one, &other] {
        full(gateway, "tenant: 0.03 + 0.00 of 0.03").await;
    }
    one.finish().await;
    other.finish().await;
}

#[tokio::test]
async fn a_redis_that_hangs_closes_hard_budgets_quickly_and_is_found_again() {
    let provider = provider().await;
    let redis = RedisServer::start().await;
    let gateway = sharing(&provider, &redis, &monthly("0.03")).await;
    answered(&gateway, 10).await;
    redis.stop();
    for _ in 0..3 {
        let began = Instant::now();
        assert_store_down(&chat(&gateway, 10).await);
        assert!(began.elapsed() < QUICKLY, "took {:?}", began.elapsed());
    }
    assert_eq!(provider.exchanges().len(), 1);
    redis.cont();
    answered(&gateway, 10).await;
    answered(&gateway, 10).await;
    full(&gateway, "tenant: 0.03 + 0.00 of 0.03").await;
    gateway.finish().await;
}

/// Its lease is spent while nobody can say whether there is more.
#[tokio::test]
async fn a_stream_ends_at_its_lease_while_redis_hangs() {
    const WHOLE: u64 = 4_000;
    let provider = FakeProvider::start().await;
    let redis = RedisServer::start().await;
    let gateway = sharing(&provider, &redis, &monthly("10")).await;
    let gate = Gate::closed();
    provider.script(Script::tokens(4_000).gate(&gate));
    let body = money::ask(Api::Chat, WHOLE, true);
    let headers = [];
    let call = money::call(&gateway, Api::Chat, &body, &headers);
    let outage = async {
        let arrived = provider.wait_until("the call is in", |all| all.len() == 1);
        arrived.await;
        redis.stop();
        gate.open();
    };
    let (told, ()) = tokio::join!(call, outage);
    told.assert_answered();
    assert!(
        told.body.contains("\"finish_reason\":\"length\""),
        "{told:?}"
    );
    assert!(told.body.ends_with("data: [DONE]\n\n"), "{told:?}");
    let attempts = money::settled(&gateway).await;
    assert_eq!(attempts[0].source, "counted");
    assert!(attempts[0].output < WHOLE, "{attempts:?}");
    redis.cont();
    gateway.finish().await;
}

#[tokio::test]
async fn soft_budgets_stay_open_without_redis() {
    let provider = provider().await;
    let mut redis = RedisServer::start().await;
    let soft = money::budget("tenant", "month", "0.01", "on_exceed = \"warn\"");
    let gateway = sharing(&provider, &redis, &soft).await;
    chat(&gateway, 10).await.assert_answered();
    redis.stop();
    let began = Instant::now();
    chat(&gateway, 10).await.assert_answered();
    assert!(began.elapsed() < QUICKLY, "took {:?}", began.elapsed());
    redis.kill().await;
    chat(&gateway, 10).await.assert_answered();
    assert_eq!(money::settled(&gateway).await.len(), 3);
    gateway.finish().await;
}

/// Answers that end while Redis is away are told it when it is back.
#[tokio::test]
async fn what_is_settled_meanwhile_is_not_lost() {
    let provider = FakeProvider::start().await;
    let gate = Gate::closed();
    provider.script(Script::tokens(10).gate(&gate));
    let redis = RedisServer::start().await;
    let gateway = sharing(&provider, &redis, &monthly("0.03")).await;
    let call = answered(&gateway, 20);
    let outage = async {
        let arrived = provider.wait_until("the call is in", |all| all.len() == 1);
        arrived.await;
        redis.stop();
        gate.open();
    };
    let (told, ()) = tokio::join!(call, outage);
    assert_eq!(told.cost, "0.01");
    redis.cont();
    provider.script_by(|_| Some(Script::tokens(10)));
    answered(&gateway, 20).await;
    answered(&gateway, 10).await;
    full(&gateway, "tenant: 0.03 + 0.00 of 0.03").await;
    gateway.finish().await;
}

#[tokio::test]
async fn an_empty_redis_begins_with_what_the_ledger_knows() {
    let provider = provider().await;
    let mut redis = RedisServer::start().await;
    let gateway = sharing(&provider, &redis, &monthly("0.04")).await;
    for _ in 0..2 {
        answered(&gateway, 10).await;
    }
    redis.kill().await;
    let began = Instant::now();
    assert_store_down(&chat(&gateway, 10).await);
    assert!(began.elapsed() < QUICKLY, "took {:?}", began.elapsed());
    redis.restart_empty().await;
    answered(&gateway, 10).await;
    answered(&gateway, 10).await;
    full(&gateway, "tenant: 0.04 + 0.00 of 0.04").await;
    gateway.finish().await;
}

/// Each of them has spent a part, which the ledger that they share knows.
#[tokio::test]
async fn an_empty_redis_begins_with_what_all_gateways_have_spent() {
    let provider = provider().await;
    let mut redis = RedisServer::start().await;
    let database = PostgresServer::shared().await.database().await;
    let start = async |node: &str| {
        money::gateway(&provider, &monthly("0.04"))
            .redis(&redis.url())
            .postgres(&database)
            .field("ledger", "node", &format!("{node:?}"))
            .start()
            .await
    };
    let (one, other) = (start("one").await, start("other").await);
    for gateway in [&one, &other] {
        answered(gateway, 10).await;
    }
    redis.restart_empty().await;
    for gateway in [&one, &other] {
        answered(gateway, 10).await;
    }
    for gateway in [&one, &other] {
        full(gateway, "tenant: 0.04 + 0.00 of 0.04").await;
    }
    one.finish().await;
    other.finish().await;
}

/// A call that is on its way when Redis loses everything keeps its room.
#[tokio::test]
async fn an_empty_redis_is_told_of_calls_in_flight() {
    let provider = FakeProvider::start().await;
    let gate = Gate::closed();
    provider.script(Script::tokens(20).gate(&gate));
    let mut redis = RedisServer::start().await;
    let gateway = sharing(&provider, &redis, &monthly("0.03")).await;
    let call = answered(&gateway, 20);
    let meanwhile = async {
        let arrived = provider.wait_until("the call is in", |all| all.len() == 1);
        arrived.await;
        redis.restart_empty().await;
        provider.script_by(|_| Some(Script::tokens(10)));
        answered(&gateway, 10).await;
        full(&gateway, "tenant: 0.01 + 0.02 of 0.03").await;
        gate.open();
    };
    let (told, ()) = tokio::join!(call, meanwhile);
    assert_eq!(told.cost, "0.02");
    full(&gateway, "tenant: 0.03 + 0.00 of 0.03").await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_gateway_may_spend_its_share_while_redis_is_away() {
    let provider = provider().await;
    let mut redis = RedisServer::start().await;
    let gateway = money::gateway(&provider, &monthly("0.05"))
        .redis(&redis.url())
        .field("counters", "when_down", "\"share\"")
        .field("counters", "share", "0.5")
        .start()
        .await;
    answered(&gateway, 10).await;
    redis.kill().await;
    // Half of the four cents that were left.
    for _ in 0..2 {
        chat(&gateway, 10).await.assert_answered();
    }
    let refused = chat(&gateway, 10).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(provider.exchanges().len(), 3);
    redis.restart_empty().await;
    for _ in 0..2 {
        answered(&gateway, 10).await;
    }
    full(&gateway, "tenant: 0.05 + 0.00 of 0.05").await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_gateway_starts_without_its_redis_and_finds_it_later() {
    let provider = provider().await;
    let mut redis = RedisServer::start().await;
    redis.kill().await;
    let gateway = sharing(&provider, &redis, &monthly("0.01")).await;
    assert_store_down(&chat(&gateway, 10).await);
    redis.restart_empty().await;
    answered(&gateway, 10).await;
    full(&gateway, "tenant: 0.01 + 0.00 of 0.01").await;
    gateway.finish().await;
}

/// Calls of a gateway that was killed are settled by itself when it is back, in Redis too.
#[tokio::test]
async fn a_killed_gateway_gives_back_what_it_had_reserved() {
    let provider = FakeProvider::start().await;
    let gate = Gate::closed();
    provider.script(Script::tokens(10).gate(&gate));
    let redis = RedisServer::start().await;
    let mut gateway = sharing(&provider, &redis, &monthly("0.04")).await;
    let mut client = gateway.raw().await;
    let body = money::ask(Api::Chat, 20, false).to_string();
    client.post(Api::Chat.path(), &body).await;
    let arrived = provider.wait_until("the call is in", |all| all.len() == 1);
    arrived.await;
    gateway.kill().await;
    client.closed().await;
    gate.open();
    provider.script_by(|_| Some(Script::tokens(10)));
    gateway.start_again().await;
    for _ in 0..2 {
        answered(&gateway, 10).await;
    }
    full(&gateway, "tenant: 0.04 + 0.00 of 0.04").await;
    let attempts = money::settled(&gateway).await;
    assert_eq!(
        money::lines(&attempts),
        "crash 20000000\nprovider 10000000\nprovider 10000000\n"
    );
    gateway.finish().await;
}
