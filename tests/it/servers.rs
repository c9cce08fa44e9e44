//! The servers of the harness: a missing package or a port that is not free shows here as itself.

use std::time::Duration;

use redis::{AsyncCommands, aio::MultiplexedConnection};
use skinflint_tests::{PostgresServer, RedisServer};
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::timeout;

/// Far above what an answer takes; a busy machine can only make the silence of a stopped server longer.
const SILENCE: Duration = Duration::from_millis(100);

async fn connect(server: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .unwrap()
}

#[tokio::test]
async fn redis_stops_and_goes_on() {
    let server = RedisServer::start().await;
    let mut connection = connect(&server).await;
    let () = connection.set("key", "value").await.unwrap();
    server.stop();
    let mut asked = Box::pin(connection.get::<_, String>("key"));
    assert!(timeout(SILENCE, &mut asked).await.is_err());
    server.cont();
    assert_eq!(asked.await.unwrap(), "value");
}

#[tokio::test]
async fn redis_restarts_empty_where_it_was() {
    let mut server = RedisServer::start().await;
    let url = server.url();
    let () = connect(&server).await.set("key", "value").await.unwrap();
    server.kill().await;
    let refused = tokio::net::TcpStream::connect(server.address()).await;
    assert!(refused.is_err(), "a killed server takes connections");
    for _ in ["after a kill", "while it runs"] {
        server.restart_empty().await;
        assert_eq!(server.url(), url);
        let mut connection = connect(&server).await;
        let left: Option<String> = connection.get("key").await.unwrap();
        assert_eq!(left, None);
        let () = connection.set("key", "value").await.unwrap();
    }
}

#[tokio::test]
async fn redis_evicts_nothing() {
    let server = RedisServer::start().await;
    let mut ask = redis::cmd("CONFIG");
    let asked = ask.arg("GET").arg("maxmemory-policy");
    let told: Vec<String> = asked
        .query_async(&mut connect(&server).await)
        .await
        .unwrap();
    assert_eq!(told, ["maxmemory-policy", "noeviction"]);
}

#[tokio::test]
async fn postgres_gives_each_test_a_database() {
    let server = PostgresServer::shared().await;
    for _ in 0..2 {
        let url = server.database().await;
        let mut connection = PgConnection::connect(&url).await.unwrap();
        // Fails where the table is there already.
        connection
            .execute("CREATE TABLE rows (id bigint)")
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn postgres_stops_and_goes_on_and_ends() {
    let mut server = PostgresServer::start().await;
    let url = server.database().await;
    server.stop();
    let mut connecting = Box::pin(PgConnection::connect(&url));
    assert!(timeout(SILENCE, &mut connecting).await.is_err());
    server.cont();
    let mut connection = connecting.await.unwrap();
    let one: i32 = sqlx::query_scalar("SELECT 1")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(one, 1);
    server.kill().await;
    assert!(PgConnection::connect(&url).await.is_err());
}
