//! Reservations in a shared Redis whose gateway died before Redis and the ledger had heard the same.

use redis::{AsyncCommands, aio::MultiplexedConnection};
use skinflint_tests::{ChaosProxy, FakeProvider, Gate, Gateway, Mode, RedisServer, Script};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    api::Api,
    money::{self, chat, monthly},
};

/// The processes that have open calls of the tenant, by when Redis was last told that they live.
const PROCESSES: &str = "sf1:{acme}:nodes";
/// The open calls of the tenant.
const OPEN: &str = "sf1:{acme}:open";

async fn connect(redis: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(redis.url()).expect("a Redis address");
    let connection = client.get_multiplexed_async_connection().await;
    connection.expect("Redis takes connections")
}

/// As if nothing had been heard for long of any process so far.
async fn forget_processes(store: &mut MultiplexedConnection) {
    let processes: Vec<String> = store.zrange(PROCESSES, 0, -1).await.expect("processes");
    assert_eq!(processes.len(), 1, "{processes:?}");
    let () = store
        .zadd(PROCESSES, &processes[0], 0)
        .await
        .expect("an old time");
}

/// A connection for whose life nobody else can write to the ledger.
async fn lock_ledger(gateway: &Gateway) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(gateway.ledger());
    let connecting = SqliteConnection::connect_with(&options);
    let mut ledger = connecting.await.expect("open the ledger");
    let locking = sqlx::query("BEGIN IMMEDIATE").execute(&mut ledger);
    locking.await.expect("lock the ledger");
    ledger
}

async fn open_calls(store: &mut MultiplexedConnection) -> usize {
    store.hlen(OPEN).await.expect("the open calls")
}

async fn settled_strays(gateway: &Gateway) {
    let what = "a call whose gateway ended before the budgets' store heard of its end is settled there as in the ledger";
    let is_settled = |event: &serde_json::Value| event["message"] == what;
    gateway.log().wait("the stray", is_settled).await;
}

/// The gateway is killed between Redis and the ledger, which hangs behind a lock: nothing was sent.
#[tokio::test]
async fn what_the_ledger_never_heard_of_is_given_back() {
    let provider = FakeProvider::start().await;
    provider.script_by(|_| Some(Script::tokens(10)));
    let redis = RedisServer::start().await;
    let mut store = connect(&redis).await;
    let mut gateway = money::gateway(&provider, &monthly("0.03"))
        .redis(&redis.url())
        .start()
        .await;
    chat(&gateway, 10).await.assert_answered();
    money::settled(&gateway).await;
    let lock = lock_ledger(&gateway).await;
    let mut client = gateway.raw().await;
    let body = money::ask(Api::Chat, 20, false).to_string();
    client.post(Api::Chat.path(), &body).await;
    while open_calls(&mut store).await == 0 {
        tokio::task::yield_now().await;
    }
    gateway.kill().await;
    lock.close().await.expect("give the ledger back");
    assert_eq!(provider.exchanges().len(), 1);
    forget_processes(&mut store).await;
    gateway.start_again().await;
    settled_strays(&gateway).await;
    for _ in 0..2 {
        chat(&gateway, 10).await.assert_answered();
    }
    let refused = chat(&gateway, 10).await;
    refused.assert_refused();
    assert_eq!(refused.budget(), "tenant: 0.03 + 0.00 of 0.03");
    gateway.finish().await;
}

/// The gateway is killed when the ledger has a call's cost and Redis has not.
#[tokio::test]
async fn what_redis_never_heard_of_counts_there_as_in_the_ledger() {
    let provider = FakeProvider::start().await;
    let gate = Gate::closed();
    provider.script(Script::tokens(10).gate(&gate));
    let redis = RedisServer::start().await;
    let way = ChaosProxy::start(redis.address());
    let mut store = connect(&redis).await;
    let mut gateway = money::gateway(&provider, &monthly("0.03"))
        .redis(&way.url().replacen("http", "redis", 1))
        .start()
        .await;
    let call = chat(&gateway, 20);
    let meanwhile = async {
        let arrived = provider.wait_until("the call is in", |all| all.len() == 1);
        arrived.await;
        way.set(Mode::Refuse).await;
        gate.open();
    };
    let (told, ()) = tokio::join!(call, meanwhile);
    told.assert_answered();
    let attempts = money::settled(&gateway).await;
    assert_eq!(money::lines(&attempts), "provider 10000000\n");
    gateway.kill().await;
    assert_eq!(open_calls(&mut store).await, 1);
    way.restore().await;
    forget_processes(&mut store).await;
    provider.script_by(|_| Some(Script::tokens(10)));
    gateway.start_again().await;
    settled_strays(&gateway).await;
    for _ in 0..2 {
        chat(&gateway, 10).await.assert_answered();
    }
    let refused = chat(&gateway, 10).await;
    refused.assert_refused();
    assert_eq!(refused.budget(), "tenant: 0.03 + 0.00 of 0.03");
    gateway.finish().await;
}
